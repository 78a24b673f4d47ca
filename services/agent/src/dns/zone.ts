/**
 * The zone `clusterset.local` (KEP-1645 DNS schema 1.0.0) over the importer's view: which names exist, and their records.
 * It holds nothing that the view does not: what was encoded lives and goes with the view's object of that service.
 */
import { TYPE } from "./codes.ts";
import type { DnsImport, DnsIndex } from "./imports.ts";
import {
  addressRecord,
  addressType,
  encodedRecord,
  pointer,
  type RecordSet,
  recordSet,
  TTL_SECONDS,
} from "./records.ts";
import { EMPTY, NameNode, type ServiceNames, serviceNames } from "./service-names.ts";
import { dotted, under, type WireName, wireName } from "./wire-name.ts";

export const APEX = wireName("clusterset.local");
const SERVICES = under(APEX, "svc");
const DNS = under(APEX, "dns");
const SERVER = under(DNS, "ns");
const VERSION = under(APEX, "dns-version");
const VERSION_TTL_SECONDS = 28_800;

export const isInZone = (name: WireName): boolean =>
  name.endsWith(APEX) && isAtLabel(name, name.length - APEX.length);

/** What a query for everything is told (RFC 8482 §4.2). */
export const ANYTHING = single(encodedRecord({ type: "HINFO", data: { cpu: "RFC8482", os: "" } }, 3600));

export class Zone {
  readonly #index: DnsIndex;
  readonly #fixed: ReadonlyMap<WireName, NameNode>;
  readonly #built = new WeakMap<DnsImport, ServiceNames>();
  /** Without an owner: its place in the message hangs on the question. */
  readonly soa: Buffer;

  /** `serial` grows from start to start; `addresses`: where the server listens, as far as it is known. */
  constructor(index: DnsIndex, serial: number, addresses: readonly string[] = []) {
    this.#index = index;
    this.soa = encodedRecord({
      type: "SOA",
      data: {
        mname: dotted(SERVER),
        rname: dotted(under(APEX, "hostmaster")),
        serial: serial >>> 0,
        refresh: 7200,
        retry: 1800,
        expire: 86_400,
        // For this long it may be remembered that a name is not there (RFC 2308 §5).
        minimum: TTL_SECONDS,
      },
    });
    this.#fixed = this.#fixedNames(addresses);
  }

  #fixedNames(addresses: readonly string[]): ReadonlyMap<WireName, NameNode> {
    const apex: ReadonlyMap<number, RecordSet> = new Map([
      [TYPE.SOA, single(this.soa)],
      [TYPE.NS, single(encodedRecord({ type: "NS", data: dotted(SERVER) }, VERSION_TTL_SECONDS))],
    ]);
    const version = single(encodedRecord({ type: "TXT", data: "1.0.0" }, VERSION_TTL_SECONDS));
    const own = addresses.filter((address) => !isUnspecified(address));
    const ownSet = (type: number): RecordSet | undefined =>
      recordSet(
        own
          .filter((address) => addressType(address) === type)
          .flatMap((address) => addressRecord(address) ?? [])
          .map(({ record }) => ({ owner: pointer(), record })),
      );
    return new Map([
      [APEX, new NameNode([...apex.keys()], (type) => apex.get(type))],
      [SERVICES, EMPTY],
      [DNS, EMPTY],
      [SERVER, new NameNode([TYPE.A, TYPE.AAAA], ownSet)],
      [VERSION, new NameNode([TYPE.TXT], () => version)],
    ]);
  }

  /** False: what is missing may only not have been read yet. */
  get synced(): boolean {
    return this.#index.synced;
  }

  /** `name` lies in the zone, in lower case. Undefined: it does not exist. */
  find(name: WireName): NameNode | undefined {
    return name.endsWith(SERVICES) ? this.#findService(name) : this.#fixed.get(name);
  }

  #findService(name: WireName): NameNode | undefined {
    const starts = labelStarts(name, name.length - SERVICES.length);
    if (starts === undefined) return undefined;
    const label = (fromLast: number): string => {
      const start = starts[starts.length - fromLast] as number;
      return name.slice(start + 1, start + 1 + name.charCodeAt(start));
    };
    if (starts.length === 0) return EMPTY;
    if (starts.length === 1) return this.#index.hasNamespace(label(1)) ? EMPTY : undefined;
    const service = this.#index.get(label(1), label(2));
    if (service === undefined) return undefined;
    const own = starts[starts.length - 2] as number;
    return this.#namesOf(service, name.slice(own)).get(name.slice(0, own));
  }

  #namesOf(service: DnsImport, name: WireName): ServiceNames {
    const known = this.#built.get(service);
    if (known !== undefined) return known;
    const names = serviceNames(service, name);
    this.#built.set(service, names);
    return names;
  }
}

/** Offsets of the labels before `end`; undefined where `end` lies within a label, which only looks like the suffix. */
function labelStarts(name: WireName, end: number): number[] | undefined {
  const starts: number[] = [];
  let at = 0;
  while (at < end) {
    starts.push(at);
    at += 1 + name.charCodeAt(at);
  }
  return at === end ? starts : undefined;
}

const isAtLabel = (name: WireName, end: number): boolean => labelStarts(name, end) !== undefined;

const isUnspecified = (address: string): boolean => /^[0:.]+$/.test(address);

function single(record: Buffer): RecordSet {
  const bytes = Buffer.concat([pointer(), record]);
  return { bytes, ends: [bytes.length] };
}

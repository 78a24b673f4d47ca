/**
 * The names of one imported service (KEP-1645 DNS schema 1.0.0, §2.3 and §2.4), each by what stands before the service's
 * own name, which has SRV of all its ports too: the MCS conformance suite asks for that. Bytes are made when a name is first
 * asked for.
 */
import { isLabel } from "@hansa/core";
import { TYPE } from "./codes.ts";
import type { DnsEndpoint, DnsImport } from "./imports.ts";
import { addressRecord, addressType, pointer, type RecordSet, recordSet, srvRecord } from "./records.ts";
import { LABEL_BYTES_MAX, NAME_BYTES_MAX, under, type WireName } from "./wire-name.ts";

/** A name that exists. One without any records is there because others lie below it (RFC 8020). */
export class NameNode {
  readonly #make: (type: number) => RecordSet | undefined;
  readonly #made = new Map<number, RecordSet | undefined>();
  readonly types: ReadonlySet<number>;

  constructor(
    types: readonly number[] = [],
    make: (type: number) => RecordSet | undefined = () => undefined,
  ) {
    this.types = new Set(types);
    this.#make = make;
  }

  of(type: number): RecordSet | undefined {
    if (!this.types.has(type)) return undefined;
    if (!this.#made.has(type)) this.#made.set(type, this.#make(type));
    return this.#made.get(type);
  }
}

export const EMPTY = new NameNode();

/** What stands before the service's name, as labels on the wire → the node. */
export type ServiceNames = ReadonlyMap<string, NameNode>;

export function serviceNames(service: DnsImport, name: WireName): ServiceNames {
  return service.type === "Headless" ? headless(service, name) : clusterSetIp(service, name);
}

const ADDRESSES = [TYPE.A, TYPE.AAAA];
const prefix = (...labels: readonly string[]): string => under("", ...labels);
const isName = (name: WireName): boolean => name.length <= NAME_BYTES_MAX;

const addressSet = (addresses: readonly string[], type: number): RecordSet | undefined =>
  recordSet(
    addresses
      .filter((address) => addressType(address) === type)
      .flatMap((address) => owned(pointer(), address)),
  );

const addressNode = (addresses: readonly string[]): NameNode =>
  new NameNode(ADDRESSES, (type) => addressSet(addresses, type));

/** Of the service's own name. */
const serviceNode = (addresses: readonly string[], srv: () => RecordSet | undefined): NameNode =>
  new NameNode([...ADDRESSES, TYPE.SRV], (type) => (type === TYPE.SRV ? srv() : addressSet(addresses, type)));

const owned = (owner: Buffer, address: string) => {
  const found = addressRecord(address);
  return found === undefined ? [] : [{ owner, record: found.record }];
};

/** `_port` and `_proto`; undefined for a port without a name and for one whose name is too long with its underscore. */
function portPrefix(
  port: DnsImport["ports"][number],
): { readonly all: string; readonly proto: string } | undefined {
  if (port.name === "" || port.name.length >= LABEL_BYTES_MAX) return undefined;
  const proto = `_${port.transport.toLowerCase()}`;
  return { all: prefix(`_${port.name}`, proto), proto: prefix(proto) };
}

/** One target, the service itself; it stands whether or not anything is behind it now. */
function clusterSetIp(service: DnsImport, name: WireName): ServiceNames {
  const srv = (ports: DnsImport["ports"], skipped: number): RecordSet | undefined => {
    const additional = recordSet(service.ips.flatMap((ip) => owned(pointer(skipped), ip)));
    const numbers = [...new Set(ports.map(({ port }) => port))];
    return recordSet(
      numbers.map((port) => ({ owner: pointer(), record: srvRecord(name, port) })),
      additional,
    );
  };
  const names = new Map<string, NameNode>([["", serviceNode(service.ips, () => srv(service.ports, 0))]]);
  for (const port of service.ports) {
    const before = portPrefix(port);
    if (before === undefined || !isName(before.all + name)) continue;
    names.set(before.proto, EMPTY);
    names.set(before.all, new NameNode([TYPE.SRV], () => srv([port], before.all.length)));
  }
  return names;
}

interface Host {
  readonly prefix: string;
  readonly endpoints: readonly DnsEndpoint[];
}

/** All names of it end with its last ready endpoint: NXDOMAIN (schema §2.4.1). */
function headless(service: DnsImport, name: WireName): ServiceNames {
  const names = new Map<string, NameNode>();
  const hosts = hostsOf(service, name);
  if (hosts.length === 0) return names;
  const addresses = hosts.flatMap(({ endpoints }) => endpoints.map(({ address }) => address));
  const portKeys = service.ports.map(({ portKey }) => portKey);
  names.set(
    "",
    serviceNode(addresses, () => headlessSrv(hosts, portKeys, 0, name)),
  );
  for (const host of hosts) {
    names.set(host.prefix.slice(1 + host.prefix.charCodeAt(0)), EMPTY);
    names.set(host.prefix, addressNode(host.endpoints.map(({ address }) => address)));
  }
  for (const port of service.ports) {
    const before = portPrefix(port);
    const serving = hosts.filter(({ endpoints }) => endpoints.some(({ ports }) => port.portKey in ports));
    if (before === undefined || serving.length === 0 || !isName(before.all + name)) continue;
    names.set(before.proto, EMPTY);
    names.set(
      before.all,
      new NameNode([TYPE.SRV], () => headlessSrv(serving, [port.portKey], before.all.length, name)),
    );
  }
  return names;
}

/** Ready endpoints by host name and cluster, in the view's order. Names beyond 255 bytes cannot be asked for. */
function hostsOf(service: DnsImport, name: WireName): Host[] {
  const hosts = new Map<string, DnsEndpoint[]>();
  for (const { cluster, endpoints } of service.clusters)
    for (const endpoint of endpoints) {
      if (!endpoint.ready || addressType(endpoint.address) === undefined) continue;
      const key = prefix(hostLabel(endpoint), cluster);
      if (!isName(key + name)) continue;
      const known = hosts.get(key);
      if (known === undefined) hosts.set(key, [endpoint]);
      else known.push(endpoint);
    }
  return [...hosts].map(([prefix, endpoints]) => ({ prefix, endpoints }));
}

/** Its host name, else its address with hyphens: what names one endpoint and no other (schema §2.1). */
function hostLabel({ hostname, address }: DnsEndpoint): string {
  const lower = hostname.toLowerCase();
  return isLabel(lower) ? lower : address.toLowerCase().replaceAll(/[.:]/g, "-");
}

/** One record per host and port number; an endpoint of two families is one host. */
function headlessSrv(
  hosts: readonly Host[],
  portKeys: readonly string[],
  skipped: number,
  name: WireName,
): RecordSet | undefined {
  const suffix = pointer(skipped);
  const addresses = hosts.flatMap((host) => {
    const owner = Buffer.concat([Buffer.from(host.prefix, "latin1"), suffix]);
    return host.endpoints.flatMap(({ address }) => owned(owner, address));
  });
  const records = hosts.flatMap((host) => {
    const ports = new Set(host.endpoints.flatMap(({ ports }) => portKeys.flatMap((key) => ports[key] ?? [])));
    return [...ports].map((port) => ({ owner: pointer(), record: srvRecord(host.prefix + name, port) }));
  });
  return recordSet(records, recordSet(addresses));
}

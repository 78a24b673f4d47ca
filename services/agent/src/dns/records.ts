/**
 * Records as bytes, encoded once and copied into every answer. dns-packet writes type, class, TTL and data; the owner is a
 * pointer into the question of the answer (RFC 1035 §4.1.4), which keeps 28 addresses within 512 bytes and gives the
 * asker's own case back.
 */
import { isIPv4, isIPv6 } from "node:net";
import { encode, type SoaData } from "dns-packet";
import { TYPE } from "./codes.ts";
import { HEADER_BYTES } from "./query.ts";
import { dotted, type WireName } from "./wire-name.ts";

/** Clusters and endpoints change: nobody is to remember them for longer. */
export const TTL_SECONDS = 5;

/** Records of one owner and type, one behind the other. */
export interface RecordSet {
  readonly bytes: Buffer;
  /** Where each ends. */
  readonly ends: readonly number[];
  /** Worth knowing with it, where there is room. */
  readonly additional?: RecordSet;
}

type Content = Parameters<typeof encode>[0]["answers"] extends readonly (infer Item)[] | undefined
  ? Item
  : never;
type Data =
  | { readonly type: "A" | "AAAA" | "NS"; readonly data: string }
  | {
      readonly type: "SRV";
      readonly data: { readonly port: number; readonly target: string; weight: number };
    }
  | { readonly type: "SOA"; readonly data: SoaData }
  | { readonly type: "TXT"; readonly data: string }
  | { readonly type: "HINFO"; readonly data: { readonly cpu: string; readonly os: string } };

/** A pointer to the question's name, or to the rest of it behind `skipped` bytes. */
export const pointer = (skipped = 0): Buffer => {
  const at = HEADER_BYTES + skipped;
  return Buffer.from([0xc0 | (at >> 8), at & 0xff]);
};

/** Type, class, TTL and data, without an owner. */
export function encodedRecord(record: Data, ttl = TTL_SECONDS): Buffer {
  const message = encode({ answers: [{ name: ".", ttl, ...record } as Content] });
  return message.subarray(HEADER_BYTES + 1);
}

export function recordSet(
  records: readonly { readonly owner: Buffer; readonly record: Buffer }[],
  additional?: RecordSet,
): RecordSet | undefined {
  if (records.length === 0) return undefined;
  let end = 0;
  const ends = records.map(({ owner, record }) => {
    end += owner.length + record.length;
    return end;
  });
  const bytes = Buffer.concat(
    records.flatMap(({ owner, record }) => [owner, record]),
    end,
  );
  return { bytes, ends, ...(additional === undefined ? {} : { additional }) };
}

/** Undefined for what is no address: it came from another cluster, and must stop nobody. */
export function addressType(address: string): number | undefined {
  if (isIPv4(address)) return TYPE.A;
  return isIPv6(address) && !address.includes("%") ? TYPE.AAAA : undefined;
}

/** The family's address record. */
export function addressRecord(
  address: string,
): { readonly type: number; readonly record: Buffer } | undefined {
  const type = addressType(address);
  if (type === undefined) return undefined;
  return { type, record: encodedRecord({ type: type === TYPE.A ? "A" : "AAAA", data: address }) };
}

export const srvRecord = (target: WireName, port: number): Buffer =>
  encodedRecord({ type: "SRV", data: { port, target: dotted(target), weight: 100 } });

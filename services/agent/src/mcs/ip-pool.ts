/** A range of addresses by index: the place of an address in it and the address at a place. Pure. */
import type { IpFamily } from "@hansa/events";
import { parseAddress, parseCidr } from "@hansa/model";

/** More is never handed out: an index stays a small integer. */
export const POOL_SIZE_MAX = 2 ** 20;

export interface IpPool {
  readonly family: IpFamily;
  readonly cidr: string;
  /** First usable address as a number. */
  readonly first: bigint;
  /** Usable addresses; in IPv4 the first and the last of the range are not. */
  readonly size: number;
}

/** undefined: no CIDR without host bits, or too small to hold an address. */
export function parsePool(cidr: string): IpPool | undefined {
  const range = parseCidr(cidr);
  if (range === undefined) return undefined;
  const hostBits = range.width - range.prefix;
  // The network's own address is left alone in both families (subnet router anycast, RFC 4291 §2.6.1).
  const edges = range.width === 32 ? 2 : 1;
  const usable = hostBits > 24 ? POOL_SIZE_MAX : Math.min(POOL_SIZE_MAX, 2 ** hostBits - edges);
  if (usable < 1) return undefined;
  return {
    family: range.width === 32 ? "IPv4" : "IPv6",
    cidr,
    first: BigInt(range.bits) + 1n,
    size: usable,
  };
}

export const addressAt = (pool: IpPool, index: number): string =>
  pool.family === "IPv4" ? ipv4Text(pool.first + BigInt(index)) : ipv6Text(pool.first + BigInt(index));

/** Index in the pool; undefined for what is not in it. */
export function indexIn(pool: IpPool, address: string): number | undefined {
  const parsed = parseAddress(address);
  if (parsed === undefined || (parsed.width === 32) !== (pool.family === "IPv4")) return undefined;
  const index = BigInt(parsed.bits) - pool.first;
  return index >= 0n && index < BigInt(pool.size) ? Number(index) : undefined;
}

/** Whether two ranges share an address. Text that is no CIDR overlaps nothing. */
export function overlap(a: string, b: string): boolean {
  const left = parseCidr(a);
  const right = parseCidr(b);
  if (left === undefined || right === undefined || left.width !== right.width) return false;
  const host = BigInt(left.width - Math.min(left.prefix, right.prefix));
  return BigInt(left.bits) >> host === BigInt(right.bits) >> host;
}

export const isWithin = (address: string, cidr: string): boolean =>
  overlap(`${address}/${address.includes(":") ? 128 : 32}`, cidr);

const ipv4Text = (bits: bigint): string =>
  [24n, 16n, 8n, 0n].map((shift) => String((bits >> shift) & 0xffn)).join(".");

/** RFC 5952: lower case, no leading zeros, the longest run of two zero groups or more as `::`. */
function ipv6Text(bits: bigint): string {
  const groups = Array.from({ length: 8 }, (_, index) =>
    ((bits >> BigInt(112 - 16 * index)) & 0xffffn).toString(16),
  );
  let run = { at: 0, length: 0 };
  for (let at = 0; at < 8; at += 1) {
    let length = 0;
    while (at + length < 8 && groups[at + length] === "0") length += 1;
    if (length > run.length) run = { at, length };
  }
  if (run.length < 2) return groups.join(":");
  return `${groups.slice(0, run.at).join(":")}::${groups.slice(run.at + run.length).join(":")}`;
}

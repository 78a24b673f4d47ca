/**
 * What a grant covers (design §4 Membership): namespaces and address ranges. Total: bad text is outside every grant.
 * Loopback, link-local, multicast and unspecified addresses are inside one only where the genesis says `lab`.
 */
import { isLabel, SYSTEM_NAMESPACE } from "@hansa/core";
import type { Grant } from "@hansa/events";

/** An address as one number; IPv4 as an unsigned 32-bit one, because one is asked for at every endpoint. */
type Address = { readonly width: 32; readonly bits: number } | { readonly width: 128; readonly bits: bigint };

export type Cidr = Address & { readonly prefix: number };

/** Strict textual IPv4 or IPv6 (RFC 4291, RFC 5952 not required); zones and IPv4-mapped IPv6 are undefined. */
export function parseAddress(text: string): Address | undefined {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

const IPV4 = /^(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})$/;

function parseIpv4(text: string): Address | undefined {
  const match = IPV4.exec(text);
  if (match === null) return undefined;
  let bits = 0;
  for (let part = 1; part <= 4; part++) {
    const value = Number(match[part]);
    if (value > 255) return undefined;
    bits = bits * 256 + value;
  }
  return { bits, width: 32 };
}

function parseIpv6(text: string): Address | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const groupsOf = (half: string | undefined): string[] =>
    half === undefined || half === "" ? [] : half.split(":");
  const head = groupsOf(halves[0]);
  const tail = groupsOf(halves[1]);
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => "0"), ...tail];
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  const bits = groups.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
  return bits >> 32n === 0xffffn ? undefined : { bits, width: 128 };
}

/** `address/prefix` without host bits; undefined for anything else. */
export function parseCidr(text: string): Cidr | undefined {
  const [base = "", length = "", ...rest] = text.split("/");
  const address = parseAddress(base);
  if (address === undefined || rest.length > 0 || !/^(0|[1-9][0-9]{0,2})$/.test(length)) return undefined;
  const prefix = Number(length);
  if (prefix > address.width) return undefined;
  return hasHostBits(address, prefix) ? undefined : { ...address, prefix };
}

const hasHostBits = (address: Address, prefix: number): boolean =>
  address.width === 32
    ? address.bits % 2 ** (32 - prefix) !== 0
    : (address.bits & ((1n << BigInt(128 - prefix)) - 1n)) !== 0n;

function covers(cidr: Cidr, address: Address): boolean {
  if (cidr.width === 32)
    return (
      address.width === 32 &&
      address.bits - cidr.bits >= 0 &&
      address.bits - cidr.bits < 2 ** (32 - cidr.prefix)
    );
  const host = BigInt(128 - cidr.prefix);
  return address.width === 128 && cidr.bits >> host === address.bits >> host;
}

const NEVER_OUTSIDE_LAB: readonly Cidr[] = [
  "0.0.0.0/8",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "224.0.0.0/4",
  "240.0.0.0/4",
  "::/127",
  "fe80::/10",
  "ff00::/8",
].map((text) => parseCidr(text)!);

export function addressGranted(address: string, grant: Pick<Grant, "cidrs">, lab: boolean): boolean {
  const parsed = parseAddress(address);
  if (parsed === undefined) return false;
  if (!lab && NEVER_OUTSIDE_LAB.some((range) => covers(range, parsed))) return false;
  return rangesOf(grant.cidrs).some((cidr) => covers(cidr, parsed));
}

/** A grant is asked for every endpoint; its texts never change. */
const parsedRanges = new WeakMap<readonly string[], readonly Cidr[]>();

function rangesOf(cidrs: readonly string[]): readonly Cidr[] {
  const known = parsedRanges.get(cidrs);
  if (known !== undefined) return known;
  const ranges = cidrs.flatMap((text) => parseCidr(text) ?? []);
  parsedRanges.set(cidrs, ranges);
  return ranges;
}

/** True where `inner` lies wholly in one range of `outer`. */
export function cidrWithin(inner: string, outer: readonly string[]): boolean {
  const parsed = parseCidr(inner);
  if (parsed === undefined) return false;
  return outer.some((text) => {
    const cidr = parseCidr(text);
    return cidr !== undefined && cidr.prefix <= parsed.prefix && covers(cidr, parsed);
  });
}

/** `*` alone grants any namespace but the system's, which nothing grants. */
export function namespaceGranted(namespace: string, grant: Pick<Grant, "namespaces">): boolean {
  if (!isLabel(namespace) || namespace === SYSTEM_NAMESPACE) return false;
  return grant.namespaces.includes("*") || grant.namespaces.includes(namespace);
}

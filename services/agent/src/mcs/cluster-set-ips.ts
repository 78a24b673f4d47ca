/**
 * Cluster-set IPs of one cluster (KEP-1645: the same for the life of a ServiceImport, per importing cluster). Owns which
 * service has which address. An address depends on the service's name where it is free, so that it mostly comes out the
 * same even when every record is lost; once given it stays; once released it rests before anybody else gets it.
 */
import type { IpFamily } from "@hansa/events";
import { addressAt, type IpPool, indexIn } from "./ip-pool.ts";

/** Longer than any client keeps an answer of the cluster's DNS. */
export const RELEASED_REST_MS = 600_000;

export interface ClusterSetIpsOptions {
  /** At most one per family. */
  readonly pools: readonly IpPool[];
  /** Taken by somebody else: inside a Service CIDR, or some Service's own. */
  readonly isTaken: (address: string) => boolean;
}

export interface Assigned {
  /** Families that have an address, in the order asked for; the addresses in the same order. */
  readonly ipFamilies: readonly IpFamily[];
  readonly ips: readonly string[];
  /** Families asked for that this cluster has no pool for. */
  readonly unsupported: readonly IpFamily[];
  /** Families whose pool is used up. */
  readonly exhausted: readonly IpFamily[];
}

export class ClusterSetIps {
  readonly #pools: ReadonlyMap<IpFamily, IpPool>;
  readonly #isTaken: (address: string) => boolean;
  readonly #ofService = new Map<string, Map<IpFamily, string>>();
  readonly #holder = new Map<string, string>();
  /** Address → when it was released and by whom; its last holder gets it back at once. */
  readonly #resting = new Map<string, { readonly key: string; readonly sinceMs: number }>();
  /** +1 for each address that is given or released: tells whether `record` says something else. */
  changeCount = 0;

  constructor({ pools, isTaken }: ClusterSetIpsOptions) {
    this.#pools = new Map(pools.map((pool) => [pool.family, pool]));
    this.#isTaken = isTaken;
  }

  /** What a service had before this process: refused, and so given anew, where it lies elsewhere or has a holder. */
  restore(key: string, ips: readonly string[]): void {
    for (const address of ips) {
      const family = address.includes(":") ? "IPv6" : "IPv4";
      if (this.#ofService.get(key)?.has(family) !== true && this.#isFree(family, address, key))
        this.#hold(key, family, address);
    }
  }

  /** Addresses for these families: those held, and new ones where there are none. Others are released. */
  assign(key: string, families: readonly IpFamily[], nowMs: number): Assigned {
    this.#rested(nowMs);
    const held = this.#ofService.get(key);
    for (const [family, address] of held ?? [])
      if (!families.includes(family) || this.#isTaken(address)) this.#release(key, family, address, nowMs);
    const unsupported = families.filter((family) => !this.#pools.has(family));
    const supported = families.filter((family) => this.#pools.has(family));
    const found = supported.map((family) => [family, this.#addressFor(key, family)] as const);
    return {
      ipFamilies: found.flatMap(([family, address]) => (address === undefined ? [] : [family])),
      ips: found.flatMap(([, address]) => address ?? []),
      unsupported,
      exhausted: found.flatMap(([family, address]) => (address === undefined ? [family] : [])),
    };
  }

  release(key: string, nowMs: number): void {
    for (const [family, address] of this.#ofService.get(key) ?? [])
      this.#release(key, family, address, nowMs);
  }

  /** Nobody holds anything: what was restored is restored anew, from a better source. */
  forget(): void {
    this.#ofService.clear();
    this.#holder.clear();
    this.#resting.clear();
  }

  of(key: string): readonly string[] {
    return [...(this.#ofService.get(key)?.values() ?? [])];
  }

  /** To be kept on disk, for services whose ServiceImport is not there to read. */
  record(): Record<string, readonly string[]> {
    return Object.fromEntries([...this.#ofService.keys()].sort().map((key) => [key, this.of(key)]));
  }

  #addressFor(key: string, family: IpFamily): string | undefined {
    const held = this.#ofService.get(key)?.get(family);
    if (held !== undefined) return held;
    const pool = this.#pools.get(family)!;
    const start = hashOf(`${family} ${key}`) % pool.size;
    for (let step = 0; step < pool.size; step += 1) {
      const address = addressAt(pool, (start + step) % pool.size);
      if (!this.#isFree(family, address, key)) continue;
      this.#hold(key, family, address);
      return address;
    }
    return undefined;
  }

  #isFree(family: IpFamily, address: string, key: string): boolean {
    const pool = this.#pools.get(family);
    if (pool === undefined || indexIn(pool, address) === undefined) return false;
    const resting = this.#resting.get(address);
    return (
      !this.#holder.has(address) && (resting === undefined || resting.key === key) && !this.#isTaken(address)
    );
  }

  #hold(key: string, family: IpFamily, address: string): void {
    this.changeCount += 1;
    const own = this.#ofService.get(key) ?? new Map<IpFamily, string>();
    this.#ofService.set(key, own.set(family, address));
    this.#holder.set(address, key);
    this.#resting.delete(address);
  }

  #release(key: string, family: IpFamily, address: string, nowMs: number): void {
    this.changeCount += 1;
    const own = this.#ofService.get(key);
    own?.delete(family);
    if (own?.size === 0) this.#ofService.delete(key);
    this.#holder.delete(address);
    this.#resting.set(address, { key, sinceMs: nowMs });
  }

  /** In order of release, so only those at the front can have rested enough. */
  #rested(nowMs: number): void {
    for (const [address, { sinceMs }] of this.#resting) {
      if (nowMs - sinceMs < RELEASED_REST_MS) return;
      this.#resting.delete(address);
    }
  }
}

/** FNV-1a, 32 bits: only to spread names over the pool. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0;
  return hash;
}

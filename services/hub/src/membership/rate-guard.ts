/**
 * Who writes faster than granted: token buckets over records and bytes of each source. Pure. Counts only while the hub
 * keeps up, since a backlog arrives faster than it was written.
 */
import type { AccountKey, Clock } from "@hansa/core";
import type { BusRecord, Quotas } from "@hansa/events";

/** Seconds of its rate that a source may use at once: snapshots and restarts come in bursts. */
export const BURST_SECONDS = 10;

interface Bucket {
  records: number;
  bytes: number;
  atMs: number;
}

type Rate = Pick<Quotas, "recordsPerSecond" | "bytesPerSecond">;

export class RateGuard {
  readonly #clock: Clock;
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** True where the source has used up its burst. Entries are as many as members. */
  isAbove(account: string, records: number, bytes: number, rate: Rate): boolean {
    const nowMs = this.#clock.monotonicMs();
    const full = {
      records: rate.recordsPerSecond * BURST_SECONDS,
      bytes: rate.bytesPerSecond * BURST_SECONDS,
    };
    const bucket = this.#buckets.get(account) ?? { ...full, atMs: nowMs };
    const seconds = (nowMs - bucket.atMs) / 1000;
    bucket.records = Math.min(full.records, bucket.records + seconds * rate.recordsPerSecond) - records;
    bucket.bytes = Math.min(full.bytes, bucket.bytes + seconds * rate.bytesPerSecond) - bytes;
    bucket.atMs = nowMs;
    this.#buckets.set(account, bucket);
    return bucket.records < 0 || bucket.bytes < 0;
  }

  forget(account: string): void {
    this.#buckets.delete(account);
  }
}

/** Records and bytes of each account in a batch. */
export function loadOf(
  batch: readonly Pick<BusRecord, "account" | "record">[],
): ReadonlyMap<AccountKey, { readonly records: number; readonly bytes: number }> {
  const loads = new Map<AccountKey, { records: number; bytes: number }>();
  for (const { account, record } of batch) {
    const { records, bytes } = loads.get(account) ?? { records: 0, bytes: 0 };
    loads.set(account, { records: records + 1, bytes: bytes + record.body.length });
  }
  return loads;
}

/** Rate limits: a token bucket per caller. Callers without a valid credential share one small bucket per address. */
import type { Clock } from "@hansa/core";

/** Callers remembered at once; the table starts anew beyond it, which forgives at most one burst each. */
export const CALLERS_MAX = 10_000;

interface Bucket {
  tokens: number;
  atMs: number;
}

export class RateLimit {
  readonly #clock: Clock;
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Clock, perSecond: number, burst: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
    this.#burst = burst;
  }

  /** False where the caller must wait. */
  take(caller: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    let bucket = this.#buckets.get(caller);
    if (bucket === undefined) {
      if (this.#buckets.size >= CALLERS_MAX) this.#buckets.clear();
      bucket = { tokens: this.#burst, atMs: nowMs };
      this.#buckets.set(caller, bucket);
    }
    const refilled = bucket.tokens + ((nowMs - bucket.atMs) / 1000) * this.#perSecond;
    bucket.tokens = Math.min(this.#burst, refilled);
    bucket.atMs = nowMs;
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }
}

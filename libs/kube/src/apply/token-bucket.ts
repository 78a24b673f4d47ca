import { assert } from "@hansa/core";

/** So many a second, and a burst after a rest. Pure. */
export class TokenBucket {
  readonly #perMs: number;
  readonly #burstMax: number;
  #tokens: number;
  #atMs: number;

  constructor(perSecond: number, burstMax: number, nowMs: number) {
    this.#perMs = perSecond / 1000;
    this.#burstMax = burstMax;
    this.#tokens = burstMax;
    this.#atMs = nowMs;
  }

  /** Milliseconds until there is a token; 0 = there is one. */
  waitMs(nowMs: number): number {
    this.#tokens = Math.min(this.#burstMax, this.#tokens + (nowMs - this.#atMs) * this.#perMs);
    this.#atMs = nowMs;
    return this.#tokens >= 1 ? 0 : Math.ceil((1 - this.#tokens) / this.#perMs);
  }

  take(): void {
    assert(this.#tokens >= 1, "a token was taken that is not there");
    this.#tokens -= 1;
  }
}

/** Bounds of what is written to one API server. */

export interface WriteLimits {
  readonly writesPerSecondMax: number;
  readonly burstMax: number;
  readonly atOnceMax: number;
  /** Objects with a write that waits. */
  readonly waitingMax: number;
}

/** One write costs an API server 4 to 5 ms (measured); a burst of 5000 takes 100 s and leaves it three quarters of a core. */
export const WRITE_LIMITS: WriteLimits = {
  writesPerSecondMax: 50,
  burstMax: 100,
  atOnceMax: 8,
  waitingMax: 20_000,
};

export const WRITE_BACKOFF = { firstMs: 200, lastMs: 30_000 };

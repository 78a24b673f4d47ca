/** Exponential back-off with jitter. Pure. */
import type { Random } from "@hansa/core";

export interface Backoff {
  readonly firstMs: number;
  readonly lastMs: number;
}

/** `failures` ≥ 1 in a row so far. Between half of the step and all of it, so that many agents do not come back at once. */
export function backoffMs({ firstMs, lastMs }: Backoff, failures: number, random: Random): number {
  const stepMs = Math.min(lastMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return stepMs * (0.5 + random.float() / 2);
}

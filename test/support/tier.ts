/**
 * How much of a suite this run is to do, and where a soak writes what it saw. `npm test` runs a seeded tenth, `npm run
 * soak` (HANSA_SOAK=1) the full counts.
 */
import { appendFileSync } from "node:fs";

export const SOAK = process.env.HANSA_SOAK === "1";
/** First of the seeds: `npm run soak -- --seed N`. */
export const FIRST_SEED = Number(process.env.HANSA_SOAK_SEED ?? 1);

/** The full count in a soak, a tenth of it otherwise. */
export const share = (fullCount: number): number => (SOAK ? fullCount : Math.ceil(fullCount / 10));

/** A row of the soak's table. */
export interface Kept {
  /** What was promised, in the words of docs/promises.md. */
  readonly promise: string;
  /** What was seen: counts with units. */
  readonly seen: string;
  readonly kept: boolean;
}

/** Tells the soak's table of a promise; outside a soak nobody listens. */
export function tell(row: Kept): void {
  const file = process.env.HANSA_SOAK_REPORT;
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(row)}\n`);
}

/**
 * When a writer says everything again although nobody asked: before its last snapshot is half-way out of the stream
 * (design §3), so that who comes later finds a whole one even where the source is dead by then. The lab's short stream keeps
 * that promise for lanes of some 2000 registers; for larger ones its reader asks the writer.
 */

import { EVENTS_PER_RECORD_MAX } from "../limits.ts";

/** The stream keeps 2048 records of a log in production and 256 in the lab; in between, a snapshot's cost decides. */
const EVERY_MIN = 100;
const EVERY_MAX = 1000;
const COST_FACTOR = 10;
/**
 * A snapshot that nobody waits for leaves changes their room for so many records, or twice as many as it takes alone: what
 * is left then comes without a pause, and readers of a large lane do nothing else for as long.
 */
const [CALM_MIN, CALM_MAX] = [25, 400];
const CALM_FACTOR = 2;

export class SnapshotCadence {
  /** Records formed since the last snapshot began. */
  #since: number;
  /** Records that the last one took alone, or would have. */
  #cost = 0;

  /** `since`: records that may have been formed after the last one. */
  constructor(since: number) {
    this.#since = since;
  }

  /** Of so many registers. */
  began(count: number): void {
    this.#since = 0;
    this.#cost = Math.ceil(count / EVENTS_PER_RECORD_MAX);
  }

  formed(): void {
    this.#since += 1;
  }

  /** The one that has begun has to come to its end, before its beginning is out of the stream. */
  get isLate(): boolean {
    return this.#since >= Math.min(CALM_MAX, Math.max(CALM_MIN, CALM_FACTOR * this.#cost));
  }

  get isDue(): boolean {
    return this.#since >= Math.min(EVERY_MAX, Math.max(EVERY_MIN, COST_FACTOR * this.#cost));
  }
}

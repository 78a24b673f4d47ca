/**
 * Which sources the hub asks for a snapshot: those of whose log it lacks something for good, after a restored backup or
 * a lost stream. Nothing else makes their present state whole again: a source repeats itself only where it changes.
 */
import type { Clock } from "@hansa/core";
import type { Federation } from "@hansa/model";
import type { SeenBeat } from "./beats.ts";

/** A source grants one wish in this time (design §3). */
const ASK_EVERY_MS = 30_000;
/** One that stays degraded all the same, by its own doing, is asked ever less. */
const ASK_EVERY_MAX_MS = 3_600_000;
/** Nobody is asked who is not there to hear it. */
const ALIVE_MS = 10_000;

interface Asked {
  readonly atMs: number;
  readonly waitMs: number;
}

export class SnapshotAsks {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #asked = new Map<string, Asked>();

  constructor(clock: Pick<Clock, "monotonicMs">) {
    this.#clock = clock;
  }

  /** Clusters to ask now; counts as asked. */
  due(fed: Pick<Federation, "members">, seen: readonly SeenBeat[]): string[] {
    const nowMs = this.#clock.monotonicMs();
    const alive = new Set(seen.flatMap(({ cluster, atMs }) => (nowMs - atMs < ALIVE_MS ? [cluster] : [])));
    const due: string[] = [];
    for (const { cluster, degraded } of fed.members()) {
      const before = this.#asked.get(cluster);
      if (!degraded) this.#asked.delete(cluster);
      else if (alive.has(cluster) && (before === undefined || nowMs - before.atMs >= before.waitMs)) {
        const waitMs = before === undefined ? ASK_EVERY_MS : Math.min(2 * before.waitMs, ASK_EVERY_MAX_MS);
        this.#asked.set(cluster, { atMs: nowMs, waitMs });
        due.push(cluster);
      }
    }
    return due;
  }
}

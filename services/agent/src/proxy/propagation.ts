/**
 * When a change has reached all local Envoys: revisions that were built, the changes in them, and the logs' heads they
 * stand for. Feeds the propagation metric and the acked positions of heartbeats (federation §1.10).
 */
import type { Clock, Metrics, Span } from "@hansa/core";
import type { Head } from "@hansa/events";

export const WAITING_MAX = 10_000;

interface Built {
  readonly revision: number;
  readonly heads: readonly Head[];
  /** Source → time of its oldest change in this revision, by that source's clock, ms. */
  readonly sources: ReadonlyMap<string, number>;
  readonly acks: readonly Span[];
}

export class Propagation {
  readonly #clock: Clock;
  readonly #metrics: Metrics;
  readonly #importer: string;
  readonly #heads: () => readonly Head[];
  #waiting: Built[] = [];
  #acked: readonly Head[] = [];
  #begun = false;

  /** `heads`: of the fold now. */
  constructor(options: { clock: Clock; metrics: Metrics; importer: string; heads: () => readonly Head[] }) {
    this.#heads = options.heads;
    this.#clock = options.clock;
    this.#metrics = options.metrics;
    this.#importer = options.importer;
  }

  /**
   * Heads whose whole effect all local Envoys have acknowledged. Where no build waits it is all that is folded: records
   * without effect here (others' endpoints, wants, snapshots) are never built.
   */
  get acked(): readonly Head[] {
    return this.#begun && this.#waiting.length === 0 ? this.#heads() : this.#acked;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** `acks` end when all connected Envoys have acknowledged this revision. */
  built(
    revision: number,
    heads: readonly Head[],
    sources: ReadonlyMap<string, number>,
    acks: readonly Span[],
  ): void {
    this.#begun = true;
    this.#waiting.push({ revision, heads, sources, acks });
    // A proxy that never answers must not hold memory: the oldest waits end unmeasured.
    if (this.#waiting.length > WAITING_MAX) this.#waiting = this.#waiting.slice(-WAITING_MAX / 2);
  }

  /** All connected Envoys have acknowledged everything up to `revision`. */
  reached(revision: number): void {
    let done = 0;
    const nowMs = this.#clock.nowMs();
    for (const built of this.#waiting) {
      if (built.revision > revision) break;
      done += 1;
      this.#acked = built.heads;
      for (const ack of built.acks) ack.end();
      for (const [source, atMs] of built.sources)
        this.#metrics.observe("federation_propagation_seconds", Math.max(0, nowMs - atMs) / 1000, {
          source,
          importer: this.#importer,
        });
    }
    if (done > 0) this.#waiting.splice(0, done);
  }
}

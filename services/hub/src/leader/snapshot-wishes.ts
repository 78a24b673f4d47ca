/** Members' wishes for a snapshot of the hub's log: at most one in 30 s is granted, and none is forgotten (design §3). */
import type { Clock, TimerHandle, Timers } from "@hansa/core";

export const SNAPSHOT_EVERY_MS = 30_000;

export class SnapshotWishes {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #grant: () => void;
  #grantedMs = Number.NEGATIVE_INFINITY;
  #waiting: TimerHandle | undefined;

  constructor(ports: { readonly clock: Clock; readonly timers: Timers }, grant: () => void) {
    this.#clock = ports.clock;
    this.#timers = ports.timers;
    this.#grant = grant;
  }

  wish(): void {
    if (this.#waiting !== undefined) return;
    const waitMs = this.#grantedMs + SNAPSHOT_EVERY_MS - this.#clock.monotonicMs();
    if (waitMs > 0) {
      this.#waiting = this.#timers.after(waitMs, () => {
        this.#waiting = undefined;
        this.wish();
      });
      return;
    }
    this.#grantedMs = this.#clock.monotonicMs();
    this.#grant();
  }

  stop(): void {
    this.#waiting?.cancel();
    this.#waiting = undefined;
  }
}

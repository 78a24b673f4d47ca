/** Wakes those who wait for the archive to grow: at each commit of this process, and on a slow tick for those of others. */
import type { TimerHandle, Timers } from "@hansa/core";

const TICK_MS = 1000;

export class Commits {
  readonly #waiters = new Set<() => void>();
  readonly #tick: TimerHandle;
  #closed = false;

  constructor(timers: Timers) {
    this.#tick = timers.every(TICK_MS, () => this.#wakeAll());
  }

  get closed(): boolean {
    return this.#closed;
  }

  announce(_position: number): void {
    this.#wakeAll();
  }

  /** Resolves at the next commit, tick or close. */
  next(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.add(resolve));
  }

  close(): void {
    this.#closed = true;
    this.#tick.cancel();
    this.#wakeAll();
  }

  #wakeAll(): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const wake of waiters) wake();
  }
}

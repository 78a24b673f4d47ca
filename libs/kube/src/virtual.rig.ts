/** For specs: clock and timers in virtual time, and ports that remember nothing. */
import { noMetrics, silentLog, type TimerHandle } from "@hansa/core";
import type { KubePorts } from "./ports.ts";
import { halfway } from "./reflector/rig.ts";

export class VirtualTime {
  nowMs = 0;
  #timers: { readonly atMs: number; readonly run: () => void; isOver: boolean }[] = [];

  readonly ports: KubePorts = {
    clock: { nowMs: () => this.nowMs, monotonicMs: () => this.nowMs },
    timers: {
      after: (delayMs, run) => this.#after(delayMs, run),
      every: () => {
        throw new Error("no part of this package repeats by itself");
      },
      sleep: (delayMs) => new Promise((resolve) => this.#after(delayMs, resolve)),
    },
    random: halfway,
    log: silentLog,
    metrics: noMetrics,
  };

  /** Runs what is due in order; after each all promises settle. */
  async pass(forMs: number): Promise<void> {
    const endMs = this.nowMs + forMs;
    await settle();
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) {
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.isOver = true;
      next.run();
      await settle();
    }
    this.nowMs = endMs;
  }

  #next(endMs: number): (typeof this.timers)[number] | undefined {
    this.#timers = this.#timers.filter(({ isOver }) => !isOver);
    return this.#timers.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
  }

  get timers(): readonly { readonly atMs: number; readonly run: () => void; isOver: boolean }[] {
    return this.#timers;
  }

  #after(delayMs: number, run: () => void): TimerHandle {
    const timer = { atMs: this.nowMs + delayMs, run, isOver: false };
    this.#timers.push(timer);
    return {
      cancel: () => {
        timer.isOver = true;
      },
    };
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

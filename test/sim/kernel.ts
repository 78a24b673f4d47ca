/**
 * Virtual time. Everything that happens in a simulation is an event of one heap; ties break by the order of scheduling
 * and all chance comes from one seed, so that a seed reproduces a run exactly. Real code runs inside through the ports
 * of @hansa/core; between two events every promise that can settle has settled.
 */
import type { Clock, Random, TimerHandle, Timers } from "@hansa/core";

interface Scheduled {
  readonly atMs: number;
  readonly order: number;
  readonly owner: Machine | undefined;
  readonly run: () => void;
  cancelled: boolean;
}

/** 2026-01-01: wall clocks start here, each machine with its own skew. */
const EPOCH_MS = 1_767_225_600_000;

/** mulberry32: small, fast and good enough to choose faults. */
export function seeded(
  seed: number,
): Random & { below(limit: number): number; chance(probability: number): boolean } {
  let state = seed >>> 0;
  const float = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    float,
    bytes: (count) => Uint8Array.from({ length: count }, () => Math.floor(float() * 256)),
    below: (limit) => Math.floor(float() * limit),
    chance: (probability) => float() < probability,
  };
}

export type Seeded = ReturnType<typeof seeded>;

export class Kernel {
  readonly random: Seeded;
  readonly #seed: number;
  readonly #heap: Scheduled[] = [];
  #order = 0;
  #forks = 0;
  #nowMs = 0;
  #steps = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.random = seeded(seed);
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Of hosts whose clocks are right. */
  readonly wallMs = (): number => Math.floor(EPOCH_MS + this.#nowMs);

  get steps(): number {
    return this.#steps;
  }

  /** A stream of chance of its own: what one part draws does not shift another's. */
  fork(): Seeded {
    this.#forks += 1;
    return seeded(this.#seed * 7919 + this.#forks * 104_729);
  }

  schedule(delayMs: number, run: () => void, owner?: Machine): TimerHandle {
    const event = {
      atMs: this.#nowMs + Math.max(0, delayMs),
      order: this.#order++,
      owner,
      run,
      cancelled: false,
    };
    this.#push(event);
    return {
      cancel: () => {
        event.cancelled = true;
      },
    };
  }

  /** Runs the next event and all that follows from it at once. False where nothing is scheduled. */
  async step(): Promise<boolean> {
    const event = this.#pop();
    if (event === undefined) return false;
    this.#nowMs = event.atMs;
    this.#steps += 1;
    if (event.cancelled || event.owner?.refuses(event.run)) return true;
    event.run();
    await settled();
    return true;
  }

  async runFor(durationMs: number): Promise<void> {
    const endMs = this.#nowMs + durationMs;
    await settled();
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= endMs; next = this.#heap[0])
      await this.step();
    this.#nowMs = endMs;
  }

  async runUntil(what: string, holds: () => boolean, limitMs = 300_000): Promise<void> {
    const endMs = this.#nowMs + limitMs;
    await settled();
    while (!holds()) {
      if (this.#nowMs > endMs || !(await this.step()))
        throw new Error(`at ${this.#nowMs} ms: never came: ${what}`);
    }
  }

  async settle<T>(work: Promise<T>): Promise<T> {
    let done = false;
    void work.then(
      () => {
        done = true;
      },
      () => {
        done = true;
      },
    );
    await this.runUntil("a promise settles", () => done);
    return work;
  }

  #push(event: Scheduled): void {
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (before(heap[parent]!, event)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): Scheduled | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child += 1;
      if (before(last, heap[child]!)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

const before = (a: Scheduled, b: Scheduled): boolean =>
  a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

/** All microtasks have run when the next macrotask does. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** One process: its clocks and timers die with it and stand still while it is stopped. */
export class Machine {
  readonly name: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Seeded;
  /** Of the wall clock; it may jump at any time. */
  skewMs: number;
  readonly #kernel: Kernel;
  #alive = true;
  #held: (() => void)[] | undefined;

  constructor(kernel: Kernel, name: string, skewMs = 0) {
    this.#kernel = kernel;
    this.name = name;
    this.skewMs = skewMs;
    this.random = kernel.fork();
    this.clock = {
      nowMs: () => Math.floor(EPOCH_MS + kernel.nowMs + this.skewMs),
      monotonicMs: () => kernel.nowMs,
    };
    const every = (periodMs: number, run: () => void): TimerHandle => {
      let handle: TimerHandle;
      const tick = (): void => {
        handle = kernel.schedule(periodMs, tick, this);
        run();
      };
      handle = kernel.schedule(periodMs, tick, this);
      return { cancel: () => handle.cancel() };
    };
    this.timers = {
      after: (delayMs, run) => kernel.schedule(delayMs, run, this),
      every,
      sleep: (delayMs) => new Promise((resolve) => kernel.schedule(delayMs, resolve, this)),
    };
  }

  get alive(): boolean {
    return this.#alive;
  }

  get paused(): boolean {
    return this.#held !== undefined;
  }

  kill(): void {
    this.#alive = false;
    this.#held = undefined;
  }

  pause(): void {
    this.#held ??= [];
  }

  /** What was due meanwhile happens now, in its order. */
  resume(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const run of held) this.#kernel.schedule(0, run, this);
  }

  /** True where the event must not run now: dropped when dead, kept when stopped. */
  refuses(run: () => void): boolean {
    if (!this.#alive) return true;
    if (this.#held === undefined) return false;
    this.#held.push(run);
    return true;
  }
}

/**
 * The way from a hub to its archive in virtual time. A write that was sent may take effect although its sender died, and
 * its answer may never come: then the sender only knows that it does not know (HSA2011).
 */
import { HansaError } from "@hansa/core";
import type { Kernel, Machine, Seeded } from "../kernel.ts";
import type { ArchiveLink } from "./memory-archive.ts";

const AWAY_MS = 20;

/** Of all hubs' links. */
export interface ArchiveFaults {
  up: boolean;
  delayMaxMs: number;
  /** Probability per write. */
  loseAnswer: number;
}

const away = (): HansaError => new HansaError("HSA2011", "sim: the archive is away");

export class SimArchiveLink implements ArchiveLink {
  readonly #kernel: Kernel;
  readonly #machine: Machine;
  readonly #random: Seeded;
  readonly #faults: ArchiveFaults;
  /** Its sender dies around a write. */
  #trap: { writes: number; readonly takesEffect: boolean; readonly die: () => void } | undefined;

  constructor(kernel: Kernel, machine: Machine, faults: ArchiveFaults) {
    this.#kernel = kernel;
    this.#machine = machine;
    this.#random = kernel.fork();
    this.#faults = faults;
  }

  get #delayMs(): number {
    return this.#random.float() * this.#faults.delayMaxMs;
  }

  /** After so many more writes, right before or right after one takes effect. */
  dieAtWrite(writes: number, takesEffect: boolean, die: () => void): void {
    this.#trap = { writes, takesEffect, die };
  }

  live(): void {
    this.#trap = undefined;
  }

  /** True where the write that arrives now is the last thing, and does not take effect. */
  #springs(): boolean {
    const trap = this.#trap;
    if (trap === undefined) return false;
    trap.writes -= 1;
    if (trap.writes >= 0) return false;
    this.#trap = undefined;
    trap.die();
    return !trap.takesEffect;
  }

  read<Result>(work: () => Result): Promise<Result> {
    return new Promise((resolve, reject) => {
      const arrive = () => {
        if (!this.#faults.up) return this.#refuse(reject);
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
      };
      this.#kernel.schedule(this.#delayMs, arrive, this.#machine);
    });
  }

  write<Result>(work: () => Result): Promise<Result> {
    return new Promise((resolve, reject) => {
      const arrive = () => {
        if (!this.#machine.alive && this.#random.chance(0.5)) return;
        if (!this.#faults.up) return this.#refuse(reject);
        if (this.#springs()) return;
        try {
          this.#answer(work(), resolve, reject);
        } catch (error) {
          this.later(() => reject(error));
        }
      };
      this.#kernel.schedule(this.#delayMs, arrive);
    });
  }

  decide<Result>(work: () => Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      const arrive = () => {
        if (!this.#faults.up) return this.#refuse(reject);
        if (this.#springs()) return;
        work().then(
          (result) => this.#answer(result, resolve, reject),
          (error) => this.later(() => reject(error)),
        );
      };
      this.#kernel.schedule(this.#delayMs, arrive, this.#machine);
    });
  }

  later(run: () => void): void {
    this.#kernel.schedule(this.#delayMs, run, this.#machine);
  }

  #answer<Result>(result: Result, resolve: (result: Result) => void, reject: (error: unknown) => void): void {
    if (this.#random.chance(this.#faults.loseAnswer)) this.#refuse(reject);
    else this.later(() => resolve(result));
  }

  #refuse(reject: (error: unknown) => void): void {
    this.#kernel.schedule(AWAY_MS, () => reject(away()), this.#machine);
  }
}

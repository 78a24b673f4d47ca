/**
 * How fast builds follow one another while more waits than one build takes on. Owns the wait; what is built meanwhile is
 * the plane's to say.
 */
import type { TimerHandle, Timers } from "@hansa/core";

/** An Envoy that does not answer holds up what is left over of a build for so long. */
export const ENVOYS_WAIT_MS = 20;

export class Pace {
  readonly #timers: Timers;
  readonly #go: () => void;
  #timer: TimerHandle | undefined;

  /** `go`: the next build may begin. */
  constructor(timers: Timers, go: () => void) {
    this.#timers = timers;
    this.#go = go;
  }

  /** What is left over of a build waits for the Envoys. */
  get isWaiting(): boolean {
    return this.#timer !== undefined;
  }

  /**
   * A build has left something over. It goes on when the Envoys have taken in what was built, so that a small change never
   * queues behind it there; `atOnce` where nobody has to, in a turn of the loop of its own.
   */
  leftOver(atOnce: boolean): void {
    this.#timer ??= this.#timers.after(atOnce ? 0 : ENVOYS_WAIT_MS, () => this.#end());
  }

  /** The Envoys have acknowledged everything. Not for the end of a build: builds would follow each other without a turn. */
  answered(): void {
    if (this.#timer === undefined) return;
    this.#timer.cancel();
    this.#end();
  }

  #end(): void {
    this.#timer = undefined;
    this.#go();
  }
}

/**
 * Which write goes next: one per object at a time, the newest, in the order in which objects began to wait. Owns what waits; sends
 * nothing. Pure.
 */
import { assert } from "@hansa/core";

export class WriteQueue<T> {
  readonly #waitingMax: number;
  readonly #waiting = new Map<string, T>();
  /** Before this time a slot that failed is left alone. */
  readonly #notBeforeMs = new Map<string, number>();
  readonly #sent = new Set<string>();

  constructor(waitingMax: number) {
    this.#waitingMax = waitingMax;
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  get sentCount(): number {
    return this.#sent.size;
  }

  /** Answers the older write that this one replaces; "full" where it cannot be kept. */
  put(slot: string, item: T): { readonly replaced: T | undefined } | "full" {
    const replaced = this.#waiting.get(slot);
    if (replaced === undefined && this.#waiting.size >= this.#waitingMax) return "full";
    this.#waiting.set(slot, item);
    return { replaced };
  }

  /** The next one, which counts as sent until `done` or `failed`; undefined where none may go now. */
  next(nowMs: number): { readonly slot: string; readonly item: T } | undefined {
    for (const [slot, item] of this.#waiting) {
      if (this.#sent.has(slot) || (this.#notBeforeMs.get(slot) ?? 0) > nowMs) continue;
      this.#waiting.delete(slot);
      this.#notBeforeMs.delete(slot);
      this.#sent.add(slot);
      return { slot, item };
    }
    return undefined;
  }

  done(slot: string): void {
    assert(this.#sent.delete(slot), `${slot}: was not sent`);
  }

  /** To be sent again at `notBeforeMs`, unless a newer one waits: then answers false. */
  failed(slot: string, item: T, notBeforeMs: number): boolean {
    this.done(slot);
    if (notBeforeMs > 0) this.#notBeforeMs.set(slot, notBeforeMs);
    if (this.#waiting.has(slot)) return false;
    this.#waiting.set(slot, item);
    return true;
  }

  /** When something that failed may go again; undefined where nothing waits for its time. */
  wakeMs(): number | undefined {
    let earliest: number | undefined;
    for (const atMs of this.#notBeforeMs.values())
      earliest = earliest === undefined ? atMs : Math.min(earliest, atMs);
    return earliest;
  }

  /** Everything that waits, which is forgotten. */
  drain(): T[] {
    const items = [...this.#waiting.values()];
    this.#waiting.clear();
    this.#notBeforeMs.clear();
    return items;
  }
}

/**
 * What was written and not yet seen to have come about. Keeps one write from being sent twice while the API server's answer
 * is on its way, and ends a quarrel with somebody who undoes it each time.
 */
import { canonicalJson } from "@hansa/core";
import { textOf, type Write } from "@hansa/kube";

/** Times that the same write of one object is sent although the object has changed since. */
export const REPEATS_MAX = 5;

interface Sent {
  readonly text: string;
  /** The object as it was known when it was sent. */
  readonly actual: unknown;
  readonly count: number;
}

export interface Due {
  readonly writes: readonly Write[];
  /** Objects given up on, until something else is wanted of them. Each is told once. */
  readonly contested: readonly string[];
}

export class SentWrites {
  /** Service → object → last write. */
  readonly #sent = new Map<string, ReadonlyMap<string, Sent>>();

  /** Of the writes that a service needs, those to send now. `actualOf` answers the known object that a write changes. */
  due(service: string, writes: readonly Write[], actualOf: (write: Write) => unknown): Due {
    const before = this.#sent.get(service);
    const now = new Map<string, Sent>();
    const due: Write[] = [];
    const contested: string[] = [];
    for (const write of writes) {
      const slot = textOf(write.target);
      const last = before?.get(slot);
      const text = textOfWrite(write);
      const actual = actualOf(write);
      const repeats = last?.text === text ? last.count : 0;
      const underWay = repeats > 0 && last?.actual === actual;
      if (!underWay && repeats < REPEATS_MAX) due.push(write);
      if (!underWay && repeats === REPEATS_MAX) contested.push(slot);
      now.set(slot, { text, actual, count: underWay ? repeats : repeats + 1 });
    }
    if (now.size === 0) this.#sent.delete(service);
    else this.#sent.set(service, now);
    return { writes: due, contested };
  }

  /** It did not go out: whatever is wanted next is sent. */
  forget(service: string): void {
    this.#sent.delete(service);
  }

  clear(): void {
    this.#sent.clear();
  }
}

/** Without times of transitions: those are of the moment at which a write is planned. */
const textOfWrite = (write: Write): string =>
  canonicalJson(write).replace(/"lastTransitionTime":"[^"]*"/g, "");

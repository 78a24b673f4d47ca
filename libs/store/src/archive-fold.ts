/**
 * A fold that follows the archive in the order of its commits. Live projection and every replay go through this one
 * class, so that a question about the past gets the answer that held then. Records behind a hole wait here, as they do
 * in every agent, until the hole is filled or given up.
 */

import type { AccountKey, Code } from "@hansa/core";
import type { Event, Lane, Position, WireRecord } from "@hansa/events";
import { type ApplyOutcome, Federation, type FederationOptions, type RegisterRef } from "@hansa/model";

export interface FeedRecord {
  readonly record: WireRecord;
  readonly account: AccountKey;
  readonly lane: Lane;
}

export interface FeedResult {
  readonly changed: readonly RegisterRef[];
  /** What the fold did with the record itself. */
  readonly outcome: ApplyOutcome["kind"];
  readonly quarantined: { readonly code: Code; readonly message: string } | null;
  /** What the record says, where the fold has decoded it. */
  readonly events: readonly Event[];
}

interface Waiting extends FeedRecord {
  readonly trusted: boolean;
}

/** Records held behind holes of one log; beyond it the oldest hole must be given up or filled from the archive. */
export const WAITING_PER_LOG_MAX = 2048;

const isBefore = (a: Position, b: Position): boolean =>
  a.epoch < b.epoch || (a.epoch === b.epoch && a.seq < b.seq);

export class ArchiveFold {
  readonly fed: Federation;
  /** `<account> <lane>` → records behind a hole, in the order of the log. */
  readonly #waiting = new Map<string, Waiting[]>();
  /** `<account> <lane>` → records that the fold parked, should it meet a hole when it takes them up. */
  readonly #parked = new Map<string, Waiting[]>();

  constructor(fed: Federation) {
    this.fed = fed;
  }

  static empty(options: FederationOptions): ArchiveFold {
    return new ArchiveFold(new Federation(options));
  }

  feed(item: FeedRecord, trusted: boolean): FeedResult {
    const outcome = this.fed.apply(item, { trusted });
    const id = `${item.account} ${item.lane}`;
    if (outcome.kind === "gap") this.#wait(id, { ...item, trusted });
    if (outcome.kind === "parked") this.#park(id, { ...item, trusted });
    const changed = [...changesOf(outcome)];
    if (outcome.kind === "applied")
      for (const { source, lane } of outcome.gaps) changed.push(...this.#unpark(`${source} ${lane}`));
    if (outcome.kind === "applied" || outcome.kind === "quarantined") changed.push(...this.#retry(id, false));
    if (this.#parked.size > 0 && this.fed.parkedCount === 0) this.#parked.clear();
    return {
      changed,
      outcome: outcome.kind,
      quarantined: outcome.kind === "quarantined" ? { code: outcome.code, message: outcome.message } : null,
      events: outcome.kind === "applied" ? outcome.events : [],
    };
  }

  /** The hole before the waiting records of this log is given up. */
  giveUp(account: AccountKey, lane: Lane): readonly RegisterRef[] {
    return this.#retry(`${account} ${lane}`, true);
  }

  /** True while a dump would lose something that is held aside. */
  get holdsAside(): boolean {
    return this.#waiting.size > 0 || this.fed.parkedCount > 0;
  }

  #park(id: string, item: Waiting): void {
    const list = this.#parked.get(id) ?? [];
    this.#parked.set(id, [...list, item].slice(0, WAITING_PER_LOG_MAX));
  }

  /** What the fold let go when it met a hole among parked records waits here for the hole. */
  #unpark(id: string): RegisterRef[] {
    for (const item of this.#parked.get(id) ?? []) this.#wait(id, item);
    this.#parked.delete(id);
    return this.#retry(id, false);
  }

  #wait(id: string, item: Waiting): void {
    const list = this.#waiting.get(id) ?? [];
    list.push(item);
    list.sort((a, b) => (isBefore(a.record.header, b.record.header) ? -1 : 1));
    this.#waiting.set(id, list.slice(0, WAITING_PER_LOG_MAX));
  }

  #retry(id: string, acceptGap: boolean): RegisterRef[] {
    const changed: RegisterRef[] = [];
    let list = this.#waiting.get(id) ?? [];
    let accept = acceptGap;
    for (const item of list) {
      const outcome = this.fed.apply(item, { trusted: item.trusted, acceptGap: accept });
      if (outcome.kind === "gap") break;
      accept = false;
      changed.push(...changesOf(outcome));
      list = list.slice(1);
    }
    if (list.length === 0) this.#waiting.delete(id);
    else this.#waiting.set(id, list);
    return changed;
  }
}

const changesOf = (outcome: ApplyOutcome): readonly RegisterRef[] =>
  outcome.kind === "applied" || outcome.kind === "quarantined" ? outcome.changed : [];

/** Where this reader stands in the stream: overall and per log. Pure bookkeeping. */
import type { BusRecord } from "@hansa/events";

export interface CursorState {
  readonly incarnation: string;
  /** Everything up to here was offered to the fold once, or shows as a hole of its log. */
  readonly highest: number;
  readonly logs: readonly (readonly [log: string, streamSeq: number])[];
}

export const logName = (record: Pick<BusRecord, "account" | "lane">): string =>
  `${record.account} ${record.lane}`;

export class Cursors {
  #incarnation = "";
  #highest = 0;
  readonly #logs = new Map<string, number>();

  constructor(state?: CursorState) {
    if (state === undefined) return;
    this.#incarnation = state.incarnation;
    this.#highest = state.highest;
    for (const [log, streamSeq] of state.logs) this.#logs.set(log, streamSeq);
  }

  get highest(): number {
    return this.#highest;
  }

  /** A new stream voids all positions. Answers whether it is one. */
  begin(incarnation: string): boolean {
    if (incarnation === this.#incarnation) return false;
    this.#incarnation = incarnation;
    this.#highest = 0;
    this.#logs.clear();
    return true;
  }

  of(log: string): number {
    return this.#logs.get(log) ?? 0;
  }

  /** True where messages of this log between the last one heard and `record` were not heard. */
  skips(record: BusRecord): boolean {
    return record.previousStreamSeq > this.of(logName(record));
  }

  /** This log is to be read from its beginning; the place in the stream stays. */
  forget(log: string): void {
    this.#logs.delete(log);
  }

  heard(record: BusRecord): void {
    const log = logName(record);
    if (record.streamSeq > this.of(log)) this.#logs.set(log, record.streamSeq);
    if (record.streamSeq > this.#highest) this.#highest = record.streamSeq;
  }

  state(): CursorState {
    return { incarnation: this.#incarnation, highest: this.#highest, logs: [...this.#logs] };
  }
}

/**
 * Brings the fold up to the stream and keeps it there: bootstrap, live tail, holes filled from the stream, holes that
 * cannot be filled accepted with their source marked degraded. A hole of one log never delays another log.
 */
import type { AccountKey } from "@hansa/core";
import type { BusRecord, Lane, LogBus } from "@hansa/events";
import type { Federation, LogGap, RegisterRef } from "@hansa/model";
import type { Ports } from "../ports.ts";
import { type CursorState, Cursors, logName } from "./cursors.ts";

const READ_MAX = 256;
/** Live records of one log that wait behind a fill; beyond it they are dropped and read again. */
export const WAITING_MAX = 4096;
const RETRY_MS = 1000;
/** A log whose heads go further than the stream is read again from its beginning, ever more rarely while it is in vain. */
const REWIND_FIRST_MS = 5000;
const REWIND_MAX_MS = 600_000;

export interface FollowerOptions {
  readonly fed: Federation;
  readonly bus: LogBus;
  readonly ports: Pick<Ports, "clock" | "timers" | "log" | "metrics" | "tracer">;
  readonly restored?: CursorState | undefined;
  /** `traceparent`: of the fold; empty where it is not traced. */
  readonly onChanged: (changed: readonly RegisterRef[], traceparent: string) => void;
  /** The fold has taken a record that it did not hold; called before `onChanged`. */
  readonly onFolded: (record: BusRecord) => void;
  /** A record of this account verified: control evidence (federation §1.6 A). */
  readonly onHeard: (record: BusRecord) => void;
  /** The stream is another than before (wiped, or never seen): it holds nothing of the own log that is not written again. */
  readonly onNewStream: () => void;
  /** Everything that the stream holds was read. */
  readonly onSynced: () => void;
}

interface LogState {
  readonly account: AccountKey;
  readonly lane: Lane;
  filling: boolean;
  waiting: BusRecord[];
  rewindWaitMs: number;
  rewindAtMs: number;
}

export class Follower {
  readonly #options: FollowerOptions;
  readonly #cursors: Cursors;
  readonly #logs = new Map<string, LogState>();
  #syncing = false;
  #syncAgain = false;
  #synced = false;
  #stopped = false;
  #stops: (() => void)[] = [];

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#cursors = new Cursors(options.restored);
  }

  /** True once the stream was read to its end. */
  get synced(): boolean {
    return this.#synced;
  }

  cursors(): CursorState {
    return this.#cursors.state();
  }

  async start(): Promise<void> {
    const { bus } = this.#options;
    this.#stops.push(await bus.tail((record) => this.#live(record)));
    this.#stops.push(bus.connection((up) => (up ? this.#resync() : undefined)));
  }

  stop(): void {
    this.#stopped = true;
    for (const stop of this.#stops.splice(0)) stop();
  }

  /** An own record that the stream has stored: needs no way round. */
  own(record: BusRecord): void {
    this.#live(record);
  }

  /** Heads or released records say that this log goes further than what is held. */
  fill(gap: Pick<LogGap, "source" | "lane">): void {
    const log = this.#log({ account: gap.source, lane: gap.lane });
    if (!log.filling) void this.#fill(log, true);
  }

  #log(of: Pick<BusRecord, "account" | "lane">): LogState {
    const name = logName(of);
    const known = this.#logs.get(name);
    if (known !== undefined) return known;
    const log: LogState = {
      account: of.account,
      lane: of.lane,
      filling: false,
      waiting: [],
      rewindWaitMs: REWIND_FIRST_MS,
      rewindAtMs: Number.NEGATIVE_INFINITY,
    };
    this.#logs.set(name, log);
    return log;
  }

  #live(record: BusRecord): void {
    const log = this.#log(record);
    if (log.filling) {
      if (log.waiting.length < WAITING_MAX) log.waiting.push(record);
      return;
    }
    if (this.#cursors.skips(record) || !this.#apply(record)) {
      log.waiting.push(record);
      void this.#fill(log);
    }
  }

  /** False where the fold wants what lies before this record. */
  #apply(record: BusRecord, acceptGap = false): boolean {
    const { fed, ports } = this.#options;
    const span = ports.tracer?.below(record.record.header.traceparent, "fold", { lane: record.lane });
    const outcome = fed.apply(record, acceptGap ? { acceptGap } : {});
    span?.end();
    if (outcome.kind === "gap") return false;
    this.#cursors.heard(record);
    if (outcome.kind !== "duplicate" && outcome.kind !== "stale") this.#options.onFolded(record);
    const source = this.#nameOf(record.account);
    ports.metrics.count("hansa_records_total", { source, outcome: outcome.kind });
    if (outcome.kind === "applied") this.#options.onHeard(record);
    if (outcome.kind === "applied") this.#log(record).rewindWaitMs = REWIND_FIRST_MS;
    if (outcome.kind === "quarantined") {
      ports.metrics.count("hansa_quarantined_total", { source, code: outcome.code });
      ports.log.warn("follow: a record is quarantined", {
        code: outcome.code,
        source,
        lane: record.lane,
        epoch: record.record.header.epoch,
        seq: record.record.header.seq,
        reason: outcome.message,
      });
    }
    if ("changed" in outcome && outcome.changed.length > 0)
      this.#options.onChanged(outcome.changed, span?.traceparent ?? "");
    if (outcome.kind === "applied") for (const gap of outcome.gaps) this.fill(gap);
    return true;
  }

  #nameOf(account: AccountKey): string {
    return this.#options.fed.source(account)?.cluster ?? "unknown";
  }

  /** Reads one log from where it stands to its end, then what waited meanwhile. `missing`: something must be there. */
  async #fill(log: LogState, missing = false): Promise<void> {
    let found = !missing;
    log.filling = true;
    try {
      while (!this.#stopped) {
        const from = this.#cursors.of(logName(log)) + 1;
        let records: BusRecord[];
        try {
          records = await this.#options.bus.read(log, from, READ_MAX);
        } catch {
          // The bus is away: the next connection reads everything that is missing.
          log.waiting = [];
          return;
        }
        // The stream itself is contiguous: what the fold still misses has left it for good.
        for (const record of records) if (!this.#apply(record)) this.#apply(record, true);
        found ||= records.length > 0;
        if (records.length < READ_MAX && (found || !this.#rewind(log))) break;
        if (records.length < READ_MAX) found = true;
      }
      for (const record of log.waiting.splice(0))
        if (record.streamSeq > this.#cursors.of(logName(log)) && !this.#apply(record))
          this.#apply(record, true);
    } finally {
      log.filling = false;
    }
  }

  /**
   * What was heard may be missing in the fold all the same: records parked for a membership are dropped beyond a bound,
   * by a restart, and where their beginning was missing. True where the log is to be read from its beginning.
   */
  #rewind(log: LogState): boolean {
    const nowMs = this.#options.ports.clock.monotonicMs();
    if (nowMs < log.rewindAtMs) return false;
    log.rewindAtMs = nowMs + log.rewindWaitMs;
    log.rewindWaitMs = Math.min(REWIND_MAX_MS, 2 * log.rewindWaitMs);
    this.#cursors.forget(logName(log));
    return true;
  }

  #resync(): void {
    if (this.#syncing) {
      this.#syncAgain = true;
      return;
    }
    this.#syncing = true;
    void this.#sync().finally(() => {
      this.#syncing = false;
      if (this.#syncAgain && !this.#stopped) {
        this.#syncAgain = false;
        this.#resync();
      }
    });
  }

  async #sync(): Promise<void> {
    const { bus, ports } = this.#options;
    try {
      const fresh = this.#cursors.begin(await bus.incarnation());
      if (fresh) this.#options.onNewStream();
      const startMs = ports.clock.monotonicMs();
      const count = await this.#readAll(this.#cursors.highest + 1);
      this.#synced = true;
      this.#options.onSynced();
      ports.log.info("follow: the stream is read to its end", {
        records: count,
        fresh,
        ms: Math.round(ports.clock.monotonicMs() - startMs),
      });
    } catch (error) {
      ports.log.info("follow: the stream cannot be read yet", { reason: String(error) });
      await ports.timers.sleep(RETRY_MS);
      this.#syncAgain = true;
    }
  }

  async #readAll(start: number): Promise<number> {
    let from = start;
    let count = 0;
    while (!this.#stopped) {
      const records = await this.#options.bus.read(null, from, READ_MAX);
      for (const record of records) this.#bulk(record);
      count += records.length;
      const last = records.at(-1);
      if (last === undefined || records.length < READ_MAX) return count;
      from = last.streamSeq + 1;
    }
    return count;
  }

  /**
   * A record read in stream order. On a first read what lies before has aged out of the stream; on a later one it was
   * never heard: then it is filled.
   */
  #bulk(record: BusRecord): void {
    const log = this.#log(record);
    if (log.filling || (this.#cursors.skips(record) && this.#cursors.of(logName(record)) > 0)) {
      this.#live(record);
      return;
    }
    if (!this.#apply(record)) this.#apply(record, true);
  }
}

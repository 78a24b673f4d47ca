/**
 * Publishes one lane: one record in flight, the outcome of every publish decided by what the subject then holds.
 * Never gives up; while the bus is away it waits and the writer coalesces.
 */
import type { BusRecord, Lane, LaneWriter, LogBus, Position, WireRecord } from "@hansa/events";
import type { Ports } from "../ports.ts";
import type { Held } from "./known-epochs.ts";
import type { Outbox } from "./outbox.ts";

const RETRY_FIRST_MS = 50;
const RETRY_MAX_MS = 2000;
/** A rival with a higher epoch writes: look again this much later (HSA2003). */
const FENCED_MS = 10_000;
/** A claim that the own log goes further is looked into at most this often: each can cost a snapshot. */
const CLAIM_MS = 15_000;
/** Between parts of a snapshot that nobody waits for: many times what bus, hub and readers take for one. */
const CALM_MS = 100;

export interface LanePublisherOptions {
  readonly lane: Lane;
  readonly writer: LaneWriter;
  readonly bus: LogBus;
  readonly outbox: Outbox;
  readonly ports: Pick<Ports, "clock" | "timers" | "log" | "metrics" | "random">;
  /** The record is on the stream. */
  readonly onStored: (record: BusRecord) => void;
  /** Highest epoch of this lane that others' verified heads name. */
  readonly highestEpoch: (held: Held) => Promise<number>;
}

const isBeyond = (a: Position, b: Position): boolean =>
  a.epoch > b.epoch || (a.epoch === b.epoch && a.seq > b.seq);

export class LanePublisher {
  readonly #options: LanePublisherOptions;
  #running = false;
  #again = false;
  #offered: Promise<unknown> = Promise.resolve();
  #endRest: (() => void) | undefined;
  #stopped = false;
  #elected = false;
  #delayMs = RETRY_FIRST_MS;
  #claim: Position | undefined;
  #claimedMs = Number.NEGATIVE_INFINITY;

  constructor(options: LanePublisherOptions) {
    this.#options = options;
  }

  elected(yes: boolean): void {
    this.#elected = yes;
    this.kick();
  }

  stop(): void {
    this.#stopped = true;
    this.#endRest?.();
  }

  /** A peer holds a record of this lane at `position`. Where that was never written here, this writer lost its memory. */
  claimed(position: Position): void {
    const { writer, ports } = this.#options;
    const nowMs = ports.clock.monotonicMs();
    if (writer.mode !== "open" || !isBeyond(position, writer.position())) return;
    if (nowMs - this.#claimedMs < CLAIM_MS) return;
    this.#claimedMs = nowMs;
    this.#claim = position;
    this.kick();
  }

  /** Something may be waiting: publish it now, unless a record is in flight. */
  kick(): void {
    if (this.#stopped || !this.#elected) return;
    this.#again = this.#running;
    this.#endRest?.();
    if (this.#running) return;
    this.#running = true;
    void this.#run().finally(() => {
      this.#running = false;
      // Asked for between the last look and here.
      if (this.#again) this.kick();
    });
  }

  /** The record that is on its way, if any, has its outcome, good or bad. */
  get offered(): Promise<unknown> {
    return this.#offered;
  }

  async #run(): Promise<void> {
    const { writer, outbox, ports, lane } = this.#options;
    while (!this.#stopped && this.#elected) {
      if (writer.mode !== "open" && !(await this.#open())) continue;
      if (this.#claim !== undefined) await this.#look(this.#claim);
      const next = writer.next();
      if (next === null) return;
      outbox.append(next.record, writer.position());
      const startMs = ports.clock.monotonicMs();
      const publishing = this.#options.bus.publish(next.record, next.expectedStreamSeq);
      this.#offered = publishing;
      const outcome = await publishing;
      if (outcome.kind === "stored") {
        ports.metrics.observe("hansa_publish_seconds", (ports.clock.monotonicMs() - startMs) / 1000, {
          lane,
        });
        this.#delayMs = RETRY_FIRST_MS;
        this.#stored(next.record, outcome.streamSeq, next.expectedStreamSeq);
        if (next.isCalm && writer.pendingCount === 0) await this.#rest();
        continue;
      }
      if (outcome.kind === "refused") ports.metrics.count("hansa_publish_refused_total", { lane });
      await this.#decide(next.record, outcome.kind === "refused" ? "refused" : outcome.reason);
    }
  }

  /** Until it is over, or something is to be said. */
  #rest(): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#options.ports.timers.after(CALM_MS, () => this.#endRest?.());
      this.#endRest = () => {
        this.#endRest = undefined;
        timer.cancel();
        resolve();
      };
    });
  }

  #stored(record: WireRecord, streamSeq: number, previousStreamSeq: number): void {
    const { writer, bus, ports, lane } = this.#options;
    writer.stored(streamSeq);
    ports.metrics.count("hansa_published_total", { lane });
    this.#options.onStored({ record, account: bus.account, lane, streamSeq, previousStreamSeq });
  }

  /** Takes the lane: after an election, and again after a rival was seen. False where it could not, or may no more. */
  async #open(): Promise<boolean> {
    const { bus, lane, ports, writer, highestEpoch } = this.#options;
    const fenced = writer.mode === "fenced";
    if (fenced) await ports.timers.sleep(FENCED_MS * (0.75 + ports.random.float() / 2));
    try {
      const last = await bus.lastOwn(lane);
      const highest = await highestEpoch(last === null ? "none" : "some");
      // The wait was long: who is elected no more leaves the lane to whom it fenced by taking it.
      if (!this.#elected || this.#stopped) return false;
      const how = writer.open(last, highest);
      ports.log.info("log: lane taken", { lane, how, epoch: writer.position().epoch, afterRival: fenced });
      return true;
    } catch {
      await this.#pause();
      return false;
    }
  }

  /** Writing on below what peers hold would say other things at the same positions: go above. A rival is the fence's. */
  async #look(claim: Position): Promise<void> {
    const { writer, bus, lane, ports } = this.#options;
    this.#claim = undefined;
    const last = await bus.lastOwn(lane).catch(() => undefined);
    const position = writer.position();
    if (last === undefined || (last !== null && isBeyond(last.record.header, position))) return;
    ports.log.warn("log: peers hold more of this log than was ever written here", { lane, ...claim });
    writer.startEpoch(claim.epoch);
  }

  /** Reads the subject's last record until it answers, and lets the writer judge by it. */
  async #decide(record: WireRecord, reason: string): Promise<void> {
    const { bus, lane, ports, writer } = this.#options;
    while (!this.#stopped) {
      await this.#pause();
      let last: BusRecord | null;
      let highest = 0;
      try {
        last = await bus.lastOwn(lane);
        if ((last?.record.header.epoch ?? 0) < record.header.epoch) {
          highest = await this.#options.highestEpoch("less");
          // That takes seconds: behind a rival who writes all the time an old place is never free.
          last = await bus.lastOwn(lane);
        }
      } catch {
        continue;
      }
      const verdict = writer.refused(last, highest);
      const fields = {
        lane,
        reason,
        epoch: record.header.epoch,
        seq: record.header.seq,
        lastEpoch: last?.record.header.epoch ?? null,
        lastSeq: last?.record.header.seq ?? null,
        verdict,
      };
      if (verdict === "fenced")
        ports.log.error("log: another writer of this cluster has taken over", { code: "HSA2003", ...fields });
      else ports.log.info("log: publish was not confirmed", fields);
      return;
    }
  }

  async #pause(): Promise<void> {
    const { timers, random } = this.#options.ports;
    await timers.sleep(this.#delayMs * (0.5 + random.float()));
    this.#delayMs = Math.min(RETRY_MAX_MS, this.#delayMs * 2);
  }
}

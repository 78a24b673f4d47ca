/**
 * The hub's own log: outbox → LaneWriter → bus. A command's events are in Postgres before they are signed; a row leaves
 * the outbox only when the record that carries it is archived. One record is in flight at a time.
 */
import { HansaError } from "@hansa/core";
import {
  currentVersion,
  epochFloor,
  type Head,
  type LanePosition,
  LaneWriter,
  type RegisterEvent,
} from "@hansa/events";
import type { Federation } from "@hansa/model";
import { OUTBOX_EVENTS_MAX } from "@hansa/store";
import type { LeaderContext } from "../context.ts";
import type { Recovered } from "./recovery.ts";

const LANE = "sum";
const RETRY_MS = 500;

interface Waiter {
  readonly outboxId: number;
  readonly resolve: (position: Head) => void;
  readonly reject: (error: unknown) => void;
}

const isAtOrAfter = (a: Head, b: Head): boolean =>
  a.epoch > b.epoch || (a.epoch === b.epoch && a.seq >= b.seq);

export class OwnLane {
  readonly #hub: LeaderContext;
  readonly #leaderEpoch: number;
  readonly #writer: LaneWriter;
  readonly #onFenced: () => void;
  #taken = 0;
  /** Outbox rows up to `outboxId` are in the log up to `head`. */
  #published: { outboxId: number; head: Head } | null = null;
  #waiters: Waiter[] = [];
  #running: Promise<void> | null = null;
  #again = false;
  /** A record is in flight of which nobody knows yet whether the stream has it. */
  #inDoubt = false;
  #stopped = false;

  private constructor(hub: LeaderContext, leaderEpoch: number, writer: LaneWriter, onFenced: () => void) {
    this.#hub = hub;
    this.#leaderEpoch = leaderEpoch;
    this.#writer = writer;
    this.#onFenced = onFenced;
  }

  /** Each leader writes at an epoch of its own, above every one that anybody has seen of this log. */
  static async open(
    hub: LeaderContext,
    leaderEpoch: number,
    fed: Federation,
    found: Pick<Recovered, "last" | "highestEpoch">,
    onFenced: () => void,
  ): Promise<OwnLane> {
    const { keys, store } = hub;
    const writer = new LaneWriter({
      source: keys.issuer.hubAccount,
      lane: LANE,
      signer: keys.signer,
      fingerprint: keys.fingerprint,
      crypto: hub.crypto,
      epochFloor: () => epochFloor(keys.genesis, hub.clock.nowMs()),
      restored: ((await store.ownLane(LANE)) as LanePosition | null) ?? undefined,
    });
    for (const { type, key, value, at } of fed.registers("hub", LANE))
      writer.set({ type, v: currentVersion(type), key, at, data: value } as RegisterEvent);
    const lane = new OwnLane(hub, leaderEpoch, writer, onFenced);
    await lane.#takeOutbox();
    writer.synced();
    writer.open(found.last, found.highestEpoch);
    return lane;
  }

  /** Last stored record, for heartbeats. */
  head(): (Head & { readonly digest: string }) | undefined {
    return this.#writer.head();
  }

  /** Something may be there to send. */
  wake(): void {
    this.#again = true;
    if (this.#stopped || this.#running !== null) return;
    this.#running = this.#run().finally(() => {
      this.#running = null;
      if (this.#again && !this.#stopped) this.wake();
    });
  }

  requestSnapshot(): void {
    this.#writer.requestSnapshot();
    this.wake();
  }

  /** Resolves with the position of the record that carries this outbox row, or one after it. */
  published(outboxId: number, timeoutMs: number): Promise<Head> {
    return new Promise((resolve, reject) => {
      const timer = this.#hub.timers.after(timeoutMs, () => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        reject(
          new HansaError(
            "HSA2010",
            "hub: decided and kept, but not published yet; it will be as soon as the bus is back. Try again",
          ),
        );
      });
      const settle =
        <Value>(then: (value: Value) => void) =>
        (value: Value) => {
          timer.cancel();
          then(value);
        };
      const waiter = { outboxId, resolve: settle(resolve), reject: settle(reject) };
      this.#waiters.push(waiter);
      this.wake();
    });
  }

  /** The archive holds this log up to `head`. */
  committed(head: Head): void {
    const published = this.#published;
    if (published === null || !isAtOrAfter(head, published.head)) return;
    this.#published = null;
    this.#clear(published.outboxId).catch((error: unknown) => {
      this.#hub.log.warn("outbox: not cleared, its events are sent again", { reason: String(error) });
    });
  }

  async #clear(throughId: number): Promise<void> {
    await this.#hub.store.clearOutbox(throughId);
    await this.#measure();
  }

  async #measure(): Promise<void> {
    const { metrics, store } = this.#hub;
    metrics.gauge("hansa_queue_depth", await store.outboxDepth(), { queue: "outbox" });
    metrics.gauge("hansa_queue_bound", OUTBOX_EVENTS_MAX, { queue: "outbox" });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const { reject } of this.#waiters) reject(new HansaError("HSA1012", "hub: stopping"));
    this.#waiters = [];
    await this.#running;
  }

  async #run(): Promise<void> {
    this.#again = false;
    try {
      await this.#takeOutbox();
      while (!this.#stopped && (await this.#publishNext())) await this.#takeOutbox();
      if (!this.#stopped) this.#settle();
      await this.#measure();
    } catch (error) {
      this.#hub.log.warn("own log: interrupted, trying again", { reason: String(error) });
      if (error instanceof HansaError && error.code === "HSA2003") return this.#fenced();
      await this.#hub.timers.sleep(RETRY_MS);
      this.#again = true;
    }
  }

  async #takeOutbox(): Promise<void> {
    for (;;) {
      const rows = await this.#hub.store.outbox(this.#taken);
      for (const { id, event } of rows) {
        const refusal =
          event.data === null ? this.#writer.remove(event.key, event.at) : this.#writer.set(event);
        if (typeof refusal === "string")
          this.#hub.log.error("own log: event refused", { key: event.key, reason: refusal, code: "HSA2002" });
        this.#taken = id;
      }
      if (rows.length === 0) return;
    }
  }

  /** False where nothing is left to send. */
  async #publishNext(): Promise<boolean> {
    const { bus, store, metrics, clock } = this.#hub;
    // Whatever fails from here on leaves the doubt to the next attempt.
    if (this.#inDoubt) await this.#settleDoubt();
    const next = this.#writer.next();
    if (next === null) return false;
    this.#inDoubt = true;
    await store.saveOwnLane(this.#leaderEpoch, LANE, this.#writer.position());
    const startedMs = clock.monotonicMs();
    const outcome = await bus.publish(next.record, next.expectedStreamSeq);
    metrics.observe("hansa_publish_seconds", (clock.monotonicMs() - startedMs) / 1000, { lane: LANE });
    if (outcome.kind === "stored") {
      metrics.count("hansa_published_total", { lane: LANE });
      this.#writer.stored(outcome.streamSeq);
      this.#inDoubt = false;
      return true;
    }
    if (outcome.kind === "refused") metrics.count("hansa_publish_refused_total", { lane: LANE });
    await this.#settleDoubt();
    return true;
  }

  async #settleDoubt(): Promise<void> {
    if (this.#writer.refused(await this.#hub.bus.lastOwn(LANE)) === "fenced")
      throw new HansaError("HSA2003", "own log: another hub writes at a higher epoch");
    this.#inDoubt = false;
  }

  /** Everything taken so far is in the log. */
  #settle(): void {
    const head = this.#writer.head();
    if (head === undefined) return;
    if (this.#taken > 0) this.#published = { outboxId: this.#taken, head };
    const done = this.#waiters.filter(({ outboxId }) => outboxId <= this.#taken);
    this.#waiters = this.#waiters.filter(({ outboxId }) => outboxId > this.#taken);
    for (const { resolve } of done) resolve(head);
  }

  #fenced(): void {
    this.#stopped = true;
    this.#onFenced();
  }
}

/**
 * This cluster's log: both lanes, their writers and what they want to say. The one place that turns facts into own
 * events. Writes nothing before the facts are complete and this replica is elected.
 */
import { type AccountKey, type Signer, sameJson, type TimerHandle } from "@hansa/core";
import {
  type BusRecord,
  type Head,
  LANES,
  type Lane,
  type LanePosition,
  type LaneState,
  LaneWriter,
  type LogBus,
  laneOf,
  type Position,
  type RegisterEvent,
  type RegisterType,
  type RegisterValues,
} from "@hansa/events";
import { readJson, writeJson } from "../disk.ts";
import type { Ports } from "../ports.ts";
import type { Held } from "./known-epochs.ts";
import { LanePublisher } from "./lane-publisher.ts";
import { LaneTrace } from "./lane-trace.ts";
import type { Outbox } from "./outbox.ts";
import { OwnRegisters } from "./own-registers.ts";
import type { Election } from "./writer-lock.ts";

const ELECTION_MS = 1000;
/** A state that is too old at a crash costs a new epoch with a snapshot, nothing else. */
const STATE_MS = 30_000;
/** At most one snapshot per lane in this time on others' wants (design §3). */
const SNAPSHOT_EVERY_MS = 30_000;

export interface OwnLogOptions {
  readonly account: AccountKey;
  readonly signer: Signer;
  readonly fingerprint: string;
  readonly bus: LogBus;
  readonly outbox: Outbox;
  readonly election: Election;
  readonly ports: Ports;
  readonly onStored: (record: BusRecord) => void;
  /** Highest epoch of the own lane that others' verified heads and the fold name. */
  readonly highestSeen: (lane: Lane, held: Held) => Promise<number>;
  /** Lane whose records others' Envoys wait for: they leave first. Default: sums, which all but flat networks are told. */
  readonly urgent?: (() => Lane) | undefined;
  /** No new epoch is below. */
  readonly epochFloor?: (() => number) | undefined;
}

interface LaneParts {
  readonly writer: LaneWriter;
  readonly publisher: LanePublisher;
  readonly trace: LaneTrace;
}

const stateFile = (lane: Lane): string => `writer-${lane}.json`;

export class OwnLog {
  readonly registers = new OwnRegisters();
  readonly #options: OwnLogOptions;
  readonly #lanes: ReadonlyMap<Lane, LaneParts>;
  readonly #lastSnapshotMs = new Map<Lane, number>();
  /** Snapshots that wait for their time. */
  readonly #wished = new Map<Lane, TimerHandle>();
  readonly #stops: (() => void)[] = [];
  #elected = false;
  #synced = false;
  #dirty = false;
  #othersWait = false;

  constructor(options: OwnLogOptions) {
    this.#options = options;
    this.#lanes = new Map(LANES.map((lane) => [lane, this.#lane(lane)]));
    for (const { writer } of this.#lanes.values())
      for (const key of writer.keys()) {
        const event = writer.wanted(key);
        if (event !== undefined) this.registers.set(event);
      }
  }

  get elected(): boolean {
    return this.#elected;
  }

  get isSynced(): boolean {
    return this.#synced;
  }

  /** Changes that are in no record yet. */
  pending(lane: Lane): number {
    return this.#lanes.get(lane)?.writer.pendingCount ?? 0;
  }

  mode(lane: Lane): LaneWriter["mode"] {
    return this.#lanes.get(lane)?.writer.mode ?? "closed";
  }

  #lane(lane: Lane): LaneParts {
    const { account, signer, fingerprint, bus, outbox, ports } = this.#options;
    const position = outbox.position(lane);
    const state = this.#readState(lane);
    // A state that is older than the last record formed would repeat positions: then the position alone counts.
    const current = state !== undefined && state.epoch === position?.epoch && state.seq === position.seq;
    const restored: LanePosition | LaneState | undefined = current ? state : position;
    const trace = new LaneTrace(ports.tracer, lane);
    const writer = new LaneWriter({
      source: account,
      lane,
      signer,
      fingerprint,
      crypto: ports.crypto,
      restored,
      epochFloor: this.#options.epochFloor,
      traceparent: () => trace.formed(),
    });
    const publisher = new LanePublisher({
      lane,
      writer,
      bus,
      outbox,
      ports,
      onStored: (record) => {
        this.#dirty = true;
        trace.stored();
        this.#options.onStored(record);
      },
      highestEpoch: (held) => this.#options.highestSeen(lane, held),
    });
    return { writer, publisher, trace };
  }

  #readState(lane: Lane): LaneState | undefined {
    const state = readJson(this.#options.ports.disk, stateFile(lane)) as LaneState | undefined;
    return Array.isArray(state?.registers) ? state : undefined;
  }

  start(): void {
    const { timers } = this.#options.ports;
    this.#elect();
    const election = timers.every(ELECTION_MS, () => this.#elect());
    const states = timers.every(STATE_MS, () => this.#saveStates());
    this.#stops.push(
      () => election.cancel(),
      () => states.cancel(),
    );
  }

  /** The file source was read whole: from now on what is not wanted is withdrawn, and writing may begin. */
  synced(): void {
    if (this.#synced) return;
    this.#synced = true;
    for (const { writer } of this.#lanes.values()) writer.synced();
    this.#kick();
  }

  /** A file lock is kept for good; a Lease can be lost, and who lost it leaves the lane to the next one without a fight. */
  #elect(): void {
    const elected = this.#options.election.tryLock();
    if (elected === this.#elected) return;
    this.#elected = elected;
    for (const { publisher } of this.#lanes.values()) publisher.elected(elected);
    this.#options.ports.log.info(
      elected ? "log: elected as this cluster's writer" : "log: no longer this cluster's writer",
    );
  }

  /** Takes effect here at once and is published as soon as the lane is free. Answers the keys that changed. */
  set(events: readonly RegisterEvent[]): RegisterEvent[] {
    const changed: RegisterEvent[] = [];
    for (const event of events) {
      const before = this.registers.get(event.key);
      if (event.data === null ? before === undefined : before !== undefined && sameData(before, event))
        continue;
      const { writer, trace } = this.#lanes.get(laneOf(event.type)) ?? {};
      if (event.data === null) writer?.remove(event.key, event.at);
      else {
        const problem = writer?.set(event);
        if (problem !== undefined) {
          this.#options.ports.log.error("log: a fact does not fit the log and is left out", {
            code: "HSA2002",
            register: event.key,
            problem,
          });
          continue;
        }
      }
      trace?.changed();
      this.registers.set(event);
      changed.push(event);
    }
    if (changed.length > 0) {
      this.#dirty = true;
      this.#kick();
    }
    return changed;
  }

  put<Type extends RegisterType>(
    type: Type,
    key: string,
    data: RegisterValues[Type] | null,
  ): RegisterEvent[] {
    return this.set([{ type, v: 1, key, at: this.#options.ports.clock.nowMs(), data } as RegisterEvent]);
  }

  /**
   * The urgent lane's record goes first; the other's is made durable when the server has answered: the disk would be busy
   * with it, and this process wait for the disk, while the server syncs the first.
   */
  #kick(): void {
    const { publisher } = this.#lanes.get(this.#options.urgent?.() ?? "sum")!;
    queueMicrotask(() => {
      publisher.kick();
      if (this.#othersWait) return;
      this.#othersWait = true;
      const rest = (): void => {
        this.#othersWait = false;
        for (const other of this.#lanes.values()) other.publisher.kick();
      };
      void publisher.offered.then(rest, rest);
    });
  }

  /** A peer wants a snapshot. A wish that comes too soon after the last one is granted when its time has come. */
  wanted(): void {
    for (const lane of this.#lanes.keys()) this.#grant(lane);
  }

  #grant(lane: Lane): void {
    const { clock, timers } = this.#options.ports;
    const nowMs = clock.monotonicMs();
    const waitMs = (this.#lastSnapshotMs.get(lane) ?? Number.NEGATIVE_INFINITY) + SNAPSHOT_EVERY_MS - nowMs;
    if (waitMs > 0) {
      if (this.#wished.has(lane)) return;
      const granting = timers.after(waitMs, () => {
        this.#wished.delete(lane);
        this.#grant(lane);
      });
      this.#wished.set(lane, granting);
      return;
    }
    this.#lastSnapshotMs.set(lane, nowMs);
    const own = this.#lanes.get(lane);
    own?.writer.requestSnapshot();
    own?.publisher.kick();
  }

  /**
   * Says everything again. On a wiped stream the fence refuses the first record of it and the writer begins a new epoch;
   * a lane where nothing changes would otherwise stay empty for ever.
   */
  announce(): void {
    for (const { writer, publisher } of this.#lanes.values()) {
      if (writer.mode !== "open") continue;
      writer.requestSnapshot();
      publisher.kick();
    }
  }

  /** A peer's verified word on this log. */
  claimed(lane: Lane, position: Position): void {
    this.#lanes.get(lane)?.publisher.claimed(position);
  }

  heads(): (Head & { readonly digest: string })[] {
    return [...this.#lanes.values()].flatMap(({ writer }) => writer.head() ?? []);
  }

  position(lane: Lane): Position | undefined {
    return this.#lanes.get(lane)?.writer.position();
  }

  /** The hub has committed this far. */
  committed(lane: Lane, upTo: Position): void {
    this.#options.outbox.drop(lane, upTo);
  }

  #saveStates(): void {
    if (!this.#dirty) return;
    this.#dirty = false;
    for (const [lane, { writer }] of this.#lanes)
      writeJson(this.#options.ports.disk, stateFile(lane), writer.state());
  }

  stop(): void {
    for (const stop of this.#stops) stop();
    for (const granting of this.#wished.values()) granting.cancel();
    for (const { publisher } of this.#lanes.values()) publisher.stop();
    this.#dirty = true;
    if (this.#elected) this.#saveStates();
    this.#options.election.release();
  }
}

const sameData = (a: RegisterEvent, b: RegisterEvent): boolean =>
  a.type === b.type && sameJson(a.data, b.data);

/**
 * The bus in virtual time: clients whose links lose, delay, repeat and reorder. With its broker it passes the same contract
 * as the real one; it adds only bad luck.
 */
import { type AccountKey, HansaError } from "@hansa/core";
import {
  type BusBeat,
  type BusRecord,
  HEARTBEAT_BYTES_MAX,
  type Lane,
  type LogBus,
  type PublishOutcome,
  type Unsubscribe,
  type WireRecord,
} from "@hansa/events";
import type { Machine } from "./kernel.ts";
import type { SimBroker } from "./sim-broker.ts";

const MESSAGE_BYTES_MAX = 256 * 1024;
const REQUEST_TIMEOUT_MS = 5000;

/** `deaf`: hears nothing. `mute`: is not heard. */
type Link = "whole" | "deaf" | "mute" | "cut";

export interface SimBusOptions {
  readonly machine: Machine;
  readonly broker: SimBroker;
  readonly account: AccountKey;
  /** How long until a cut is noticed, and until a healed link is used again. */
  readonly detectMs?: number;
  readonly reconnectMs?: number;
  /** A record is about to be sent. */
  readonly onPublish?: (record: WireRecord) => void;
}

export class SimLogBus implements LogBus {
  readonly account: AccountKey;
  readonly #options: Required<SimBusOptions>;
  readonly #records = new Set<(record: BusRecord) => void>();
  readonly #beats = new Set<(beat: BusBeat) => void>();
  readonly #watchers = new Set<(up: boolean) => void>();
  #link: Link = "whole";
  #up = false;
  #closed = false;
  /** What is under way dies with its connection. */
  #session = 0;
  #broken = false;

  constructor(options: SimBusOptions) {
    this.#options = { detectMs: 1000, reconnectMs: 200, onPublish: () => {}, ...options };
    this.account = options.account;
    options.broker.attach(this);
    this.reconsider();
  }

  // === faults ===

  cut(): void {
    this.#link = "cut";
    this.reconsider();
  }

  deafen(): void {
    this.#link = "deaf";
  }

  mute(): void {
    this.#link = "mute";
  }

  /** The server is gone, and with it the connection: known at once by whoever runs, and later by whoever is stopped. */
  drop(): void {
    this.#broken = true;
    this.#options.machine.timers.after(0, () => {
      this.#setUp(false);
      this.reconsider();
    });
  }

  /** After deafness the connection is made anew: a stream with a hole is no stream. */
  heal(): void {
    if (this.#link === "deaf" || this.#link === "mute") this.#setUp(false);
    this.#link = "whole";
    this.reconsider();
  }

  get reachable(): boolean {
    const { broker } = this.#options;
    return this.#hears && broker.up && broker.admits(this.account) && !this.#closed;
  }

  get #hears(): boolean {
    return this.#link === "whole" || this.#link === "mute";
  }

  /** What is sent arrives. */
  get #heard(): boolean {
    return this.#link === "whole" || this.#link === "deaf";
  }

  /** The connection follows the link after a while. */
  reconsider(delayMs?: number): void {
    const { machine, detectMs, reconnectMs } = this.#options;
    const wanted = this.reachable;
    machine.timers.after(delayMs ?? (wanted ? reconnectMs : detectMs), () => {
      if (!machine.alive || this.reachable !== wanted) return;
      this.#setUp(wanted);
    });
  }

  #setUp(up: boolean): void {
    if (this.#up === up || (up && this.#closed)) return;
    this.#up = up;
    this.#session += 1;
    if (up) this.#broken = false;
    for (const handle of [...this.#watchers]) handle(up);
  }

  // === from the broker ===

  republish(record: BusRecord): void {
    this.#deliver(() => {
      for (const handle of this.#records) handle(record);
    });
  }

  rebeat(beat: BusBeat): void {
    this.#deliver(() => {
      for (const handle of this.#beats) handle(beat);
    });
  }

  #deliver(run: () => void): void {
    const { broker, machine } = this.#options;
    const { faults, random, kernel } = broker;
    if (!this.#up || this.#broken || !this.reachable || random.chance(faults.loseTail)) return;
    const copies = random.chance(faults.repeatTail) ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      const extra = random.chance(faults.reorderTail) || copy > 0 ? random.float() * faults.reorderMaxMs : 0;
      const session = this.#session;
      const arrive = (): void => {
        if (this.reachable && this.#session === session) run();
      };
      kernel.schedule(faults.delayMaxMs / 2 + extra, arrive, machine);
    }
  }

  // === LogBus ===

  async publish(record: WireRecord, expectedStreamSeq: number): Promise<PublishOutcome> {
    if (record.body.length > MESSAGE_BYTES_MAX)
      throw new HansaError("HSA2002", "sim: the record is too large");
    if (this.#options.machine.alive) this.#options.onPublish(record);
    try {
      return await this.request((broker) => broker.publish(this.account, record, expectedStreamSeq), true);
    } catch (error) {
      return { kind: "unknown", reason: error instanceof Error ? error.message : String(error) };
    }
  }

  lastOwn(lane: Lane): Promise<BusRecord | null> {
    return this.request((broker) => broker.last(this.account, lane));
  }

  read(
    of: { readonly account: AccountKey; readonly lane: Lane } | null,
    fromStreamSeq: number,
    max: number,
  ): Promise<BusRecord[]> {
    return this.request((broker) => broker.read(of, fromStreamSeq, max));
  }

  tail(handle: (record: BusRecord) => void): Promise<Unsubscribe> {
    this.#records.add(handle);
    return Promise.resolve(() => this.#records.delete(handle));
  }

  publishBeat(bytes: Uint8Array): Promise<void> {
    const { broker, machine, account } = this.#options;
    if (bytes.length > HEARTBEAT_BYTES_MAX)
      throw new HansaError("HSA2002", "sim: the heartbeat is too large");
    if (
      !machine.alive ||
      !this.#up ||
      this.#broken ||
      !this.#heard ||
      broker.random.chance(broker.faults.loseRequest)
    )
      return Promise.resolve();
    const copy = bytes.slice();
    broker.kernel.schedule(broker.faults.delayMaxMs / 2, () => {
      if (broker.up && this.#heard && machine.alive) broker.beat({ account, bytes: copy });
    });
    return Promise.resolve();
  }

  beats(handle: (beat: BusBeat) => void): Promise<Unsubscribe> {
    this.#beats.add(handle);
    return Promise.resolve(() => this.#beats.delete(handle));
  }

  lastBeats(): Promise<BusBeat[]> {
    return this.request((broker) => broker.lastBeats());
  }

  readonly refusal = "";

  connection(handle: (up: boolean) => void): Unsubscribe {
    this.#watchers.add(handle);
    handle(this.#up);
    return () => this.#watchers.delete(handle);
  }

  incarnation(): Promise<string> {
    return this.request((broker) => broker.incarnation);
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#records.clear();
    this.#beats.clear();
    this.#setUp(false);
    this.#watchers.clear();
    this.#options.broker.detach(this);
    return Promise.resolve();
  }

  /** One question and its answer, for whoever knows the broker; either may be lost, and a `write` may arrive after its sender gave up. */
  request<T>(ask: (broker: SimBroker) => T, write = false): Promise<T> {
    const { broker, machine } = this.#options;
    const { faults, random, kernel } = broker;
    const session = this.#session;
    if (!machine.alive) return new Promise(() => {});
    if (!this.#up) return Promise.reject(new HansaError("HSA2010", "sim: not connected"));
    return new Promise<T>((resolve, reject) => {
      const fail = (reason: string): void => reject(new HansaError("HSA2010", `sim: ${reason}`));
      const timeout = machine.timers.after(REQUEST_TIMEOUT_MS, () => fail("timeout"));
      const answer = (give: () => void): void => {
        if (random.chance(faults.loseAnswer)) return;
        const arrive = (): void => {
          if (!this.reachable || this.#session !== session) return;
          timeout.cancel();
          give();
        };
        kernel.schedule(random.float() * faults.delayMaxMs, arrive, machine);
      };
      const broken = this.#broken;
      const arrive = (): void => {
        if (!broker.up || !this.#heard || broken) return;
        try {
          const result = ask(broker);
          answer(() => resolve(result));
        } catch (error) {
          answer(() => reject(error));
        }
      };
      if (random.chance(faults.loseRequest)) return;
      const late = write && random.chance(faults.late) ? 2 * REQUEST_TIMEOUT_MS * random.float() : 0;
      kernel.schedule(random.float() * faults.delayMaxMs + late, arrive);
    });
  }
}

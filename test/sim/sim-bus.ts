/**
 * The bus in virtual time: a broker with the semantics of the FED and BEAT streams and clients whose links lose, delay,
 * repeat and reorder. It passes the same contract as the real one; it adds only bad luck.
 */
import { type AccountKey, HansaError } from "@hansa/core";
import type { PublishOutcome, Unsubscribe, WireRecord } from "@hansa/events";
import { type BusBeat, type BusRecord, HEARTBEAT_BYTES_MAX, type Lane, type LogBus } from "@hansa/events";
import { CALM, type Faults } from "./faults.ts";
import type { Kernel, Machine, Seeded } from "./kernel.ts";

const MESSAGE_BYTES_MAX = 256 * 1024;
const REQUEST_TIMEOUT_MS = 5000;

interface Stream {
  readonly incarnation: string;
  lastSeq: number;
  records: BusRecord[];
}

export class SimBroker {
  readonly kernel: Kernel;
  readonly random: Seeded;
  readonly recordsPerLogMax: number;
  faults: Faults = CALM;
  /** For whoever keeps the books. */
  onStored: (record: BusRecord) => void = () => {};
  #stream: Stream | undefined;
  readonly #beats = new Map<AccountKey, Uint8Array>();
  readonly #clients = new Set<SimLogBus>();
  #up = true;
  #incarnations = 0;

  constructor(kernel: Kernel, recordsPerLogMax: number) {
    this.kernel = kernel;
    this.random = kernel.fork();
    this.recordsPerLogMax = recordsPerLogMax;
    this.ensureStream();
  }

  get up(): boolean {
    return this.#up;
  }

  /** What the hub does: without it a wiped broker has no stream. */
  ensureStream(): void {
    if (!this.#up || this.#stream !== undefined) return;
    this.#incarnations += 1;
    this.#stream = { incarnation: `incarnation ${this.#incarnations}`, lastSeq: 0, records: [] };
  }

  stop(): void {
    this.#up = false;
    for (const client of this.#clients) client.drop();
  }

  start(): void {
    this.#up = true;
    for (const client of this.#clients) client.reconsider();
  }

  /** The storage is gone; heartbeats with it. */
  wipe(): void {
    this.#stream = undefined;
    this.#beats.clear();
  }

  attach(client: SimLogBus): void {
    this.#clients.add(client);
  }

  detach(client: SimLogBus): void {
    this.#clients.delete(client);
  }

  get #existing(): Stream {
    if (this.#stream === undefined) throw new HansaError("HSA2010", "sim: no stream");
    return this.#stream;
  }

  get incarnation(): string {
    return this.#existing.incarnation;
  }

  publish(account: AccountKey, record: WireRecord, expectedStreamSeq: number): PublishOutcome {
    const stream = this.#existing;
    const { lane } = record.header;
    const log = stream.records.filter((stored) => stored.account === account && stored.lane === lane);
    const previousStreamSeq = log.at(-1)?.streamSeq ?? 0;
    if (previousStreamSeq !== expectedStreamSeq) return { kind: "refused" };
    stream.lastSeq += 1;
    const copy = { header: { ...record.header }, body: record.body.slice() };
    const stored = { record: copy, account, lane, streamSeq: stream.lastSeq, previousStreamSeq };
    const oldest = log.length >= this.recordsPerLogMax ? log[0] : undefined;
    if (oldest !== undefined) stream.records = stream.records.filter((kept) => kept !== oldest);
    stream.records.push(stored);
    this.onStored(stored);
    for (const client of this.#clients) client.republish(stored);
    return { kind: "stored", streamSeq: stored.streamSeq };
  }

  last(account: AccountKey, lane: Lane): BusRecord | null {
    return (
      this.#existing.records.findLast((stored) => stored.account === account && stored.lane === lane) ?? null
    );
  }

  read(of: { account: AccountKey; lane: Lane } | null, fromStreamSeq: number, max: number): BusRecord[] {
    return this.#existing.records
      .filter((stored) => stored.streamSeq >= fromStreamSeq)
      .filter((stored) => of === null || (stored.account === of.account && stored.lane === of.lane))
      .slice(0, max);
  }

  beat(beat: BusBeat): void {
    if (this.#stream === undefined) return;
    this.#beats.set(beat.account, beat.bytes);
    for (const client of this.#clients) client.rebeat(beat);
  }

  lastBeats(): BusBeat[] {
    void this.#existing;
    return [...this.#beats].map(([account, bytes]) => ({ account, bytes }));
  }
}

type Link = "whole" | "deaf" | "cut";

export interface SimBusOptions {
  readonly machine: Machine;
  readonly broker: SimBroker;
  readonly account: AccountKey;
  /** How long until a cut is noticed, and until a healed link is used again. */
  readonly detectMs?: number;
  readonly reconnectMs?: number;
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
    this.#options = { detectMs: 1000, reconnectMs: 200, ...options };
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
    if (this.#link === "deaf") this.#setUp(false);
    this.#link = "whole";
    this.reconsider();
  }

  get reachable(): boolean {
    return this.#link === "whole" && this.#options.broker.up && !this.#closed;
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
    try {
      return await this.#request((broker) => broker.publish(this.account, record, expectedStreamSeq), true);
    } catch (error) {
      return { kind: "unknown", reason: error instanceof Error ? error.message : String(error) };
    }
  }

  lastOwn(lane: Lane): Promise<BusRecord | null> {
    return this.#request((broker) => broker.last(this.account, lane));
  }

  read(
    of: { readonly account: AccountKey; readonly lane: Lane } | null,
    fromStreamSeq: number,
    max: number,
  ): Promise<BusRecord[]> {
    return this.#request((broker) => broker.read(of, fromStreamSeq, max));
  }

  tail(handle: (record: BusRecord) => void): Promise<Unsubscribe> {
    this.#records.add(handle);
    return Promise.resolve(() => this.#records.delete(handle));
  }

  publishBeat(bytes: Uint8Array): Promise<void> {
    const { broker, machine, account } = this.#options;
    if (bytes.length > HEARTBEAT_BYTES_MAX)
      throw new HansaError("HSA2002", "sim: the heartbeat is too large");
    if (!this.#up || this.#broken || this.#link === "cut" || broker.random.chance(broker.faults.loseRequest))
      return Promise.resolve();
    const copy = bytes.slice();
    broker.kernel.schedule(broker.faults.delayMaxMs / 2, () => {
      if (broker.up && this.#link !== "cut" && machine.alive) broker.beat({ account, bytes: copy });
    });
    return Promise.resolve();
  }

  beats(handle: (beat: BusBeat) => void): Promise<Unsubscribe> {
    this.#beats.add(handle);
    return Promise.resolve(() => this.#beats.delete(handle));
  }

  lastBeats(): Promise<BusBeat[]> {
    return this.#request((broker) => broker.lastBeats());
  }

  connection(handle: (up: boolean) => void): Unsubscribe {
    this.#watchers.add(handle);
    handle(this.#up);
    return () => this.#watchers.delete(handle);
  }

  incarnation(): Promise<string> {
    return this.#request((broker) => broker.incarnation);
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

  /** One question and its answer; either may be lost, and a `write` may arrive after its sender gave up. */
  #request<T>(ask: (broker: SimBroker) => T, write = false): Promise<T> {
    const { broker, machine } = this.#options;
    const { faults, random, kernel } = broker;
    const session = this.#session;
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
        if (!broker.up || this.#link === "cut" || broken) return;
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

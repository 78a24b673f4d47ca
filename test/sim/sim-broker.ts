/** The broker in virtual time, with the semantics of the streams FED and BEAT. */
import { type AccountKey, HansaError } from "@hansa/core";
import type { BusBeat, BusRecord, Lane, PublishOutcome, WireRecord } from "@hansa/events";
import { CALM, type Faults } from "./faults.ts";
import type { Kernel, Seeded } from "./kernel.ts";

/** Messages of the past that can be heard once more. */
const PAST_MAX = 300;

function remember<T>(past: T[], message: T): void {
  past.push(message);
  if (past.length > PAST_MAX) past.shift();
}

interface Stream {
  readonly incarnation: string;
  lastSeq: number;
  records: BusRecord[];
}

/** A client as its broker sees it. */
interface Client {
  readonly account: AccountKey;
  drop(): void;
  reconsider(): void;
  republish(record: BusRecord): void;
  rebeat(beat: BusBeat): void;
}

export class SimBroker {
  readonly kernel: Kernel;
  readonly random: Seeded;
  readonly recordsPerLogMax: number;
  faults: Faults = CALM;
  /** For whoever keeps the books. */
  onStored: (record: BusRecord) => void = () => {};
  onWiped: () => void = () => {};
  #stream: Stream | undefined;
  readonly #beats = new Map<AccountKey, Uint8Array>();
  readonly #clients = new Set<Client>();
  readonly #suspended = new Set<AccountKey>();
  /** Of the present stream, the latest last. */
  readonly #past: BusRecord[] = [];
  readonly #pastBeats: BusBeat[] = [];
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
    this.#past.length = 0;
    this.#pastBeats.length = 0;
    this.onWiped();
  }

  /** Old messages once more, as live ones: what was said before must change nothing. */
  echo(count: number): void {
    for (let n = 0; n < count; n += 1) {
      const record = this.#past[this.random.below(this.#past.length)];
      const beat = this.#pastBeats[this.random.below(this.#pastBeats.length)];
      for (const client of this.#clients) {
        if (record !== undefined) client.republish(record);
        if (beat !== undefined) client.rebeat(beat);
      }
    }
  }

  /** What two agents of one account said by turns is not repeated: who heard only one of them would take it for news. */
  forgetBeats(account: AccountKey): void {
    const kept = this.#pastBeats.filter((beat) => beat.account !== account);
    this.#pastBeats.splice(0, this.#pastBeats.length, ...kept);
  }

  /** Whether clients of an account are let in. */
  suspend(account: AccountKey, suspended: boolean): void {
    if (suspended === this.#suspended.has(account)) return;
    if (suspended) this.#suspended.add(account);
    else this.#suspended.delete(account);
    for (const client of this.#clients) if (client.account === account) client.reconsider();
  }

  admits(account: AccountKey): boolean {
    return !this.#suspended.has(account);
  }

  attach(client: Client): void {
    this.#clients.add(client);
  }

  detach(client: Client): void {
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
    remember(this.#past, stored);
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
    remember(this.#pastBeats, beat);
    for (const client of this.#clients) client.rebeat(beat);
  }

  lastBeats(): BusBeat[] {
    void this.#existing;
    return [...this.#beats].map(([account, bytes]) => ({ account, bytes }));
  }
}

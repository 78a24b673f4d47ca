/**
 * The hub while it leads: archives the logs, writes its own, keeps membership and the bus's accounts in step, beats.
 * Ends itself when another leader's epoch or a lost session says so; never shares the archive.
 */

import type { Consumption } from "@hansa/bus";
import { HansaError, hex, isHansaError, type TimerHandle } from "@hansa/core";
import { type BusRecord, type CommandValue, type Head, wantKey } from "@hansa/events";
import type { Federation } from "@hansa/model";
import type { CommitOutcome, Leadership } from "@hansa/store";
import type { LeaderContext } from "../context.ts";
import { Accounts, reserveStreams } from "../membership/accounts.ts";
import { type JoinBody, type Joined, join } from "../membership/join.ts";
import { carryCommands, followFold, leave, submitCommand, want } from "../membership/members.ts";
import { loadOf, RateGuard } from "../membership/rate-guard.ts";
import { Suspensions } from "../membership/suspension.ts";
import { Serial } from "../serial.ts";
import { BEAT_EVERY_MS, Beats } from "./beats.ts";
import { logName, measureLag, measureMembers } from "./lag.ts";
import { OwnLane } from "./own-lane.ts";
import { type Committed, Projector } from "./projector.ts";
import { type Recovered, recover } from "./recovery.ts";
import { SnapshotAsks } from "./snapshot-asks.ts";
import { SnapshotWishes } from "./snapshot-wishes.ts";

const PUBLISH_WAIT_MS = 8000;
const HOUSEKEEPING_MS = 5000;
const RECOVERY_RETRY_MS = 500;
const CATCH_UP_MS = 2000;
/** A batch that is smaller says that the backlog is gone. */
const KEEPING_UP_RECORDS = 200;
const TRUST_TYPES = new Set(["MembershipSet", "CommandSet", "OperatorsSet", "HubkeySet"]);

export class Leader {
  readonly epoch: number;
  readonly beats: Beats;
  /** Commands copied in this term: the fold shows them a moment later. At most as many as the fold accepts. */
  readonly #carried = new Set<string>();
  /** Settles when this leader must end. */
  readonly ended: Promise<string>;
  readonly #hub: LeaderContext;
  readonly #projector: Projector;
  readonly #onCommit: (position: number) => void;
  readonly #heads = new Map<string, Head>();
  readonly #members = new Serial();
  readonly #accounts: Accounts;
  readonly #suspensions: Suspensions;
  readonly #rates: RateGuard;
  readonly #wishes: SnapshotWishes;
  readonly #asks: SnapshotAsks;
  readonly #timers: TimerHandle[] = [];
  readonly #unsubscribes: (() => void)[] = [];
  #ownLane: OwnLane | null = null;
  #consumption: Consumption | null = null;
  /** The bus was reached, and what it and the members know was compared with the archive. */
  #compared = false;
  #missing: string | null = "the hub has not reached the bus since it started";
  /** A backlog arrives faster than it was written: rates are watched only while the hub keeps up. */
  #isBehind = true;
  #stopped = false;
  #end: (reason: string) => void = () => {};

  constructor(hub: LeaderContext, leadership: Leadership, onCommit: (position: number) => void) {
    this.#hub = hub;
    this.epoch = leadership.epoch;
    this.beats = new Beats(hub, (cluster) => this.#suspend(cluster));
    this.#accounts = new Accounts(hub);
    this.#suspensions = new Suspensions(hub, leadership.epoch, this.#accounts);
    this.#rates = new RateGuard(hub.clock);
    this.#wishes = new SnapshotWishes(hub, () => this.#ownLane?.requestSnapshot());
    this.#asks = new SnapshotAsks(hub.clock);
    this.#onCommit = onCommit;
    this.#projector = new Projector(hub, leadership.epoch, (committed) => this.#committed(committed));
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
      void leadership.lost.then(() => resolve("the database session ended"));
    });
  }

  /** Loads the fold, then works in the background: the bus may be away for any time. */
  async start(): Promise<void> {
    const { store, metrics, timers } = this.#hub;
    await this.#projector.ready();
    await this.beats.open(this.epoch);
    for (const head of await store.heads()) this.#heads.set(logName(head), head);
    metrics.gauge("hansa_hub_leader", 1);
    this.#timers.push(timers.every(BEAT_EVERY_MS, () => this.#background("beat", () => this.#beat())));
    this.#timers.push(timers.every(HOUSEKEEPING_MS, () => this.#housekeeping()));
    this.#background("recovery", () => this.#recover());
  }

  /** Committed ends of all logs. */
  heads(): readonly Head[] {
    return [...this.#heads.values()];
  }

  get readOnly(): string | null {
    return this.#missing;
  }

  /** Whether commands can be taken: before recovery has read the own log, nobody knows what was said last. */
  get recovered(): boolean {
    return this.#ownLane !== null;
  }

  get fed(): Federation | null {
    return this.#projector.fed;
  }

  // === commands ===

  join(body: JoinBody): Promise<Joined> {
    this.#mayWrite();
    const known = (cluster: string) => this.#projector.fed?.member(cluster);
    const publish = async (outboxId: number) => void (await this.#published(outboxId));
    return join(this.#hub, this.epoch, body, known, this.#accounts, publish);
  }

  async leave(actor: string, cluster: string): Promise<Head | null> {
    this.#mayWrite();
    const outboxId = await leave(this.#hub, this.epoch, actor, cluster);
    const head = outboxId === null ? null : await this.#published(outboxId);
    await this.#accounts.push();
    return head;
  }

  async command(actor: string, value: CommandValue): Promise<Head> {
    this.#mayWrite();
    const fed = await this.#projector.ready();
    return this.#published(await submitCommand(this.#hub, this.epoch, actor, fed, value));
  }

  async want(actor: string, cluster: string): Promise<Head> {
    this.#mayWrite();
    const fed = await this.#projector.ready();
    if (cluster !== "hub" && fed.member(cluster) === undefined)
      throw new HansaError("HSA1005", `cluster ${cluster}: not known`);
    if (cluster === "hub") this.#ownLane?.requestSnapshot();
    return this.#published(await want(this.#hub, this.epoch, actor, cluster, this.#nonce()));
  }

  /** Token orders need no log, only the right to write. */
  mayWrite(): number {
    this.#mayWrite();
    return this.epoch;
  }

  /** Late records; the caller has checked who brings them and that their signatures verify. */
  async addLate(records: readonly BusRecord[]): Promise<CommitOutcome> {
    const outcome = await this.#projector.add(records, "http");
    await this.#recheck();
    return outcome;
  }

  ready(): Promise<Federation> {
    return this.#projector.ready();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers) timer.cancel();
    this.#wishes.stop();
    this.#suspensions.stop();
    for (const unsubscribe of this.#unsubscribes) unsubscribe();
    await this.#consumption?.stop();
    await this.#ownLane?.stop();
    this.#hub.metrics.gauge("hansa_hub_leader", 0);
  }

  // === work ===

  async #recover(): Promise<void> {
    const { bus, log, timers } = this.#hub;
    while (!this.#stopped) {
      try {
        await reserveStreams(this.#hub);
        const found = await recover(this.#hub, this.#projector);
        await this.#openLane(found);
        if (found.missing !== null)
          log.error("archive is behind the logs: read-only", { code: "HSA2012", reason: found.missing });
        break;
      } catch (error) {
        if (isFenced(error)) return this.#end("another leader");
        log.debug("recovery: not yet", { reason: String(error) });
        await timers.sleep(RECOVERY_RETRY_MS);
      }
    }
    if (this.#stopped) return;
    this.#background("members", async () => {
      await this.#members.run(() => this.#suspensions.resumeAll());
      await this.#follow();
    });
    this.#unsubscribes.push(await bus.beats((beat) => this.#background("beats", () => this.#takeBeat(beat))));
    this.#consumption = bus.consume({
      start: (incarnation) => this.#startFeed(incarnation),
      handle: (batch, incarnation) => this.#handle(batch, incarnation),
    });
    void this.#catchUp();
  }

  /** A stream that the archive knows nothing of holds nothing of the own log either: it is said again. */
  async #startFeed(incarnation: string): Promise<number> {
    const from = await this.#projector.start(incarnation);
    if (from === 1) this.#ownLane?.requestSnapshot();
    return from;
  }

  async #handle(batch: readonly BusRecord[], incarnation: string): Promise<void> {
    try {
      await this.#projector.handle(batch, incarnation);
    } catch (error) {
      this.#isBehind = true;
      if (isFenced(error)) this.#end("another leader");
      throw error;
    }
    if (this.#isBehind) this.#isBehind = batch.length > KEEPING_UP_RECORDS;
    else this.#watchRates(batch);
  }

  #watchRates(batch: readonly BusRecord[]): void {
    const fed = this.#projector.fed;
    for (const [account, { records, bytes }] of loadOf(batch)) {
      const member = fed?.member(fed.source(account)?.cluster ?? "");
      if (member === undefined) continue;
      if (!this.#rates.isAbove(account, records, bytes, member.membership.grant.quotas)) continue;
      this.#rates.forget(account);
      this.#suspend(member.cluster);
    }
  }

  #suspend(cluster: string): void {
    const onDue = () =>
      this.#background("resume", () => this.#members.run(() => this.#suspensions.resume(cluster)));
    this.#background("suspend", () => this.#members.run(() => this.#suspensions.suspend(cluster, onDue)));
  }

  /** Only over a whole archive: whatever is written without knowing the last words makes members forget them. */
  async #openLane({ missing, ...found }: Recovered): Promise<void> {
    if (missing === null) {
      const onFenced = () => this.#end("another hub writes the hub's log");
      const fed = await this.#projector.ready();
      this.#ownLane = await OwnLane.open(this.#hub, this.epoch, fed, found, onFenced);
    }
    this.#compared = true;
    this.#missing = missing;
    this.#hub.metrics.gauge("hansa_hub_read_only", missing === null ? 0 : 1);
    this.#ownLane?.wake();
  }

  /** Read-only ends by itself once the archive holds what was missing. */
  async #catchUp(): Promise<void> {
    for (; !this.#stopped && this.#missing !== null; await this.#hub.timers.sleep(CATCH_UP_MS))
      await this.#guarded("catch up", () => this.#recheck());
  }

  async #recheck(): Promise<void> {
    if (!this.#compared || this.#missing === null) return;
    await this.#members.run(async () => {
      if (this.#missing === null) return;
      await this.#openLane(await recover(this.#hub, this.#projector));
      if (this.#missing === null) this.#hub.log.info("archive has caught up with the logs", {});
    });
    await this.#follow();
  }

  #committed(committed: Committed): void {
    for (const head of committed.heads) this.#heads.set(logName(head), head);
    const own = committed.heads.find(({ source }) => source === this.#hub.keys.issuer.hubAccount);
    if (own !== undefined) this.#ownLane?.committed(own);
    this.#onCommit(committed.position);
    if (committed.changed.some(({ cluster, key }) => cluster !== "hub" && key === wantKey("hub")))
      this.#wishes.wish();
    if (committed.changed.some(({ type }) => TRUST_TYPES.has(type)))
      this.#background("members", () => this.#follow());
  }

  /** One at a time: rows, accounts and tokens follow the fold. */
  #follow(): Promise<void> {
    return this.#members.run(async () => {
      const fed = await this.#projector.ready();
      if (this.#missing !== null) return;
      await followFold(this.#hub, this.epoch, fed);
      await this.#accounts.tell();
      const copied = await carryCommands(this.#hub, this.epoch, fed, this.#carried);
      for (const hash of copied) this.#carried.add(hash);
      if (copied.length > 0) this.#ownLane?.wake();
      measureMembers(this.#hub, fed);
    });
  }

  async #beat(): Promise<void> {
    const fed = this.#projector.fed;
    const own = this.#ownLane?.head();
    await this.beats.send(own === undefined ? [] : [own], fed?.heads() ?? [], this.heads());
    measureLag(this.#hub, this.beats.seen(), this.#heads);
  }

  async #takeBeat(beat: { account: Head["source"]; bytes: Uint8Array }): Promise<void> {
    const fed = this.#projector.fed;
    if (fed === null) return;
    const taken = this.beats.take(beat, fed);
    if (taken === undefined) return;
    const contradicted = await this.#hub.store.contradicted([...taken.own, ...taken.known]);
    this.beats.dispute(taken, contradicted, fed);
  }

  #housekeeping(): void {
    if (!this.recovered) return;
    this.#background("gaps", () => this.#giveUpGaps());
    this.#background("wants", () => this.#askForSnapshots());
    this.#background("members", () => this.#follow());
  }

  async #giveUpGaps(): Promise<void> {
    await this.#projector.giveUpGaps();
    const { store, metrics } = this.#hub;
    for (const head of await store.heads()) this.#heads.set(logName(head), head);
    const open = (await store.gaps()).filter(({ closed }) => closed === null);
    metrics.gauge("hansa_hub_gaps", open.length);
  }

  async #askForSnapshots(): Promise<void> {
    const { fed } = this.#projector;
    const due = fed === null ? [] : this.#asks.due(fed, this.beats.seen());
    for (const cluster of due) await want(this.#hub, this.epoch, "hub", cluster, this.#nonce());
    if (due.length > 0) this.#ownLane?.wake();
  }

  #nonce(): string {
    return hex(this.#hub.random.bytes(8));
  }

  #published(outboxId: number): Promise<Head> {
    if (this.#ownLane === null) throw new HansaError("HSA2010", "hub: the bus is not reached yet; try again");
    return this.#ownLane.published(outboxId, PUBLISH_WAIT_MS);
  }

  #mayWrite(): void {
    if (!this.#compared)
      throw new HansaError("HSA2010", "hub: the bus was not reached since the start; try again", {
        details: { retry: true },
      });
    if (this.#missing !== null) throw new HansaError("HSA2012", `hub: read-only: ${this.#missing}`);
  }

  #background(what: string, work: () => Promise<void>): void {
    void this.#guarded(what, work);
  }

  #guarded(what: string, work: () => Promise<void>): Promise<void> {
    return work().catch((error: unknown) => {
      if (isFenced(error)) this.#end("another leader");
      else this.#hub.log.warn(`${what}: failed`, { reason: String(error) });
    });
  }
}

const isFenced = (error: unknown): boolean => isHansaError(error) && error.code === "HSA2003";

/**
 * The agent without its edges: own log, follower, heartbeats, liveness and the disk snapshot around one fold. Takes
 * everything by ports, so that the simulator runs this very code.
 */
import { type AccountKey, assert, type ClusterName, type Signer } from "@hansa/core";
import {
  fingerprintOf,
  type Genesis,
  type Head,
  type Heartbeat,
  type LinkValue,
  type LogBus,
  laneOf,
  linkKey,
  type RegisterEvent,
  wantKey,
} from "@hansa/events";
import {
  type BeatFindings,
  type Federation,
  isFlat,
  type RegisterRef,
  type RegisterView,
} from "@hansa/model";
import { Beats } from "./follow/beats.ts";
import { Follower } from "./follow/follower.ts";
import type { Journal } from "./follow/journal.ts";
import { restoreFederation, SnapshotSaver } from "./follow/snapshot.ts";
import { Wants } from "./follow/wants.ts";
import { LivenessWatch, type Prober } from "./liveness/watch.ts";
import { type LocalReader, localReader } from "./local-reader.ts";
import { KnownEpochs } from "./log/known-epochs.ts";
import type { Outbox } from "./log/outbox.ts";
import { OwnLog } from "./log/own-log.ts";
import type { Election } from "./log/writer-lock.ts";
import type { Ports } from "./ports.ts";

const WANT_CHECK_MS = 2000;
/** The hub's beat is due every 2 s. */
export const HUB_SILENT_MS = 10_000;
/** A change older than this came with a bootstrap: it says nothing of propagation. */
const FRESH_MS = 60_000;

export interface CoreOptions {
  readonly genesis: Genesis;
  readonly cluster: ClusterName;
  readonly account: AccountKey;
  readonly signer: Signer;
  readonly bus: LogBus;
  readonly outbox: Outbox;
  readonly journal: Journal;
  readonly election: Election;
  readonly ports: Ports;
  readonly proberOf: (peer: ClusterName, fed: Federation) => Prober;
  readonly trafficTo?: (peer: ClusterName, fed: Federation) => Promise<boolean>;
  /** Heads whose effect all local Envoys have acknowledged. */
  readonly acked: () => readonly Head[];
  readonly onChanged: (changed: readonly RegisterRef[], traceparent: string) => void;
  /** As the fold reports it: the own registers, too, once they were heard from the log. */
  readonly onFolded?: (changed: readonly RegisterRef[]) => void;
  /** The stream was read to its end for the first time. */
  readonly onSynced: () => void;
}

export class AgentCore {
  readonly fed: Federation;
  readonly own: OwnLog;
  readonly follower: Follower;
  readonly beats: Beats;
  readonly watch: LivenessWatch;
  readonly reader: LocalReader;
  readonly fingerprint: string;
  /** The last run left a folded federation behind. */
  readonly restored: boolean;
  readonly #options: CoreOptions;
  readonly #saver: SnapshotSaver;
  readonly #wants: Wants;
  readonly #epochs: KnownEpochs;
  #busUp = false;
  #hubBeatMs = Number.NEGATIVE_INFINITY;
  #sourceRead = false;
  #wasSynced = false;
  #stops: (() => void)[] = [];

  constructor(options: CoreOptions) {
    const { genesis, bus, ports, account, signer, cluster } = options;
    this.#options = options;
    this.fingerprint = fingerprintOf(genesis, ports.crypto);
    const { fed, cursors } = restoreFederation(genesis, options.journal, ports);
    this.fed = fed;
    this.restored = fed.member(cluster) !== undefined;
    this.#epochs = new KnownEpochs({ fed, account, ports });
    if (this.restored) this.#epochs.admitted();
    this.follower = new Follower({
      fed,
      bus,
      ports,
      restored: cursors,
      onChanged: (changed, traceparent) => this.#folded(changed, traceparent),
      onFolded: (record) => this.#saver.folded(record),
      onHeard: (record) => this.watch.record(record),
      onNewStream: () => this.own.announce(),
      onSynced: () => this.#streamRead(),
    });
    this.own = new OwnLog({
      account,
      signer,
      fingerprint: this.fingerprint,
      bus,
      outbox: options.outbox,
      election: options.election,
      ports,
      onStored: (record) => this.follower.own(record),
      highestSeen: (lane, held) => this.#epochs.highest(lane, held),
      epochFloor: () => this.#epochs.floor(),
      urgent: () => (this.#hasFlatPeer() ? "ep" : "sum"),
    });
    this.reader = localReader(fed, cluster, this.own.registers, () => this.#sourceRead);
    this.beats = new Beats({
      fed,
      bus,
      account,
      signer,
      fingerprint: this.fingerprint,
      ports,
      own: () => this.own.heads(),
      acked: options.acked,
      onBeat: (beat, findings, live) => this.#beat(beat, findings, live),
    });
    this.watch = new LivenessWatch({
      fed,
      self: cluster,
      ports,
      previous: (peer) => this.#ownLink(peer),
      proberOf: (peer) => options.proberOf(peer, fed),
      trafficTo: async (peer) => (await options.trafficTo?.(peer, fed)) === true,
      onLink: (peer, link) => this.#linkChanged(peer, link),
    });
    this.#wants = new Wants({
      fed,
      self: cluster,
      ports,
      own: (key) => this.own.registers.get(key),
      put: (key, value) => this.put("WantSet", key, value),
      announce: () => this.own.wanted(),
    });
    this.#saver = new SnapshotSaver({
      fed,
      genesis,
      cursors: () => this.follower.cursors(),
      journal: options.journal,
      ports,
    });
  }

  async start(): Promise<void> {
    const { bus, ports } = this.#options;
    this.own.start();
    this.watch.start();
    const wants = ports.timers.every(WANT_CHECK_MS, () => {
      if (this.own.isSynced && this.follower.synced) this.#wants.check();
    });
    this.#stops.push(
      () => wants.cancel(),
      bus.connection((up) => this.#connection(up)),
    );
    await this.follower.start();
    await this.beats.start();
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop();
    this.beats.stop();
    this.watch.stop();
    this.follower.stop();
    this.own.stop();
    this.#saver.stop();
  }

  get busUp(): boolean {
    return this.#busUp;
  }

  get busRefusal(): string {
    return this.#options.bus.refusal;
  }

  /** Time since the hub was last heard, ms; infinite before. */
  get hubSilentMs(): number {
    return this.#options.ports.clock.monotonicMs() - this.#hubBeatMs;
  }

  get sourceRead(): boolean {
    return this.#sourceRead;
  }

  /** Facts of the file source. The first call completes the own facts. */
  facts(events: readonly RegisterEvent[]): void {
    this.#sourceRead = true;
    this.#changedOwn(this.own.set(events));
    this.#trySync();
  }

  /** A register of the own log beside the file's facts. */
  put(...args: Parameters<OwnLog["put"]>): RegisterEvent[] {
    const changed = this.own.put(...args);
    this.#changedOwn(changed);
    return changed;
  }

  /** The time of the event that set a register, where that was just now. */
  freshAt(ref: RegisterRef): number | undefined {
    const { cluster, ports } = this.#options;
    const atMs = (
      ref.cluster === cluster ? this.own.registers.get(ref.key) : this.fed.get(ref.cluster, ref.key)
    )?.at;
    return atMs !== undefined && ports.clock.nowMs() - atMs < FRESH_MS ? atMs : undefined;
  }

  /** Asks `cluster` for a snapshot. */
  want(cluster: string): void {
    this.#wants.ask(cluster);
  }

  // === own facts ===

  /** Others dial this cluster's endpoints themselves. */
  #hasFlatPeer(): boolean {
    const { cluster } = this.#options;
    return this.fed
      .members()
      .some((peer) => peer.cluster !== cluster && isFlat(this.fed, cluster, peer.cluster));
  }

  /**
   * Writing begins when the facts are whole: the file was read, and what the log alone carries is known, which before
   * the own membership is known waits among the parked.
   */
  #trySync(): void {
    if (!this.#sourceRead || this.own.isSynced || !(this.restored || this.#wasSynced)) return;
    if (this.fed.member(this.#options.cluster) === undefined) return;
    this.#recover();
    this.own.synced();
  }

  /** Registers that no file gives back, from the fold: without them a new epoch's snapshot would sweep them. */
  #recover(): void {
    const { cluster } = this.#options;
    for (const type of ["CommandSet", "LinkSet"] as const)
      for (const view of this.fed.ofType(cluster, type)) this.#recoverOne(view);
  }

  #recoverOne({ type, key, at, value }: RegisterView): void {
    if (this.own.registers.get(key) === undefined)
      this.own.set([{ type, v: 1, key, at, data: value } as RegisterEvent]);
  }

  #changedOwn(events: readonly RegisterEvent[]): void {
    if (events.length === 0) return;
    const { cluster } = this.#options;
    this.#options.onChanged(
      events.map(({ type, key }) => ({ cluster, lane: laneOf(type), key, type })),
      "",
    );
  }

  #ownLink(peer: string): LinkValue | undefined {
    const key = linkKey(peer);
    const folded = this.fed.get(this.#options.cluster, key);
    // Another run wrote it, and this one has begun without: it is to stand in this one's snapshots too.
    if (folded !== undefined) this.#recoverOne(folded);
    return (this.own.registers.get(key)?.data ?? undefined) as LinkValue | undefined;
  }

  #linkChanged(peer: ClusterName, link: LinkValue | null): void {
    this.put("LinkSet", linkKey(peer), link);
  }

  // === others ===

  #connection(up: boolean): void {
    this.#busUp = up;
    this.#options.ports.metrics.gauge("hansa_bus_up", up ? 1 : 0);
    this.watch.bus(up);
  }

  #streamRead(): void {
    if (this.#wasSynced) return;
    this.#wasSynced = true;
    this.#trySync();
    this.#options.onSynced();
  }

  #folded(changed: readonly RegisterRef[], traceparent: string): void {
    const { cluster } = this.#options;
    for (const { key } of changed)
      if (key.startsWith("membership/") || key.startsWith("command/")) {
        this.watch.members();
        this.#checkAdmitted();
        break;
      }
    if (changed.some((ref) => ref.cluster !== cluster && ref.key === wantKey(cluster))) this.own.wanted();
    this.#options.onFolded?.(changed);
    // Own registers act from the moment they are wanted; hearing them again from the bus is no news.
    const news = this.#sourceRead ? changed.filter((ref) => ref.cluster !== cluster) : changed;
    if (news.length > 0) this.#options.onChanged(news, traceparent);
  }

  #checkAdmitted(): void {
    if (this.fed.member(this.#options.cluster) === undefined || !this.#epochs.admitted()) return;
    this.#trySync();
    void this.beats.readLast();
  }

  #beat(beat: Heartbeat, findings: BeatFindings, live: boolean): void {
    const source = this.fed.source(beat.source);
    assert(source !== undefined, "a beat is verified under a known source");
    if (live) this.watch.beat(beat);
    if (source.cluster === "hub") {
      if (live) this.#hubBeatMs = this.#options.ports.clock.monotonicMs();
      for (const head of beat.committed)
        if (head.source === this.#options.account) this.own.committed(head.lane, head);
    }
    this.#noteClaims(beat);
    this.#measureLag(beat, source.cluster);
    for (const gap of findings.behind) this.follower.fill(gap);
    for (const { source: account } of findings.mismatched) {
      const name = this.fed.source(account)?.cluster;
      if (name !== undefined) this.#wants.mismatch(name);
    }
    const { log, metrics } = this.#options.ports;
    for (const { code, cluster, key, message } of findings.equivocations)
      log.error("follow: a log has two histories", { code, source: cluster, key, reason: message });
    for (const { code, cluster, key, message } of findings.disputes) {
      metrics.count("hansa_disputes_total", { source: cluster, speaker: source.cluster });
      log.warn("follow: a log is disputed", { code, source: cluster, key, reason: message });
    }
  }

  /** Records that the source has written and this fold does not hold. */
  #measureLag(beat: Heartbeat, name: string): void {
    const held = this.fed.source(beat.source)?.heads ?? [];
    for (const { lane, epoch, seq } of beat.own) {
      const mine = held.find((head) => head.lane === lane);
      const behind =
        mine?.epoch === epoch ? Math.max(0, seq - mine.seq) : epoch > (mine?.epoch ?? 0) ? seq : 0;
      this.#options.ports.metrics.gauge("hansa_source_lag_records", behind, { source: name, lane });
    }
  }

  #noteClaims(beat: Heartbeat): void {
    this.#epochs.heard(beat);
    for (const { source, lane, epoch, seq } of beat.known) {
      if (source !== this.#options.account) continue;
      if (this.#epochs.isCredible(epoch, this.own.position(lane)?.epoch ?? 0))
        this.own.claimed(lane, { epoch, seq });
    }
  }
}

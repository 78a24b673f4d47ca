/**
 * The federation's state: the fold of all logs (design §3). One object, the same code in the hub and in every agent;
 * independent of how the logs interleave, repeat or arrive late. Holds no clock, reads nothing, never throws on input.
 */
import type { AccountKey } from "@hansa/core";
import {
  type Head,
  type Heartbeat,
  LANES,
  type Lane,
  type LanePart,
  type Operators,
  type RecordEvidence,
  type RegisterType,
  stateDigest,
} from "@hansa/events";
import { type Applied, applyRecord } from "./apply.ts";
import { evidenceFor, heldAt, observeBeat } from "./beats.ts";
import { dumpWorld, restoreWorld } from "./dump.ts";
import { effect } from "./effective.ts";
import { findings } from "./findings.ts";
import type { Source } from "./source.ts";
import { settleTrust } from "./trust.ts";
import type {
  AcceptedCommand,
  ApplyOptions,
  ApplyOutcome,
  BeatFindings,
  FederationOptions,
  Finding,
  FoldInput,
  LogGap,
  Member,
  RegisterOf,
  RegisterView,
  SourceInfo,
} from "./types.ts";
import { World } from "./world.ts";

export class Federation {
  readonly options: FederationOptions;
  #world: World;

  constructor(options: FederationOptions) {
    this.options = options;
    this.#world = new World(options);
  }

  // === input ===

  /** Total: never throws. */
  apply(input: FoldInput, options: ApplyOptions = {}): ApplyOutcome {
    const world = this.#world;
    const applied = applyRecord(world, input, options);
    const gaps: LogGap[] = [];
    while (settleTrust(world)) this.#release(gaps);
    return this.#outcome(applied, gaps);
  }

  /** Parked records whose source and key are known now. */
  #release(gaps: LogGap[]): void {
    const world = this.#world;
    for (const account of [...world.parking.accounts()]) {
      if (!world.sources.has(account)) continue;
      for (const { input, options } of world.parking.take(account)) {
        const applied = applyRecord(world, input, options);
        if (applied.kind !== "gap") continue;
        const { source, lane, after } = applied;
        gaps.push({ source, lane, after });
      }
    }
  }

  #outcome(applied: Applied, gaps: readonly LogGap[]): ApplyOutcome {
    const changed = [...this.#world.changes.values()];
    this.#world.changes.clear();
    // A stale record can still bring a command.
    if (applied.kind === "applied" || (applied.kind === "stale" && changed.length + gaps.length > 0))
      return { kind: "applied", changed, gaps, events: applied.kind === "applied" ? applied.events : [] };
    if (applied.kind === "quarantined") return { ...applied, changed };
    return applied as ApplyOutcome;
  }

  /** A heartbeat whose signature was verified with `source(account).signingKey`. */
  observeBeat(beat: Heartbeat): BeatFindings {
    return observeBeat(this.#world, beat);
  }

  /** The signed part of the record that is held at a position, where it is recent and of the key in force. */
  evidenceAt(at: Omit<Head, "head">): RecordEvidence | undefined {
    const source = this.#world.sources.get(at.source);
    return source && heldAt(source, at)?.evidence;
  }

  /** What the own heartbeat shows of the hub's end and of disputed positions. `turn` = its counter: where there is more, beats take turns. */
  evidence(turn: number): readonly RecordEvidence[] {
    return evidenceFor(this.#world, turn);
  }

  // === sources and members ===

  source(account: string): SourceInfo | undefined {
    const source = this.#world.sources.get(account as AccountKey);
    return source && this.#info(source);
  }

  /** Also `hub`. The account in force. */
  sourceByCluster(name: string): SourceInfo | undefined {
    const source = this.#world.sourceOf(name);
    return source && this.#info(source);
  }

  #info(source: Source): SourceInfo {
    const { account, cluster, degraded } = source;
    const inForce = this.#world.sourceOf(cluster) === source;
    const state = this.#world.members.get(cluster)?.state;
    return {
      cluster,
      account,
      signingKey: source.keys.latest?.raw ?? new Uint8Array(),
      heads: headsOf(source),
      degraded,
      frozen: source.frozen !== undefined,
      live: inForce && (cluster === "hub" || state === "active" || state === "draining"),
    };
  }

  /** Every cluster that was ever admitted, in order of names. */
  members(): readonly Member[] {
    return this.#world.members.clusters().flatMap((cluster) => this.member(cluster) ?? []);
  }

  member(cluster: string): Member | undefined {
    const record = this.#world.members.get(cluster);
    const source = record && this.#world.sources.get(record.account);
    if (record === undefined || source === undefined) return undefined;
    return {
      ...record,
      signingKey: source.keys.latest?.base64 ?? "",
      degraded: source.degraded,
      frozen: source.frozen !== undefined,
    };
  }

  operators(): Operators {
    return this.#world.book.operators;
  }

  /** base64 raw key that signs the hub's log now. */
  hubKey(): string {
    return this.#world.hub.keys.latest?.base64 ?? this.#world.genesis.hubKey;
  }

  /** Operator commands in force, in order of time: what an `operators` order may keep. */
  commands(): readonly AcceptedCommand[] {
    return this.#world.book.accepted();
  }

  // === registers ===

  /** A live register as its source wrote it, whatever its effect. */
  get(cluster: string, key: string): RegisterView | undefined {
    return this.#world.sourceOf(cluster)?.get(key);
  }

  *registers(cluster: string, lane?: Lane): Iterable<RegisterView> {
    const source = this.#world.sourceOf(cluster);
    if (source === undefined) return;
    for (const each of lane === undefined ? LANES : [lane])
      for (const { view } of source.logs[each].registers.all()) if (view !== undefined) yield view;
  }

  /** Live registers of one type, as written. */
  *ofType<Type extends RegisterType>(cluster: string, type: Type): Iterable<RegisterOf<Type>> {
    for (const { view } of this.#world.sourceOf(cluster)?.ofType(type) ?? [])
      if (view !== undefined) yield view as RegisterOf<Type>;
  }

  /** Service, load and endpoint registers of one service, as written. */
  *ofService(cluster: string, namespace: string, name: string): Iterable<RegisterView> {
    for (const { view } of this.#world.sourceOf(cluster)?.ofService(namespace, name) ?? [])
      if (view !== undefined) yield view;
  }

  /** Every service that has a register of any of these kinds. */
  *serviceNames(cluster: string): Iterable<{ readonly namespace: string; readonly name: string }> {
    for (const service of this.#world.sourceOf(cluster)?.services() ?? []) {
      const [namespace = "", name = ""] = service.split("/");
      yield { namespace, name };
    }
  }

  /**
   * The register where it has effect: inside its grant and quotas, by its right writer, of a member that is active or
   * draining. `observer` = the cluster that looks: its own namespaces and addresses need no grant, its exports do.
   */
  effective(cluster: string, key: string, observer?: string): RegisterView | undefined {
    const view = this.get(cluster, key);
    return view && effect(this.#world, cluster, view, observer);
  }

  /** The same rule for a view at hand. */
  effect<View extends RegisterView>(cluster: string, view: View, observer?: string): View | undefined {
    return effect(this.#world, cluster, view, observer);
  }

  /** What has no effect or needs a person; one pass over all registers. */
  findings(): readonly Finding[] {
    return findings(this.#world);
  }

  /** Records that wait for a membership or a key. */
  get parkedCount(): number {
    return this.#world.parking.count;
  }

  // === position and digest ===

  heads(): readonly Head[] {
    return [...this.#world.sources.values()].flatMap(headsOf);
  }

  /** State digest: equal in all folds that hold the same live registers, whatever their history. */
  digest(): string {
    const lanes: LanePart[] = [];
    for (const { account, logs } of this.#world.sources.values())
      for (const lane of LANES)
        if (logs[lane].registers.liveCount > 0)
          lanes.push({ source: account, lane, digest: logs[lane].registers.digest() });
    return stateDigest(lanes, this.options.crypto);
  }

  /** undefined for an unknown source. */
  laneDigest(account: string, lane: Lane): string | undefined {
    return this.#world.sources.get(account as AccountKey)?.logs[lane].registers.digest();
  }

  // === disk ===

  /** JSON-serialisable. Parked records are not part of it: they show as gaps and are fetched again. */
  dump(): unknown {
    return dumpWorld(this.#world);
  }

  /** undefined where `dump` is not a whole dump of this federation. */
  static restore(dump: unknown, options: FederationOptions): Federation | undefined {
    const world = restoreWorld(dump, options);
    if (world === undefined) return undefined;
    const federation = new Federation(options);
    federation.#world = world;
    return federation;
  }
}

function headsOf(source: Source): Head[] {
  return LANES.flatMap((lane) => {
    const head = source.logs[lane].chain.head;
    if (head === undefined) return [];
    return [{ source: source.account, lane, epoch: head.epoch, seq: head.seq, head: head.hash }];
  });
}

/**
 * A whole federation in virtual time: the agents' real core (own log, follower, heartbeats, liveness, disk snapshot), the
 * real hub on an archive in memory, and the bus. Chance kills, stops and cuts them off; the ledger watches.
 */
import {
  type AccountKey,
  base64,
  type ClusterName,
  type FederationName,
  noMetrics,
  silentLog,
} from "@hansa/core";
import {
  commandKey,
  fingerprintOf,
  type Genesis,
  LANES,
  type Lane,
  type LinkValue,
  linkKey,
  type RegisterEvent,
} from "@hansa/events";
import type { Federation, RegisterRef } from "@hansa/model";
import { AgentCore, HUB_SILENT_MS } from "../../services/agent/src/core.ts";
import type { Prober } from "../../services/agent/src/liveness/watch.ts";
import { LateRecords } from "../../services/agent/src/log/late-records.ts";
import { alwaysElected } from "../../services/agent/src/log/writer-lock.ts";
import type { Disk, Ports } from "../../services/agent/src/ports.ts";
import { type Cluster, newCluster, type Running } from "./cluster.ts";
import { difference } from "./difference.ts";
import { endpointFact, loadFact, serviceFact } from "./facts.ts";
import { Hostile } from "./hostile.ts";
import { type Applicant, accountOf } from "./hub/application.ts";
import { Headquarters } from "./hub/headquarters.ts";
import type { SimHub } from "./hub/sim-hub.ts";
import { Kernel, Machine, type Seeded } from "./kernel.ts";
import { Ledger, Observer, Truth } from "./ledger.ts";
import { hold, Left } from "./left.ts";
import { LinkJudge } from "./link-judge.ts";
import { SimBroker } from "./sim-broker.ts";
import { SimLogBus } from "./sim-bus.ts";
import { simCrypto, simSigner } from "./sim-crypto.ts";

const FILE_DELAY_MS = 20;
const FILE_LATE_MS = 10_000;

const HUB_ACCOUNT = accountOf("hub");

export interface WorldSize {
  readonly clusters: number;
  readonly recordsPerLogMax: number;
  /** Whether two agents of one cluster may write at once. */
  readonly twins: boolean;
}

export class World {
  readonly twins: boolean;
  readonly recordsPerLogMax: number;
  readonly kernel: Kernel;
  readonly random: Seeded;
  readonly broker: SimBroker;
  readonly ledger = new Ledger();
  readonly clusters: readonly Cluster[];
  readonly genesis: Genesis;
  readonly #truths: ReadonlyMap<string, Truth>;
  readonly #hubSigner = simSigner("hub");
  readonly headquarters: Headquarters;
  /** All faults have ended. */
  quiet = false;
  /** The first broken invariant. */
  failure: unknown;

  constructor(seed: number, size: WorldSize) {
    this.twins = size.twins;
    this.recordsPerLogMax = size.recordsPerLogMax;
    this.kernel = new Kernel(seed);
    this.random = this.kernel.fork();
    this.broker = new SimBroker(this.kernel, size.recordsPerLogMax);
    this.broker.onStored = (record) => this.#guard(() => this.ledger.record(record));
    this.broker.onWiped = () =>
      this.ledger.wiped(this.clusters.filter(({ hadTwin }) => hadTwin).map((cluster) => cluster.account));
    this.genesis = {
      format: 1,
      federation: "sim.hansa" as FederationName,
      hubKey: base64(this.#hubSigner.publicKey),
      hubAccount: HUB_ACCOUNT,
      operators: { keys: [base64(simSigner("operator").publicKey)], threshold: 1 },
      lab: false,
      createdMs: this.kernel.wallMs(),
    };
    this.clusters = Array.from({ length: size.clusters }, (_, index) => newCluster(`c${index}`, this.random));
    for (const source of [HUB_ACCOUNT, ...this.clusters.map((cluster) => cluster.account)])
      this.ledger.honest.add(source);
    this.headquarters = new Headquarters({
      kernel: this.kernel,
      broker: this.broker,
      genesis: this.genesis,
      signer: this.#hubSigner,
      onBroken: (error) => this.#broke(error),
    });
    const evil = new Truth();
    evil.set(Hostile.kept, 1);
    this.#truths = new Map([
      ["evil", evil],
      ...this.clusters.map(({ name, truth }) => [name, truth] as const),
    ]);
  }

  // === processes ===

  get hub(): SimHub | undefined {
    return this.headquarters.hubs[0];
  }

  get hubMachine(): Machine | undefined {
    return this.hub?.machine;
  }

  startHub(): void {
    if (this.hub === undefined) this.headquarters.start();
  }

  killHub(): void {
    if (this.hub !== undefined) this.headquarters.kill(this.hub);
  }

  /** A member of the name `evil` that lies wherever it may. */
  startHostile(): void {
    const machine = new Machine(this.kernel, "evil");
    const own = accountOf("evil");
    const bus = new SimLogBus({ machine, broker: this.broker, account: own });
    const fingerprint = fingerprintOf(this.genesis, simCrypto);
    this.ledger.keys.set(own, simSigner("evil").publicKey);
    this.ledger.fingerprint = fingerprint;
    this.admit({ name: "evil", signer: simSigner("evil") });
    const hostile = new Hostile({ machine, bus, signer: simSigner("evil"), fingerprint, hub: HUB_ACCOUNT });
    void hostile.start().catch((error: unknown) => this.#broke(error));
  }

  startAgent(cluster: Cluster): void {
    cluster.started = true;
    cluster.running ??= this.#start(cluster, cluster.left, `agent ${cluster.name}`);
  }

  startTwin(cluster: Cluster): void {
    cluster.hadTwin = true;
    cluster.twin ??= this.#start(cluster, new Left(), `twin ${cluster.name}`);
  }

  killAgent(cluster: Cluster, diskLost = false): void {
    this.#kill(cluster.running);
    cluster.running = undefined;
    if (diskLost) cluster.left = new Left();
  }

  killTwin(cluster: Cluster): void {
    this.#kill(cluster.twin);
    this.broker.forgetBeats(cluster.account);
    cluster.twin = undefined;
  }

  setGateway(cluster: Cluster, up: boolean): void {
    if (up && !cluster.gatewayUp) cluster.gatewayUpMs = this.kernel.nowMs;
    cluster.gatewayUp = up;
  }

  /** The wall clock of a cluster's machine jumps. */
  jump(cluster: Cluster, byMs: number): void {
    cluster.skewMs += byMs;
    for (const running of [cluster.running, cluster.twin])
      if (running !== undefined) running.machine.skewMs = cluster.skewMs;
  }

  #rivals(): ReadonlySet<string> {
    return new Set(this.clusters.filter(({ hadTwin }) => hadTwin).map(({ name }) => name));
  }

  #kill(running: Running | undefined): void {
    if (running === undefined) return;
    running.machine.kill();
    this.broker.detach(running.bus);
  }

  #start(cluster: Cluster, left: Left, name: string): Running {
    const machine = new Machine(this.kernel, name, cluster.skewMs);
    const held = hold(left, machine, () => this.#died(cluster, machine));
    const bus = new SimLogBus({
      machine,
      broker: this.broker,
      account: cluster.account,
      onPublish: (record) => {
        if (!left.holds(record)) this.#broke(new Error(`${name} sends a record that it does not hold`));
      },
    });
    const observer = new Observer(name, this.ledger, this.#truths, left.served);
    const links = new LinkJudge();
    const core: AgentCore = new AgentCore({
      genesis: this.genesis,
      cluster: cluster.name as ClusterName,
      account: cluster.account,
      signer: cluster.signer,
      bus,
      outbox: held.outbox,
      journal: held.journal,
      election: alwaysElected,
      ports: this.#ports(machine, held.disk),
      proberOf: (peer) => this.#prober(machine, cluster, peer),
      acked: () => [],
      onChanged: (changed) =>
        this.#guard(() => {
          if (machine.alive) this.#judge(observer, core, links, cluster, changed);
        }),
      onSynced: () => {},
    });
    this.#guard(() => observer.restarted(core.fed, cluster.name, this.#rivals()));
    const running = { machine, bus, core, held };
    new LateRecords({
      bus,
      outbox: held.outbox,
      ports: this.#ports(machine, held.disk),
      hubIsAlive: () => core.busUp && core.hubSilentMs < HUB_SILENT_MS,
      send: (records) => this.headquarters.bringLate(cluster.name, records, machine),
    }).start();
    void core.start().catch((error: unknown) => this.#broke(error));
    // A file may be slow to come, and nothing may be concluded from that.
    const fileMs = this.random.chance(0.2) ? this.random.float() * FILE_LATE_MS : FILE_DELAY_MS;
    machine.timers.after(fileMs, () => core.facts(this.#file(cluster, core)));
    return running;
  }

  /** In the middle of a write. */
  #died(cluster: Cluster, machine: Machine): void {
    if (cluster.running?.machine === machine) this.killAgent(cluster);
    else machine.kill();
  }

  #prober(machine: Machine, from: Cluster, peer: string): Prober {
    return {
      probe: async () => {
        await machine.timers.sleep(5);
        const to = this.clusters.find(({ name }) => name === peer);
        const up = from.netUp && to?.gatewayUp === true;
        return up ? { ok: true, rttMs: 5 } : { ok: false, stage: "tcp", message: "refused" };
      },
      close: () => {},
    };
  }

  #judge(
    observer: Observer,
    core: AgentCore,
    links: LinkJudge,
    self: Cluster,
    changed: readonly RegisterRef[],
  ): void {
    const { name } = self;
    // Own facts act before they are written: they are not the fold's.
    const others = changed.filter(({ cluster }) => cluster !== name);
    observer.judge(core.fed, others, this.#rivals());
    for (const { cluster, key } of changed) {
      const peer = cluster === name && this.clusters.find((each) => key === linkKey(each.name));
      const link = core.own.registers.get(key)?.data as LinkValue | undefined;
      if (peer && link !== undefined)
        links.judge(self, peer, link, this.kernel.nowMs, core.watch.peers().length);
    }
  }

  #ports(machine: Machine, disk: Disk): Ports {
    const { clock, timers, random } = machine;
    return { clock, timers, random, crypto: simCrypto, log: silentLog, metrics: noMetrics, disk };
  }

  #broke(error: unknown): void {
    this.failure ??= error;
  }

  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#broke(error);
    }
  }

  // === facts ===

  /** What the file source says: every fact, and the end of every register that is no fact any more. */
  #file(cluster: Cluster, core: AgentCore): RegisterEvent[] {
    const events: RegisterEvent[] = [...cluster.truth.facts.values()];
    for (const key of core.own.registers.keys()) {
      const register = core.own.registers.get(key);
      if (register === undefined || !/^(service|load|endpoint)\//.test(key) || cluster.truth.facts.has(key))
        continue;
      events.push({ ...register, data: null } as RegisterEvent);
    }
    return events;
  }

  /** Changes one fact of a cluster; its agents hear of it a moment later. */
  change(cluster: Cluster): void {
    const { random } = this;
    const service = `s${random.below(4)}`;
    const generation = cluster.truth.next();
    const fact = random.chance(0.5)
      ? endpointFact(service, `e${random.below(6)}`, generation)
      : random.chance(0.6)
        ? loadFact(service, generation)
        : serviceFact(service, generation);
    if (cluster.truth.facts.has(fact.key) && random.chance(0.3)) cluster.truth.remove(fact.key);
    else cluster.truth.set(fact, generation);
    for (const running of [cluster.running, cluster.twin])
      running?.machine.timers.after(FILE_DELAY_MS, () =>
        running.core.facts(this.#file(cluster, running.core)),
      );
  }

  admit(cluster: Applicant): void {
    this.headquarters.wish(cluster, "member");
  }

  isAdmitted({ name }: Cluster): boolean {
    return this.headquarters.isAdmitted(name);
  }

  /** Leaves, or comes back under the same key, as soon as a hub lets it. */
  setMember(cluster: Cluster, member: boolean): void {
    if (cluster.member === member || !this.isAdmitted(cluster)) return;
    cluster.member = member;
    this.headquarters.wish(cluster, member ? "member" : "left");
  }

  /** Operators put it out: through the hub, and in half of the cases through another member's log too. */
  evict(cluster: Cluster): void {
    if (!cluster.member || !this.isAdmitted(cluster)) return;
    cluster.member = false;
    this.headquarters.wish(cluster, "evicted");
    const carrier = this.present[this.random.below(this.present.length)];
    const core = carrier === cluster ? undefined : carrier?.running?.core;
    const command = core && this.headquarters.commandOf(core.fed, cluster.name, "evict");
    if (command && this.random.chance(0.5)) core?.put("CommandSet", commandKey(command.id), command.value);
  }

  // === the end ===

  /** Clusters that take part by now. */
  get present(): readonly Cluster[] {
    return this.clusters.filter(({ started }) => started);
  }

  /** undefined where every fold holds exactly the facts of every cluster, and nobody is thought to be away. */
  divergence(): string | undefined {
    const { fed } = this.headquarters;
    if (fed === null) return "no hub leads";
    for (const { name } of this.present)
      if (!this.headquarters.isSettled(name)) return `the hub has not let ${name} in`;
    for (const { name, running } of this.present) {
      if (running === undefined) return `${name} is down`;
      const other = this.#honest().find(([source, lane]) => {
        const [mine, theirs] = [running.core.fed, fed];
        return mine.laneDigest(source, lane) !== theirs.laneDigest(source, lane);
      });
      if (other !== undefined)
        return `${name} has another digest of ${other.join(" ")} than the hub: ${difference(running.core.fed, fed)}`;
      const holed = this.present.find((peer) => running.core.fed.sourceByCluster(peer.name)?.degraded);
      if (holed !== undefined) return `${name} holds ${holed.name} with a hole`;
    }
    for (const cluster of this.present) {
      const problem = this.#untrue(cluster, fed) ?? this.#wrongLinks(cluster, fed);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  /** undefined where every fold still holds what this cluster said. */
  forgotten(cluster: Cluster): string | undefined {
    for (const { running } of this.present) {
      const problem = running && this.#untrue(cluster, running.core.fed);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  #untrue({ name, truth }: Cluster, fed: Federation): string | undefined {
    for (const fact of truth.facts.values()) {
      const value = fed.get(name, fact.key)?.value ?? null;
      if (truth.generationOf(fact.key, value) !== truth.generationOf(fact.key, fact.data))
        return `${name} ${fact.key} is not what its cluster says`;
      if (fed.effective(name, fact.key) === undefined) return `${name} ${fact.key} has no effect`;
    }
    for (const view of fed.registers(name))
      if (/^(service|load|endpoint)\//.test(view.key) && !truth.facts.has(view.key))
        return `${name} ${view.key} is held although its cluster withdrew it`;
    return fed.sourceByCluster(name)?.degraded ? `${name} is degraded` : undefined;
  }

  #wrongLinks({ name, running }: Cluster, fed: Federation): string | undefined {
    for (const peer of this.present) {
      if (peer.name === name) continue;
      const state = running?.core.watch.link(peer.name)?.state;
      if (state !== "normal") return `${name} calls ${peer.name} ${state}`;
      const told = (fed.get(name, linkKey(peer.name))?.value as LinkValue | undefined)?.state;
      if (told !== "normal") return `${name} tells that ${peer.name} is ${told}`;
    }
    return undefined;
  }

  #honest(): (readonly [AccountKey, Lane])[] {
    const accounts = [HUB_ACCOUNT, ...this.present.map((cluster) => cluster.account)];
    return accounts.flatMap((source) => LANES.map((lane) => [source, lane] as const));
  }

  digest(): string {
    return this.headquarters.fed?.digest() ?? "";
  }
}

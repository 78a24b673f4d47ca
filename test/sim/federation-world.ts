/**
 * A whole federation in virtual time: the agents' real core (own log, follower, heartbeats, liveness, disk snapshot), a hub
 * double and the bus. Chance kills, stops and cuts them off; the ledger watches.
 */
import { type AccountKey, base64, type FederationName, noMetrics, type Signer, silentLog } from "@hansa/core";
import {
  fingerprintOf,
  type Genesis,
  LANES,
  type Lane,
  membershipKey,
  type RegisterEvent,
} from "@hansa/events";
import { AgentCore } from "../../services/agent/src/core.ts";
import { type Journal, memoryJournal } from "../../services/agent/src/follow/journal.ts";
import { memoryOutbox, type Outbox } from "../../services/agent/src/log/outbox.ts";
import { alwaysElected } from "../../services/agent/src/log/writer-lock.ts";
import type { Disk, Ports } from "../../services/agent/src/ports.ts";
import { membershipOf } from "./admission.ts";
import { difference } from "./difference.ts";
import { endpointFact, loadFact, serviceFact } from "./facts.ts";
import { Hostile } from "./hostile.ts";
import { clusterName, HubDouble, type HubStore } from "./hub-double.ts";
import { Kernel, Machine, type Seeded } from "./kernel.ts";
import { Ledger, Observer, Truth } from "./ledger.ts";
import { SimBroker, SimLogBus } from "./sim-bus.ts";
import { simCrypto, simSigner } from "./sim-crypto.ts";

const FILE_DELAY_MS = 20;

const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

function account(name: string): AccountKey {
  const bytes = simCrypto.sha256(new TextEncoder().encode(name));
  return `A${Array.from({ length: 55 }, (_, index) => BASE32[(bytes[index % 32] ?? 0) % 32]).join("")}` as AccountKey;
}

const HUB_ACCOUNT = account("hub");

function memoryDisk(): Disk {
  const files = new Map<string, Uint8Array>();
  return { read: (name) => files.get(name), write: (name, content) => void files.set(name, content) };
}

/** What an agent leaves behind when it dies. */
interface Left {
  readonly disk: Disk;
  readonly outbox: Outbox;
  readonly journal: Journal;
}

const newLeft = (): Left => ({ disk: memoryDisk(), outbox: memoryOutbox(), journal: memoryJournal() });

/** One agent process. */
interface Running {
  readonly machine: Machine;
  readonly bus: SimLogBus;
  readonly core: AgentCore;
}

export interface Cluster {
  readonly name: string;
  readonly account: AccountKey;
  readonly signer: Signer;
  readonly truth: Truth;
  /** Of the host's wall clock. */
  readonly skewMs: number;
  left: Left;
  running: Running | undefined;
  /** A second agent that believes it is the only one. */
  twin: Running | undefined;
  /** Two agents wrote for it once. */
  hadTwin: boolean;
  gatewayUp: boolean;
}

export interface WorldSize {
  readonly clusters: number;
  readonly recordsPerLogMax: number;
  /** Whether two agents of one cluster may write at once. */
  readonly twins: boolean;
}

export class World {
  readonly twins: boolean;
  readonly kernel: Kernel;
  readonly random: Seeded;
  readonly broker: SimBroker;
  readonly ledger = new Ledger();
  readonly clusters: readonly Cluster[];
  readonly genesis: Genesis;
  readonly #truths: ReadonlyMap<string, Truth>;
  readonly #hubSigner = simSigner("hub");
  readonly #store: HubStore = {
    archive: [],
    memberships: new Map(),
    outbox: memoryOutbox(),
    disk: memoryDisk(),
    checkpoint: { incarnation: "", streamSeq: 0 },
  };
  hub: HubDouble | undefined;
  hubMachine: Machine | undefined;
  /** The first broken invariant. */
  failure: unknown;

  constructor(seed: number, size: WorldSize) {
    this.twins = size.twins;
    this.kernel = new Kernel(seed);
    this.random = this.kernel.fork();
    this.broker = new SimBroker(this.kernel, size.recordsPerLogMax);
    this.broker.onStored = (record) => this.ledger.record(record);
    this.genesis = {
      format: 1,
      federation: "sim.hansa" as FederationName,
      hubKey: base64(this.#hubSigner.publicKey),
      hubAccount: HUB_ACCOUNT,
      operators: { keys: [base64(simSigner("operator").publicKey)], threshold: 1 },
      lab: false,
      createdMs: 1,
    };
    this.clusters = Array.from({ length: size.clusters }, (_, index) => `c${index}`).map((name) => ({
      name,
      account: account(name),
      signer: simSigner(name),
      truth: new Truth(),
      skewMs: (this.random.float() - 0.5) * 60_000,
      left: newLeft(),
      running: undefined,
      twin: undefined,
      hadTwin: false,
      gatewayUp: true,
    }));
    this.#truths = new Map(this.clusters.map(({ name, truth }) => [name, truth]));
  }

  // === processes ===

  startHub(): void {
    const machine = new Machine(this.kernel, "hub");
    const bus = new SimLogBus({ machine, broker: this.broker, account: HUB_ACCOUNT });
    const ports = this.#ports(machine, this.#store.disk);
    const { genesis, broker } = this;
    this.hubMachine = machine;
    this.hub = new HubDouble({
      genesis,
      account: HUB_ACCOUNT,
      signer: this.#hubSigner,
      machine,
      broker,
      bus,
      ports,
      store: this.#store,
    });
    void this.hub.start().catch((error: unknown) => this.#broke(error));
  }

  killHub(): void {
    this.hubMachine?.kill();
    if (this.hub !== undefined) this.broker.detach(this.hub.bus);
    this.hub = undefined;
  }

  /** A member of the name `evil` that lies wherever it may. */
  startHostile(): void {
    const machine = new Machine(this.kernel, "evil");
    const own = account("evil");
    const bus = new SimLogBus({ machine, broker: this.broker, account: own });
    const fingerprint = fingerprintOf(this.genesis, simCrypto);
    this.admit({ name: "evil", account: own, signer: simSigner("evil") });
    const hostile = new Hostile({ machine, bus, signer: simSigner("evil"), fingerprint, hub: HUB_ACCOUNT });
    void hostile.start().catch((error: unknown) => this.#broke(error));
  }

  startAgent(cluster: Cluster): void {
    cluster.running ??= this.#start(cluster, cluster.left, `agent ${cluster.name}`);
  }

  startTwin(cluster: Cluster): void {
    cluster.hadTwin = true;
    cluster.twin ??= this.#start(cluster, newLeft(), `twin ${cluster.name}`);
  }

  killAgent(cluster: Cluster, diskLost: boolean): void {
    this.#kill(cluster.running);
    cluster.running = undefined;
    if (diskLost) cluster.left = newLeft();
  }

  killTwin(cluster: Cluster): void {
    this.#kill(cluster.twin);
    cluster.twin = undefined;
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
    const bus = new SimLogBus({ machine, broker: this.broker, account: cluster.account });
    const observer = new Observer(name, this.ledger, this.#truths);
    const core: AgentCore = new AgentCore({
      genesis: this.genesis,
      cluster: clusterName(cluster.name),
      account: cluster.account,
      signer: cluster.signer,
      bus,
      outbox: left.outbox,
      journal: left.journal,
      election: alwaysElected,
      ports: this.#ports(machine, left.disk),
      proberOf: (peer) => ({
        probe: async () => {
          await machine.timers.sleep(5);
          const up = this.clusters.find((other) => other.name === peer)?.gatewayUp ?? false;
          return up ? { ok: true, rttMs: 5 } : { ok: false, stage: "tcp", message: "refused" };
        },
        close: () => {},
      }),
      acked: () => [],
      onChanged: (changed) => {
        try {
          // Own facts act before they are written: they are not the fold's.
          observer.judge(
            core.fed,
            changed.filter((ref) => ref.cluster !== cluster.name),
            this.#rivals(),
          );
        } catch (error) {
          this.#broke(error);
        }
      },
      onSynced: () => {},
    });
    const running = { machine, bus, core };
    void core.start().catch((error: unknown) => this.#broke(error));
    machine.timers.after(FILE_DELAY_MS, () => core.facts(this.#file(cluster, core)));
    return running;
  }

  #ports(machine: Machine, disk: Disk): Ports {
    const { clock, timers, random } = machine;
    return { clock, timers, random, crypto: simCrypto, log: silentLog, metrics: noMetrics, disk };
  }

  #broke(error: unknown): void {
    this.failure ??= error;
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

  admit(cluster: Pick<Cluster, "name" | "account" | "signer">): void {
    this.hub?.admit(membershipOf(this.genesis, cluster, this.#hubSigner));
  }

  isAdmitted(cluster: Cluster): boolean {
    return this.#store.memberships.has(membershipKey(cluster.name));
  }

  // === the end ===

  /** undefined where every fold holds exactly the facts of every cluster. */
  divergence(): string | undefined {
    const { hub } = this;
    if (hub === undefined) return "the hub is down";
    for (const { name, running } of this.clusters) {
      if (running === undefined) return `${name} is down`;
      const other = this.#honest().find(([source, lane]) => {
        const [mine, theirs] = [running.core.fed, hub.fed];
        return mine.laneDigest(source, lane) !== theirs.laneDigest(source, lane);
      });
      if (other !== undefined)
        return `${name} has another digest of ${other.join(" ")} than the hub: ${difference(running.core.fed, hub.fed)}`;
    }
    for (const { name, truth } of this.clusters) {
      for (const fact of truth.facts.values())
        if (
          truth.generationOf(fact.key, hub.fed.get(name, fact.key)?.value ?? null) !==
          truth.generationOf(fact.key, fact.data)
        )
          return `${name} ${fact.key} is not what its cluster says`;
      for (const view of hub.fed.registers(name))
        if (/^(service|load|endpoint)\//.test(view.key) && !truth.facts.has(view.key))
          return `${name} ${view.key} is held although its cluster withdrew it`;
      if (hub.fed.sourceByCluster(name)?.degraded) return `${name} is degraded`;
    }
    return undefined;
  }

  #honest(): (readonly [AccountKey, Lane])[] {
    const accounts = [HUB_ACCOUNT, ...this.clusters.map((cluster) => cluster.account)];
    return accounts.flatMap((source) => LANES.map((lane) => [source, lane] as const));
  }

  digest(): string {
    return this.hub?.fed.digest() ?? "";
  }
}

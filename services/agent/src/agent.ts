/** Composition of one agent: core, source, identities, data plane and admin API, in the order in which they start. */
import { join } from "node:path";
import { agentId, type ClusterName, type SpiffeId, type TrustDomain } from "@hansa/core";
import { type BundleValue, bundleKey, type LogBus, type RegisterEvent } from "@hansa/events";
import { type Authority, type KeyStore, nodeCrypto, toBundle } from "@hansa/identity";
import type { RegisterRef } from "@hansa/model";
import type { MetricsRegistry } from "@hansa/telemetry";
import type { AgentView } from "./admin/agent-view.ts";
import { openAdmin } from "./admin/open-admin.ts";
import { type AgentConfig, gatewayAddresses } from "./config.ts";
import { AgentCore, HUB_SILENT_MS } from "./core.ts";
import { folderDisk } from "./disk.ts";
import { DnsServer } from "./dns/server.ts";
import { FileCluster } from "./file-cluster.ts";
import { type Journal, openJournal } from "./follow/journal.ts";
import { measure } from "./gauges.ts";
import { logSigner } from "./identity/keys.ts";
import { SvidPool } from "./identity/svids.ts";
import type { Membership } from "./join.ts";
import { KubeCluster } from "./kube-cluster.ts";
import type { KubeDoor } from "./kube-door.ts";
import { gatewayProber, gatewaysOf } from "./liveness/gateway-prober.ts";
import { TrafficEvidence } from "./liveness/traffic.ts";
import { LateRecords } from "./log/late-records.ts";
import { type Outbox, openOutbox } from "./log/outbox.ts";
import { sendRecords } from "./log/send-records.ts";
import { bothElect, type Election, fileElection } from "./log/writer-lock.ts";
import { type CurrentImports, importsWithoutKubernetes } from "./mcs/current-imports.ts";
import type { ImportIndex } from "./mcs/imports.ts";
import { HostNames } from "./names/host-names.ts";
import { nameServers } from "./names/lookup.ts";
import type { Ports } from "./ports.ts";
import { envoyPlaceOf } from "./proxy/admin-place.ts";
import type { InventoryPlace, LocalProxy } from "./proxy/inventory.ts";
import { DataPlane } from "./proxy/plane.ts";
import { ProxySockets } from "./proxy/sockets.ts";
import { takenIn } from "./sidecars.ts";
import { eventOf, factOf, type Place, type WithoutAddress } from "./source/facts.ts";

const GAUGES_MS = 2000;

export type AgentPorts = Omit<Ports, "disk" | "crypto"> & { readonly metrics: MetricsRegistry };

export class Agent implements AgentView {
  readonly config: AgentConfig;
  readonly cluster: ClusterName;
  readonly trustDomain: TrustDomain;
  readonly ports: Ports;
  readonly metrics: MetricsRegistry;
  readonly core: AgentCore;
  readonly plane: DataPlane;
  readonly svids: SvidPool;
  readonly authority: Authority;
  readonly outbox: Outbox;
  readonly sockets: ProxySockets;
  readonly source: KubeCluster | FileCluster;
  /** What this cluster imports, for DNS. */
  readonly imports: ImportIndex & { changed(changed: readonly RegisterRef[]): void };
  readonly #store: KeyStore;
  readonly #bus: LogBus;
  readonly #journal: Journal;
  readonly #late: LateRecords;
  readonly #traffic: TrafficEvidence;
  /** One object for the life of the agent: facts and proxies are known again by it. */
  readonly #place: Place & InventoryPlace;
  readonly #election: Election;
  readonly #names: HostNames;
  /** undefined where the source is a file. */
  readonly #kube: KubeCluster | undefined;
  #stops: (() => void | Promise<void>)[] = [];

  constructor(parts: {
    readonly config: AgentConfig;
    readonly ports: AgentPorts;
    readonly store: KeyStore;
    readonly membership: Membership;
    readonly authority: Authority;
    readonly bus: LogBus;
    readonly door?: KubeDoor | undefined;
  }) {
    const { config, membership, store, authority, bus, door } = parts;
    this.#election = bothElect(fileElection(join(config.dataDir, "writer.lock")), door?.election);
    this.config = config;
    this.metrics = parts.ports.metrics;
    this.ports = { ...parts.ports, crypto: nodeCrypto, disk: folderDisk(config.dataDir) };
    this.cluster = membership.membership.cluster;
    this.trustDomain = membership.trustDomain;
    this.authority = authority;
    const { region, zones, gateway } = config;
    const listens = { ...gateway, address: gateway.listen ?? gateway.address ?? "" };
    this.#place = { trustDomain: this.trustDomain, region, zones, gateways: [listens] };
    this.#names = new HostNames({
      lookup: nameServers(config.nameServers),
      isWanted: (name) => this.source.isNamed(name),
      onChanged: () => this.source.namesChanged(),
      ports: this.ports,
    });
    this.#store = store;
    this.#bus = bus;
    this.sockets = new ProxySockets(config.socketDir, this.ports);
    this.#journal = openJournal(join(config.dataDir, "journal.jsonl"));
    this.outbox = openOutbox(join(config.dataDir, "outbox.db"));
    this.svids = new SvidPool({ authority, ...this.ports, onRenewed: (id) => this.plane.renewed(id) });
    this.#traffic = new TrafficEvidence(parts.ports.clock, () =>
      this.plane.list().flatMap((proxy) => {
        const asks =
          proxy.kind === "sidecar" && (proxy.pod === undefined || this.plane.isConnected(proxy.id));
        return asks ? (envoyPlaceOf(proxy, this) ?? []) : [];
      }),
    );
    this.core = this.#makeCore(membership);
    this.plane = this.#makePlane(membership);
    this.#late = new LateRecords({
      bus,
      outbox: this.outbox,
      ports: this.ports,
      hubIsAlive: () => this.core.busUp && this.core.hubSilentMs < HUB_SILENT_MS,
      send: (records) =>
        sendRecords({ url: config.hub.url, caPem: membership.hubCa, token: membership.apiToken }, records),
    });
    this.#kube = door === undefined ? undefined : this.#makeKubeCluster(door, membership);
    this.source = this.#kube ?? this.#makeFileCluster(membership);
    this.imports = this.#kube?.kubernetes ?? this.#makeImports();
  }

  #makeImports(): CurrentImports {
    return importsWithoutKubernetes({
      input: {
        fed: this.core.reader,
        importer: this.cluster,
        isLost: (peer) => this.core.watch.link(peer)?.state === "lost",
      },
      isSynced: () => this.plane.isOpen,
      monotonicMs: () => this.ports.clock.monotonicMs(),
    });
  }

  #makeFileCluster({ genesis }: Membership): FileCluster {
    const { cluster, config, ports, core } = this;
    return new FileCluster({
      file: config.source.file ?? "",
      cluster,
      federation: genesis.federation,
      ports,
      place: this.#place,
      gateway: { ...config.gateway, addresses: gatewayAddresses(config.gateway) ?? [] },
      own: core.own.registers,
      ...this.#gatewaySight(),
      onProxies: (proxies) => this.#proxiesRead(proxies),
      onFacts: (events) => this.#factsRead(events),
    });
  }

  /** The own log is the memory of what others were told. */
  #gatewaySight() {
    return {
      resolve: (name: string, before: readonly string[]) => this.#names.resolved(name, before),
      rememberedGateways: () =>
        [...this.core.reader.ofType(this.cluster, "GatewaySet")].map(({ key, value }) =>
          factOf("GatewaySet", key, value),
        ),
    };
  }

  #makeKubeCluster(door: KubeDoor, { genesis }: Membership): KubeCluster {
    const { config, ports, core, cluster, trustDomain } = this;
    return new KubeCluster({
      door,
      config,
      ports,
      core,
      store: this.#store,
      cluster,
      federation: genesis.federation,
      isLab: genesis.lab,
      trustDomain,
      place: this.#place,
      ...this.#gatewaySight(),
      isElected: () => this.#election.tryLock(),
      entryPort: (sni) => {
        this.plane.tcpPorts.ensure([sni]);
        return this.plane.tcpPorts.all().get(sni);
      },
      onProxies: (proxies) => this.#proxiesRead(proxies),
      onFacts: (events) => this.#factsRead(events),
      onAddresses: () => this.plane.addressesChanged(),
    });
  }

  #makeCore(membership: Membership): AgentCore {
    return new AgentCore({
      genesis: membership.genesis,
      cluster: this.cluster,
      account: this.#bus.account,
      signer: logSigner(this.#store),
      bus: this.#bus,
      outbox: this.outbox,
      journal: this.#journal,
      election: this.#election,
      ports: this.ports,
      proberOf: (peer, fed) =>
        gatewayProber({ fed, peer, self: this.cluster, ports: this.ports, svid: (id) => this.svids.get(id) }),
      trafficTo: (peer, fed) => this.#traffic.reaches(peer, gatewaysOf(fed, peer)),
      acked: () => this.plane.propagation.acked,
      onChanged: (changed, traceparent) => {
        this.plane.changed(changed, (ref) => this.core.freshAt(ref), traceparent);
        this.imports.changed(changed);
      },
      onFolded: (changed) => this.#kube?.kubernetes.changed(changed),
      onSynced: () => this.#serve(),
    });
  }

  #makePlane(membership: Membership): DataPlane {
    const { config } = this;
    return new DataPlane({
      federation: membership.genesis.federation,
      cluster: this.cluster,
      trustDomain: this.trustDomain,
      region: config.region,
      outboundPort: config.sidecar.outboundPort,
      tcpPortFirst: config.sidecar.tcpPortFirst,
      gatewayMode: config.source.kubernetes?.gatewayMode !== undefined,
      ports: this.ports,
      reader: this.core.reader,
      heads: () => this.core.fed.heads(),
      clusterOf: (account) => this.core.fed.source(account)?.cluster,
      ownRoots: () => this.bundle().roots,
      svid: (id: SpiffeId) => this.svids.get(id),
      evidence: (peer) => this.core.watch.link(peer),
      serve: (proxy, layers, onAck, onCome) =>
        this.#kube?.serve(proxy, layers, onAck, onCome) ?? this.sockets.serve(proxy, layers, onAck),
      ...takenIn(config.source, {
        of: (namespace, name) => this.imports.get(namespace, name)?.ips ?? [],
        clusterIps: (namespace, name) => this.#kube?.kubernetes.clusterIps(namespace, name) ?? [],
      }),
    });
  }

  /** Root rotation raises the sequence; until then there is one root. */
  bundle(): BundleValue {
    return toBundle(this.authority, 1);
  }

  async start(): Promise<void> {
    this.#stops.push(...(await openAdmin(this, this.#store, this.metrics)));
    await this.#openDns();
    this.svids.start();
    await this.source.start();
    await this.core.start();
    if (this.core.restored) this.#serve();
    this.#late.start();
    measure(this);
    const gauges = this.ports.timers.every(GAUGES_MS, () => measure(this));
    this.#stops.push(() => gauges.cancel());
    this.ports.log.info("agent: started", {
      cluster: this.cluster,
      restored: this.core.restored,
      fingerprint: this.core.fingerprint,
    });
  }

  undialable(): readonly WithoutAddress[] {
    return this.source.undialable();
  }

  /** Reasons why this agent is not ready; empty = ready. */
  notReady(): string[] {
    const reasons: string[] = [];
    if (!this.core.sourceRead) reasons.push(`source: ${this.source.status.problems[0] ?? "not read yet"}`);
    if (!this.plane.isOpen)
      reasons.push("follower: the logs were not read yet, and no snapshot was restored");
    if (this.core.fed.member(this.cluster) === undefined)
      reasons.push("membership: not in the hub's log yet");
    return reasons;
  }

  async stop(): Promise<void> {
    await this.source.stop();
    this.#names.stop();
    this.svids.stop();
    this.#late.stop();
    this.core.stop();
    for (const stop of this.#stops.splice(0)) await stop();
    await this.plane.close();
    await this.#bus.close();
    this.outbox.close();
    this.#journal.close();
  }

  /** Envoys are answered once there is something worth telling: what is empty for now must not look like a removal. */
  #serve(): void {
    this.#kube?.kubernetes.recall();
    if (!this.core.sourceRead) return;
    this.plane.open();
  }

  #proxiesRead(proxies: ReadonlyMap<string, LocalProxy>): void {
    this.plane.proxies(proxies);
    this.#keepSvids();
  }

  #factsRead(facts: readonly RegisterEvent[]): void {
    const bundle = eventOf("BundleSet", bundleKey(), this.bundle(), this.ports.clock.nowMs());
    this.core.facts([bundle, ...facts]);
    if (this.core.restored || this.core.follower.synced) this.#serve();
    this.#keepSvids();
  }

  #keepSvids(): void {
    this.svids.keep(new Set([...this.plane.identities(), agentId(this.trustDomain)]));
  }

  async #openDns(): Promise<void> {
    const { config, imports: index, ports } = this;
    if (config.dns === undefined) return;
    const dns = await DnsServer.start({ listen: config.dns.listen, index, ports });
    this.#stops.push(() => dns.close());
  }
}

/**
 * The Kubernetes side of an agent: source of facts, imports with their addresses, and the writer, around one API server.
 * Owns the order in which they come up: facts as soon as they are read, imports once the logs are known too.
 */
import { createHash } from "node:crypto";
import type { ClusterName, FederationName, TrustDomain } from "@hansa/core";
import { portKeyOf } from "@hansa/events";
import { Applier, LeaseElection } from "@hansa/kube";
import { type ChangedRegister, serviceSni } from "@hansa/model";
import { type AgentConfig, gatewayAddresses } from "./config.ts";
import type { AgentCore } from "./core.ts";
import type { KubeDoor } from "./kube-door.ts";
import { ClusterSetIps } from "./mcs/cluster-set-ips.ts";
import type { EntryPlace } from "./mcs/entry.ts";
import { EventWriter } from "./mcs/event-writer.ts";
import { exportState } from "./mcs/export-state.ts";
import { type ImportIndex, Imports, type ServedImport, type ServiceName } from "./mcs/imports.ts";
import { isWithin, parsePool } from "./mcs/ip-pool.ts";
import { ipsOf } from "./mcs/objects.ts";
import { RememberedImports } from "./mcs/remembered-imports.ts";
import { touchedImports } from "./mcs/touched.ts";
import { ImportWriter, keyOfName, type OwnExport } from "./mcs/writer.ts";
import type { Ports } from "./ports.ts";
import type { ClusterIpPort } from "./proxy/cluster-ips.ts";
import type { Fact, WithoutAddress } from "./source/facts.ts";
import type { SourceStatus } from "./source/file-source.ts";
import type { Resolve } from "./source/gateway-addresses.ts";
import type { NamespaceObject, PodObject } from "./source/kube/objects.ts";
import type { PolicyObject } from "./source/kube/policy-objects.ts";
import { PolicyWriter } from "./source/kube/policy-writer.ts";
import { reachOf } from "./source/kube/reach.ts";
import { type Asking, servedMcsVersion, servedPolicies } from "./source/kube/served.ts";
import { KubeSource, type SourceChanges } from "./source/kube-source.ts";

const RECORD_MS = 1000;

export interface KubernetesOptions {
  readonly door: KubeDoor;
  readonly ports: Ports;
  readonly core: AgentCore;
  readonly cluster: ClusterName;
  readonly federation: FederationName;
  readonly trustDomain: TrustDomain;
  readonly region: string;
  readonly zones: readonly string[];
  /** Of the agent: holder of its folder's lock and of the cluster's Lease. */
  readonly isElected: () => boolean;
  /** Local port of the gateway for an import's port, by its SNI; undefined where none is free. */
  readonly entryPort: (sni: string) => number | undefined;
  readonly onFacts: (facts: ReadonlyMap<string, Fact>) => void;
  readonly onChanges: (changes: Pick<SourceChanges, "set" | "gone">) => void;
  readonly onPod: (key: string, pod: PodObject | undefined) => void;
  readonly onNamespace: (name: string, namespace: NamespaceObject | undefined) => void;
  /** Imports have their addresses. */
  readonly onAddresses: () => void;
  /** Holds until a MeshGateway does. */
  readonly gateway: AgentConfig["gateway"];
  readonly rememberedGateways: () => Iterable<Fact<"GatewaySet">>;
  readonly resolve: Resolve;
}

export class Kubernetes implements ImportIndex {
  readonly #options: KubernetesOptions;
  readonly #ips: ClusterSetIps;
  readonly #imports: Imports;
  readonly #remembered: RememberedImports;
  #source: KubeSource | undefined;
  #writer: ImportWriter | undefined;
  #isStopped = false;
  #isRead = false;
  #waitsFor = "the MCS API was not read yet";
  #stops: (() => void)[] = [];

  constructor(options: KubernetesOptions) {
    this.#options = options;
    const { core, cluster, door } = options;
    this.#ips = new ClusterSetIps({
      pools: door.config.clusterSetIps.flatMap((cidr) => parsePool(cidr) ?? []),
      isTaken: (address) =>
        door.config.serviceCidrs.some((cidr) => isWithin(address, cidr)) ||
        this.#source?.isClusterIp(address) === true,
    });
    this.#imports = new Imports({
      input: {
        fed: core.reader,
        importer: cluster,
        isLost: (peer) => core.watch.link(peer)?.state === "lost",
      },
      ips: this.#ips,
      isSynced: () => this.synced,
      hasNamespace: (namespace) => !this.#isRead || this.#source?.namespaces.values.has(namespace) === true,
      monotonicMs: () => options.ports.clock.monotonicMs(),
    });
    this.#remembered = new RememberedImports({
      disk: options.ports.disk,
      ips: this.#ips,
      imports: this.#imports,
    });
  }

  // === what DNS reads ===

  get(namespace: string, name: string): ServedImport | undefined {
    return this.#imports.get(namespace, name);
  }

  hasNamespace(namespace: string): boolean {
    return this.#imports.hasNamespace(namespace);
  }

  /** The logs are known, if only from the disk, and so is what the API server held. */
  get synced(): boolean {
    const { core } = this.#options;
    return this.#isRead && core.sourceRead && (core.restored || core.follower.synced);
  }

  // === life ===

  /** Endpoints that nobody can dial, by Service (HSA4009). */
  undialable(): WithoutAddress[] {
    return (this.#source?.facts.unmeshed() ?? []).map(({ key, count }) => {
      const [namespace = "", service = ""] = key.split("/");
      return { namespace, service, count };
    });
  }

  /** Of a Service whose pods all take mTLS: its own address, port by port. */
  clusterIps(namespace: string, name: string): ClusterIpPort[] {
    const facts = this.#source?.facts;
    const key = `${namespace}/${name}`;
    const service = facts?.services().get(key);
    if (service === undefined || facts?.isUnmeshed(key) !== false) return [];
    return service.clusterIps.flatMap((ip) =>
      service.ports
        .filter(({ transport }) => transport === "TCP")
        .map((port) => ({ ip, portKey: portKeyOf(port), port: port.port })),
    );
  }

  get status(): SourceStatus {
    const source = this.#source;
    const file = this.#options.door.access.source.name;
    if (source === undefined) return { file, version: "", loadedMs: 0, problems: [this.#waitsFor] };
    return { ...source.status, ...reachOf([...source.reflectors, ...(this.#writer?.reflectors ?? [])]) };
  }

  start(): void {
    void this.#start();
  }

  async #start(): Promise<void> {
    const { door, ports } = this.#options;
    const asking = this.#asking();
    const version = await servedMcsVersion(asking);
    const policyKinds = await servedPolicies(asking);
    if (version === undefined || this.#isStopped) return;
    const { core, cluster, federation, trustDomain, region, zones, onFacts, onChanges } = this.#options;
    const { client } = door;
    const { exportTo, endpointSlices } = door.config;
    const events = new EventWriter({ client, ports, mayWrite: this.#options.isElected });
    const writer = new ImportWriter({
      client,
      ports,
      version,
      fed: core.reader,
      cluster,
      imports: this.#imports,
      ownExport: (key) => this.#ownExport(key),
      ownExports: () => this.#source?.facts.exports().keys() ?? [],
      hash: (text) => createHash("sha256").update(text).digest("hex").slice(0, 16),
      slices: endpointSlices,
      events,
      mayWrite: () => this.mayWrite(),
      entry: this.#entry(),
      namespaces: () => source.namespaces,
      onRead: () => this.#read(),
    });
    const source = new KubeSource({
      client,
      ports,
      version,
      policyKinds,
      configuredGateway: this.#configuredGateway(),
      rememberedGateways: this.#options.rememberedGateways,
      resolve: this.#options.resolve,
      place: {
        cluster,
        federation,
        region,
        zones,
        exportTo,
        gatewayMode: door.config.gatewayMode !== undefined,
      },
      trustDomain,
      name: door.access.source.name,
      expectedServices: [...core.own.registers.list("service/")].length,
      onFacts: (facts) => {
        onFacts(facts);
        // From now on the own services are those of the API server, not those that the log remembers.
        if (this.#isRead) this.#refreshAll();
      },
      onPod: this.#options.onPod,
      onEndpoints: (service) => {
        if (door.entry !== undefined && "service" in door.entry && door.entry.service === service)
          writer.entriesChanged();
      },
      onNamespaces: (changes) => {
        for (const change of changes)
          this.#options.onNamespace(change.key, change.kind === "set" ? change.value : undefined);
        writer.namespacesChanged(changes.map(({ key }) => key));
      },
      onChanges: (changes) => {
        onChanges(changes);
        writer.changed(changes.exports);
        policyWriter.changed(changes.policies);
      },
    });
    const mayWrite = (): boolean => source.synced && this.#options.isElected();
    const applier = new Applier({ client, ports, mayWrite });
    const policyWriter = new PolicyWriter({ policies: source.policies, applier, events, ports, mayWrite });
    this.#writer = writer;
    this.#source = source;
    const record = ports.timers.every(RECORD_MS, () => {
      if (this.#isRead) this.#remembered.record();
    });
    this.#stops.push(
      () => record.cancel(),
      () => source.stop(),
      () => writer.stop(),
      () => policyWriter.stop(),
      () => applier.stop(),
      () => events.stop(),
    );
    policyWriter.start();
    source.start();
    writer.start();
  }

  #asking(): Asking {
    const { door, ports } = this.#options;
    return {
      client: door.client,
      access: door.access,
      ports,
      isStopped: () => this.#isStopped,
      onWait: (problem) => {
        this.#waitsFor = problem === "" ? "the API server is being read" : problem;
      },
    };
  }

  /** Judged by the rules of the kind that takes its place. */
  #configuredGateway(): PolicyObject {
    const { gateway } = this.#options;
    const { name, service, port } = gateway;
    const addresses = gatewayAddresses(gateway);
    const place = service === undefined ? { addresses } : { service };
    const spec = { ...place, port } as PolicyObject["spec"];
    return { kind: "MeshGateway", namespace: "", name, generation: 0, spec, conditions: [] };
  }

  isNamed(name: string): boolean {
    return this.#source?.policies.isNamed(name) === true;
  }

  /** Host names may have other addresses now. */
  namesChanged(): void {
    this.#source?.namesChanged();
  }

  #entry(): EntryPlace | undefined {
    const { door, federation, entryPort } = this.#options;
    const { entry } = door;
    if (entry === undefined) return undefined;
    return {
      addresses: () =>
        "addresses" in entry ? entry.addresses : (this.#source?.facts.addressesOf(entry.service) ?? []),
      portOf: ({ namespace, name }, { portKey }) =>
        entryPort(serviceSni(portKey, name, namespace, federation)),
    };
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const stop of this.#stops.splice(0)) stop();
    const { election, access } = this.#options.door;
    if (election instanceof LeaseElection) await election.stop();
    access.close();
  }

  // === imports ===

  /** Registers changed, others' or own ones. */
  changed(changed: readonly ChangedRegister[]): void {
    const { core, cluster } = this.#options;
    const touched = touchedImports(changed, core.reader, cluster);
    if (touched.length === 0) return;
    if (this.#isRead) this.#refresh(touched);
    else this.#remembered.changed(touched);
  }

  /** The logs are known. Until the API server is, DNS answers what was imported when this agent last ran. */
  recall(): void {
    if (!this.#isRead) this.#remembered.recall();
  }

  #read(): void {
    const ours = [...(this.#writer?.actual ?? [])]
      .filter(([, known]) => known.ours)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    this.#remembered.replaced(ours.map(([key, known]) => [key, ipsOf(known)]));
    this.#isRead = true;
    this.#refreshAll();
  }

  #refreshAll(): void {
    this.#refresh("all");
    this.#options.onAddresses();
  }

  #refresh(services: "all" | readonly ServiceName[]): void {
    this.#writer?.changed(this.#imports.refresh(services).map(keyOfName));
    this.#options.ports.metrics.gauge("hansa_service_imports", this.#imports.size);
  }

  /** Never from caches that were not read whole, and one writer per cluster. */
  mayWrite(): boolean {
    const { core, cluster, isElected } = this.#options;
    return (
      this.#isRead &&
      this.#source?.synced === true &&
      core.follower.synced &&
      core.own.isSynced &&
      core.fed.member(cluster) !== undefined &&
      isElected()
    );
  }

  #ownExport(key: string): OwnExport | undefined {
    const facts = this.#source?.facts;
    const object = facts?.exports().get(key);
    const validity = facts?.validityOf(key);
    const { core, cluster } = this.#options;
    return object === undefined || validity === undefined
      ? undefined
      : { object, validity, state: exportState(core, cluster, key) };
  }
}

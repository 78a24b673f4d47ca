/** Composition of one agent: core, file source, identities, data plane and admin API, in the order in which they start. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connectBus } from "@hansa/bus";
import { agentId, type ClusterName, HansaError, hex, type SpiffeId, type TrustDomain } from "@hansa/core";
import { type BundleValue, bundleKey, LANES, type LogBus, type RegisterEvent } from "@hansa/events";
import { type Authority, callApi, type KeyStore, nodeCrypto, openKeyStore, toBundle } from "@hansa/identity";
import type { MetricsRegistry } from "@hansa/telemetry";
import type { AgentView } from "./admin/agent-view.ts";
import { hashToken, type TokenEntry } from "./admin/auth.ts";
import { agentRoutes } from "./admin/routes-agent.ts";
import { meshRoutes } from "./admin/routes-mesh.ts";
import { adminServer } from "./admin/server.ts";
import type { AgentConfig } from "./config.ts";
import { AgentCore, HUB_SILENT_MS } from "./core.ts";
import { folderDisk } from "./disk.ts";
import { DnsServer } from "./dns/server.ts";
import { type Journal, openJournal } from "./follow/journal.ts";
import { adminAuthority, busIdentity, clusterAuthority, logSigner } from "./identity/keys.ts";
import { SvidPool } from "./identity/svids.ts";
import { ensureMembership, type Membership } from "./join.ts";
import { gatewayProber, gatewaysOf } from "./liveness/gateway-prober.ts";
import { TrafficEvidence } from "./liveness/traffic.ts";
import { LateRecords } from "./log/late-records.ts";
import { OUTBOX_RECORDS_MAX, type Outbox, openOutbox } from "./log/outbox.ts";
import { fileElection } from "./log/writer-lock.ts";
import { type CurrentImports, importsWithoutKubernetes } from "./mcs/current-imports.ts";
import type { Ports } from "./ports.ts";
import { adminPlaceOf } from "./proxy/admin-place.ts";
import { type InventoryPlace, proxiesOf } from "./proxy/inventory.ts";
import { DataPlane } from "./proxy/plane.ts";
import { ProxySockets } from "./proxy/sockets.ts";
import type { SourceDocument } from "./source/document.ts";
import { factEvents, type Place } from "./source/facts.ts";
import { FileSource } from "./source/file-source.ts";

const GAUGES_MS = 2000;
const LATE_TIMEOUT_MS = 30_000;
const ADMIN_RENEW_CHECK_MS = 3_600_000;

type AgentPorts = Omit<Ports, "disk" | "crypto"> & { readonly metrics: MetricsRegistry };

export class Agent implements AgentView {
  readonly config: AgentConfig;
  readonly cluster: ClusterName;
  readonly trustDomain: TrustDomain;
  readonly ports: Ports;
  readonly metrics: MetricsRegistry;
  readonly core: AgentCore;
  readonly plane: DataPlane;
  readonly imports: CurrentImports;
  readonly svids: SvidPool;
  readonly authority: Authority;
  readonly outbox: Outbox;
  readonly sockets: ProxySockets;
  readonly source: FileSource;
  readonly #store: KeyStore;
  readonly #bus: LogBus;
  readonly #journal: Journal;
  readonly #late: LateRecords;
  readonly #traffic: TrafficEvidence;
  /** One object for the life of the agent: facts and proxies are known again by it. */
  readonly #place: Place & InventoryPlace;
  document: SourceDocument | undefined;
  #stops: (() => void | Promise<void>)[] = [];

  constructor(parts: {
    readonly config: AgentConfig;
    readonly ports: AgentPorts;
    readonly store: KeyStore;
    readonly membership: Membership;
    readonly authority: Authority;
    readonly bus: LogBus;
  }) {
    const { config, membership, store, authority, bus } = parts;
    this.config = config;
    this.metrics = parts.ports.metrics;
    this.ports = { ...parts.ports, crypto: nodeCrypto, disk: folderDisk(config.dataDir) };
    this.cluster = membership.membership.cluster;
    this.trustDomain = membership.trustDomain;
    this.authority = authority;
    const { region, zones, gateway } = config;
    this.#place = { trustDomain: this.trustDomain, region, zones, gateways: [gateway] };
    this.#store = store;
    this.#bus = bus;
    this.sockets = new ProxySockets(config.socketDir, this.ports);
    this.#journal = openJournal(join(config.dataDir, "journal.jsonl"));
    this.outbox = openOutbox(join(config.dataDir, "outbox.db"));
    this.svids = new SvidPool({ authority, ...this.ports, onRenewed: (id) => this.plane.renewed(id) });
    this.#traffic = new TrafficEvidence(parts.ports.clock, () =>
      this.plane
        .list()
        .filter(({ kind }) => kind === "sidecar")
        .map((proxy) => adminPlaceOf(proxy, this.sockets, config.sidecar.adminPort)),
    );
    this.core = this.#makeCore(membership);
    this.plane = this.#makePlane(membership);
    this.imports = importsWithoutKubernetes({
      input: {
        fed: this.core.reader,
        importer: this.cluster,
        isLost: (peer) => this.core.watch.link(peer)?.state === "lost",
      },
      isSynced: () => this.plane.isOpen,
      monotonicMs: () => this.ports.clock.monotonicMs(),
    });
    this.#late = new LateRecords({
      bus,
      outbox: this.outbox,
      ports: this.ports,
      hubIsAlive: () => this.core.busUp && this.core.hubSilentMs < HUB_SILENT_MS,
      send: async (records) => {
        const hub = { url: config.hub.url, caPem: membership.hubCa, token: membership.apiToken };
        await callApi(hub, {
          method: "POST",
          path: "/v1/records",
          body: { records },
          timeoutMs: LATE_TIMEOUT_MS,
        });
      },
    });
    this.source = new FileSource({
      file: config.source.file,
      context: { cluster: this.cluster, federation: membership.genesis.federation },
      log: this.ports.log,
      metrics: this.metrics,
      timers: this.ports.timers,
      nowMs: () => this.ports.clock.nowMs(),
      onDocument: (document) => this.#documentChanged(document),
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
      election: fileElection(join(this.config.dataDir, "writer.lock")),
      ports: this.ports,
      proberOf: (peer, fed) =>
        gatewayProber({ fed, peer, self: this.cluster, ports: this.ports, svid: (id) => this.svids.get(id) }),
      trafficTo: (peer, fed) => this.#traffic.reaches(peer, gatewaysOf(fed, peer)),
      acked: () => this.plane.propagation.acked,
      onChanged: (changed, traceparent) => {
        this.plane.changed(changed, (ref) => this.core.freshAt(ref), traceparent);
        this.imports.changed(changed);
      },
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
      ports: this.ports,
      reader: this.core.reader,
      heads: () => this.core.fed.heads(),
      clusterOf: (account) => this.core.fed.source(account)?.cluster,
      ownRoots: () => this.bundle().roots,
      svid: (id: SpiffeId) => this.svids.get(id),
      evidence: (peer) => this.core.watch.link(peer),
      serve: (proxy, layers, onAck) => this.sockets.serve(proxy, layers, onAck),
    });
  }

  /** Root rotation raises the sequence; until then there is one root. */
  bundle(): BundleValue {
    return toBundle(this.authority, 1);
  }

  async start(): Promise<void> {
    await this.#openAdmin();
    await this.#openDns();
    this.svids.start();
    this.source.start();
    await this.core.start();
    if (this.core.restored) this.#serve();
    this.#late.start();
    this.#gauges();
    const gauges = this.ports.timers.every(GAUGES_MS, () => this.#gauges());
    this.#stops.push(() => gauges.cancel());
    this.ports.log.info("agent: started", {
      cluster: this.cluster,
      restored: this.core.restored,
      fingerprint: this.core.fingerprint,
    });
  }

  /** Reasons why this agent is not ready; empty = ready. */
  notReady(): string[] {
    const reasons: string[] = [];
    if (this.document === undefined)
      reasons.push(`source: ${this.source.status.problems[0] ?? "not read yet"}`);
    if (!this.plane.isOpen)
      reasons.push("follower: the logs were not read yet, and no snapshot was restored");
    if (this.core.fed.member(this.cluster) === undefined)
      reasons.push("membership: not in the hub's log yet");
    return reasons;
  }

  async stop(): Promise<void> {
    this.source.stop();
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
    if (this.document === undefined) return;
    this.plane.open();
  }

  #documentChanged(document: SourceDocument): void {
    const place = this.#place;
    this.document = document;
    const facts: RegisterEvent[] = factEvents(
      document,
      place,
      this.core.own.registers,
      this.ports.clock.nowMs(),
    );
    const bundle: RegisterEvent = {
      type: "BundleSet",
      v: 1,
      key: bundleKey(),
      at: this.ports.clock.nowMs(),
      data: this.bundle(),
    };
    this.plane.proxies(proxiesOf(document, place));
    this.core.facts([bundle, ...facts]);
    if (this.core.restored || this.core.follower.synced) this.#serve();
    this.svids.keep(
      new Set([...this.plane.list().map(({ spiffeId }) => spiffeId), agentId(this.trustDomain)]),
    );
  }

  async #openDns(): Promise<void> {
    const { config, imports: index, ports } = this;
    if (config.dns === undefined) return;
    const dns = await DnsServer.start({ listen: config.dns.listen, index, ports });
    this.#stops.push(() => dns.close());
  }

  async #openAdmin(): Promise<void> {
    const { admin, dataDir } = this.config;
    const authority = adminAuthority(this.#store, this.cluster, this.ports);
    writeFileSync(join(dataDir, "admin-ca.pem"), authority.certPem, { mode: 0o644 });
    const names = [...new Set([admin.host, "localhost"])];
    const issue = () => {
      const { certPem, keyPem } = authority.issueServer(names);
      return { cert: certPem, key: keyPem };
    };
    const { app, setTls } = adminServer({
      tls: issue(),
      tokens: this.#adminTokens(),
      routes: [...agentRoutes(this), ...meshRoutes(this)],
      log: this.ports.log,
      metrics: this.metrics,
    });
    // Certificates last 30 days; a new one each day costs nothing and never runs out.
    let sinceRenewalMs = 0;
    const renewal = this.ports.timers.every(ADMIN_RENEW_CHECK_MS, () => {
      sinceRenewalMs += ADMIN_RENEW_CHECK_MS;
      if (sinceRenewalMs < 24 * ADMIN_RENEW_CHECK_MS) return;
      sinceRenewalMs = 0;
      setTls(issue());
    });
    try {
      await app.listen({ host: admin.host, port: admin.port });
    } catch (error) {
      throw new HansaError(
        "HSA1012",
        `admin: cannot listen on ${admin.host}:${admin.port}: ${(error as Error).message}`,
      );
    }
    this.#stops.push(
      () => renewal.cancel(),
      async () => {
        await app.close();
      },
    );
  }

  /** Without configured tokens one is made for whoever may read the agent's folder. */
  #adminTokens(): readonly TokenEntry[] {
    const { tokens } = this.config.admin;
    if (tokens.length > 0) return tokens;
    const secret = this.#store.ensure("admin.token", () => hex(this.ports.random.bytes(32)));
    return [{ name: "local", role: "admin", sha256: hashToken(secret.trim()) }];
  }

  #gauges(): void {
    const { core, metrics } = this;
    this.svids.measure();
    metrics.gauge("hansa_queue_depth", this.outbox.depth(), { queue: "outbox" });
    metrics.gauge("hansa_queue_bound", OUTBOX_RECORDS_MAX, { queue: "outbox" });
    metrics.gauge("hansa_queue_depth", this.plane.propagation.waiting, { queue: "unacked-builds" });
    for (const lane of LANES)
      metrics.gauge("hansa_queue_depth", core.own.pending(lane), { queue: `pending-${lane}` });
    metrics.gauge("hansa_hub_up", core.hubSilentMs < HUB_SILENT_MS ? 1 : 0);
  }
}

/** Makes keys at the first start, joins with the token, and answers an agent that is ready to start. */
export async function createAgent(
  config: AgentConfig,
  ports: AgentPorts,
  joinToken: string | undefined,
): Promise<Agent> {
  const store = openKeyStore(join(config.dataDir, "keys"));
  const identity = busIdentity(store);
  const membership = await ensureMembership(
    { config, store, signer: logSigner(store), bus: identity, ports },
    joinToken,
  );
  const authority = clusterAuthority(store, membership.trustDomain, ports);
  const bus = await connectBus({
    servers: config.nats.servers,
    account: identity.accountKey,
    creds: { jwt: membership.userJwt, seed: identity.userSeed },
    name: `agent ${config.cluster}`,
    log: ports.log,
    timers: ports.timers,
    random: ports.random,
    ...(config.nats.caPem === undefined ? {} : { caPem: config.nats.caPem }),
  });
  return new Agent({ config, ports, store, membership, authority, bus });
}

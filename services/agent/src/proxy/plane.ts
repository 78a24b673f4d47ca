/**
 * The data plane of one cluster: keeps every local Envoy's resources equal to the view of the fold. A change is
 * computed and pushed at once, for the services it concerns; changes of one turn of the loop are taken together.
 */
import type { ClusterName, FederationName, SpiffeId, TrustDomain } from "@hansa/core";
import type { BundleValue, Head, LinkValue } from "@hansa/events";
import type { Svid } from "@hansa/identity";
import {
  affectedServices,
  type RegisterRef,
  type ServiceKey,
  type ServingPort,
  serviceKeys,
  servingPorts,
} from "@hansa/model";
import { ResourceLayer, type TrustBundles, TYPE_URL } from "@hansa/xds";
import type { LocalReader } from "../local-reader.ts";
import type { Disk, Ports } from "../ports.ts";
import { gatewayEndpoints, gatewayLayer } from "./gateway-layer.ts";
import type { Gateway, LocalProxy, Sidecar } from "./inventory.ts";
import { Propagation } from "./propagation.ts";
import { type ResourceSet, sidecarLayer } from "./sidecar-layer.ts";
import { TcpPorts } from "./tcp-ports.ts";
import { ZoneLayer } from "./zone-layer.ts";

/** One proxy's ADS server; opened by the adapter. */
export interface ProxyServer {
  close(): Promise<void>;
  /** Lowest revision that every open stream has acknowledged; undefined where no stream is open. */
  ackedRevision(): number | undefined;
  status(): unknown;
}

export interface PlaneOptions {
  readonly federation: FederationName;
  readonly cluster: ClusterName;
  readonly trustDomain: TrustDomain;
  readonly region: string;
  readonly outboundPort: number;
  readonly tcpPortFirst: number;
  readonly ports: Pick<Ports, "clock" | "timers" | "log" | "metrics" | "crypto"> & { readonly disk: Disk };
  readonly reader: LocalReader;
  readonly heads: () => readonly Head[];
  /** DER roots of the own trust domain, base64. */
  readonly ownRoots: () => readonly string[];
  readonly svid: (id: SpiffeId) => Svid;
  readonly evidence: (peer: string) => LinkValue | undefined;
  /** Opens the proxy's socket over these layers; `onAck` is called after each acknowledgement. */
  readonly serve: (proxy: LocalProxy, layers: readonly ResourceLayer[], onAck: () => void) => ProxyServer;
}

interface Served {
  proxy: LocalProxy;
  readonly layer: ResourceLayer;
  readonly server: ProxyServer;
}

export class DataPlane {
  readonly #options: PlaneOptions;
  readonly propagation: Propagation;
  readonly tcpPorts: TcpPorts;
  readonly #zones = new Map<string, ZoneLayer>();
  readonly #served = new Map<string, Served>();
  readonly #serving = new Map<string, readonly ServingPort[]>();
  #proxies: ReadonlyMap<string, LocalProxy> = new Map();
  #bundles: TrustBundles = new Map();
  #open = false;
  #scheduled = false;
  /** What the next build has to look at. */
  #all = true;
  #services = new Map<string, ServiceKey>();
  #ownServices = new Set<string>();
  #staleSidecars = new Set<string>();
  #sources = new Map<string, number>();
  #stops: (() => void)[] = [];
  #stopped = false;

  constructor(options: PlaneOptions) {
    this.#options = options;
    const { clock, metrics, disk } = options.ports;
    this.propagation = new Propagation({ clock, metrics, importer: options.cluster, heads: options.heads });
    this.tcpPorts = new TcpPorts(disk, options.tcpPortFirst);
  }

  /** From here on sockets are open. Called once the state is worth serving: restored, or read to the stream's end. */
  open(): void {
    if (this.#open) return;
    this.#open = true;
    const timer = this.#options.ports.timers.every(1000, () => this.#returns());
    this.#stops.push(() => timer.cancel());
    this.everything();
  }

  get isOpen(): boolean {
    return this.#open;
  }

  async close(): Promise<void> {
    this.#stopped = true;
    for (const stop of this.#stops.splice(0)) stop();
    await Promise.all([...this.#served.values()].map(({ server }) => server.close()));
    this.#served.clear();
  }

  proxies(proxies: ReadonlyMap<string, LocalProxy>): void {
    for (const [id, proxy] of proxies) {
      const before = this.#proxies.get(id);
      if (before !== undefined && JSON.stringify(flat(before)) === JSON.stringify(flat(proxy))) continue;
      this.#staleSidecars.add(id);
    }
    this.#proxies = proxies;
    this.#schedule();
  }

  changed(refs: readonly RegisterRef[], atOf: (ref: RegisterRef) => number | undefined): void {
    const { cluster } = this.#options;
    const relevant = refs.filter((ref) => concerns(ref, cluster));
    if (relevant.length === 0) return;
    for (const ref of relevant) {
      const atMs = atOf(ref);
      const known = this.#sources.get(ref.cluster);
      if (atMs !== undefined && (known === undefined || atMs < known)) this.#sources.set(ref.cluster, atMs);
      if (ref.cluster === cluster && ref.key.startsWith("service/"))
        this.#ownServices.add(ref.key.slice("service/".length));
    }
    const affected = relevant.some(({ key }) => key === "bundle")
      ? "all"
      : affectedServices(relevant, this.#options.reader);
    if (affected === "all") this.#all = true;
    else for (const service of affected) this.#services.set(`${service.namespace}/${service.name}`, service);
    this.#schedule();
  }

  everything(): void {
    this.#all = true;
    this.#schedule();
  }

  renewed(id: SpiffeId): void {
    for (const [name, { proxy }] of this.#served) if (proxy.spiffeId === id) this.#staleSidecars.add(name);
    this.#schedule();
  }

  zone(name: string): ZoneLayer | undefined {
    return this.#zones.get(name);
  }

  get zones(): readonly string[] {
    return [...this.#zones.keys()];
  }

  get(id: string): LocalProxy | undefined {
    return this.#proxies.get(id);
  }

  list(): LocalProxy[] {
    return [...this.#proxies.values()];
  }

  status(id: string): unknown {
    return this.#served.get(id)?.server.status();
  }

  layersOf(id: string): readonly ResourceLayer[] {
    const served = this.#served.get(id);
    return served === undefined ? [] : this.#layers(served.proxy, served.layer);
  }

  #returns(): void {
    const nowMs = this.#options.ports.clock.monotonicMs();
    for (const zone of this.#zones.values())
      for (const service of zone.due(nowMs))
        this.#services.set(`${service.namespace}/${service.name}`, service);
    if (this.#services.size > 0) this.#schedule();
  }

  /** No debounce: the build runs when the present turn of the loop ends. */
  #schedule(): void {
    if (this.#scheduled || !this.#open || this.#stopped) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      if (!this.#stopped) this.#build();
    });
  }

  #build(): void {
    const { ports, heads } = this.#options;
    const startMs = ports.clock.monotonicMs();
    const all = this.#all;
    const services = all
      ? serviceKeys(this.#options.reader, this.#options.cluster)
      : [...this.#services.values()];
    const sources = this.#sources;
    const ownServices = this.#ownServices;
    const stale = this.#staleSidecars;
    this.#all = false;
    this.#services = new Map();
    this.#sources = new Map();
    this.#ownServices = new Set();
    this.#staleSidecars = new Set();

    if (all) this.#bundles = this.#readBundles();
    this.#readServing(services, all);
    let revision = this.#buildZones(services, all, stale);
    revision = Math.max(revision, this.#buildOwn(services, all, ownServices, stale));
    this.#closeGone();
    ports.metrics.observe("hansa_build_seconds", (ports.clock.monotonicMs() - startMs) / 1000);
    this.propagation.built(revision, heads(), sources);
    this.acked();
  }

  /** Own roots come from the CA itself; others' from their bundle registers, while these have effect. */
  #readBundles(): TrustBundles {
    const { reader, cluster, trustDomain } = this.#options;
    const bundles = new Map<TrustDomain, readonly string[]>([[trustDomain, this.#options.ownRoots()]]);
    for (const member of reader.members()) {
      if (member.cluster === cluster) continue;
      const value = reader.effective(member.cluster, "bundle", cluster)?.value as BundleValue | undefined;
      if (value !== undefined && value.trustDomain === member.trustDomain)
        bundles.set(member.trustDomain, value.roots);
    }
    return bundles;
  }

  #readServing(services: readonly ServiceKey[], all: boolean): void {
    const { reader, cluster } = this.#options;
    if (all) this.#serving.clear();
    else for (const { namespace, name } of services) this.#serving.delete(`${namespace}/${name}`);
    for (const port of servingPorts(all ? reader : reader.only(services), cluster)) {
      const key = `${port.namespace}/${port.service}`;
      this.#serving.set(key, [...(this.#serving.get(key) ?? []), port]);
    }
  }

  #buildZones(services: readonly ServiceKey[], all: boolean, stale: Set<string>): number {
    const { reader, ports, evidence, cluster, region } = this.#options;
    const wanted = new Set(
      [...this.#proxies.values()].filter(({ kind }) => kind === "sidecar").map(({ zone }) => zone),
    );
    for (const zone of this.#zones.keys()) if (!wanted.has(zone)) this.#zones.delete(zone);
    const input = { fed: reader, evidence, monotonicMs: ports.clock.monotonicMs() };
    let revision = 0;
    for (const name of wanted) {
      const known = this.#zones.get(name);
      const zone = known ?? new ZoneLayer({ cluster, region, zone: name }, ports.crypto);
      this.#zones.set(name, zone);
      const fresh = known === undefined && !all;
      const tcpBefore = tcpKey(zone);
      const keys = fresh ? serviceKeys(reader, cluster) : services;
      revision = Math.max(revision, zone.update(keys, all || fresh, input, this.#bundles));
      if (tcpKey(zone) !== tcpBefore || known === undefined) this.#tcpChanged(zone, name, stale);
    }
    return revision;
  }

  #tcpChanged(zone: ZoneLayer, name: string, stale: Set<string>): void {
    this.tcpPorts.ensure(tcpViews(zone).map(({ sni }) => sni));
    for (const proxy of this.#proxies.values()) if (proxy.zone === name) stale.add(proxy.id);
  }

  #buildOwn(
    services: readonly ServiceKey[],
    all: boolean,
    ownServices: ReadonlySet<string>,
    stale: ReadonlySet<string>,
  ): number {
    let revision = 0;
    for (const [id, proxy] of this.#proxies) {
      const served = this.#ensureServed(id, proxy);
      if (served === undefined) continue;
      const concerned = all || stale.has(id) || served.layer.revision === 0;
      try {
        revision = Math.max(
          revision,
          this.#buildProxy(proxy, served.layer, concerned, services, ownServices),
        );
      } catch (error) {
        this.#options.ports.metrics.count("hansa_xds_inconsistent_total");
        this.#options.ports.log.error("xds: resources of a proxy cannot be made; it keeps what it has", {
          code: "HSA5002",
          proxy: id,
          reason: String(error),
        });
      }
    }
    return revision;
  }

  #buildProxy(
    proxy: LocalProxy,
    layer: ResourceLayer,
    concerned: boolean,
    services: readonly ServiceKey[],
    ownServices: ReadonlySet<string>,
  ): number {
    if (proxy.kind === "sidecar") {
      const serves = proxy.services.some((name) => ownServices.has(`${proxy.namespace}/${name}`));
      return concerned || serves ? layer.replace(this.#sidecar(proxy)) : 0;
    }
    if (concerned || ownServices.size > 0) return layer.replace(this.#gateway(proxy));
    const touched = services.flatMap(
      ({ namespace, name }) => this.#serving.get(`${namespace}/${name}`) ?? [],
    );
    return layer.update(TYPE_URL.endpoint, gatewayEndpoints(touched));
  }

  #sidecar(proxy: Sidecar): ResourceSet {
    const { trustDomain, outboundPort, svid } = this.#options;
    const zone = this.#zones.get(proxy.zone);
    return sidecarLayer({
      proxy,
      trustDomain,
      outboundPort,
      serving: proxy.services.flatMap((name) => this.#serving.get(`${proxy.namespace}/${name}`) ?? []),
      tcpViews: zone === undefined ? [] : tcpViews(zone),
      tcpPorts: this.tcpPorts.all(),
      svid: svid(proxy.spiffeId),
      bundles: this.#bundles,
    });
  }

  #gateway(proxy: Gateway): ResourceSet {
    const { federation, cluster, reader, svid } = this.#options;
    const members = reader.members().filter(({ state }) => state === "active" || state === "draining");
    return gatewayLayer({
      federation,
      cluster,
      proxy,
      serving: [...this.#serving.values()].flat(),
      members: members.map((member) => member.cluster),
      svid: svid(proxy.spiffeId),
      bundles: this.#bundles,
    });
  }

  #layers(proxy: LocalProxy, own: ResourceLayer): readonly ResourceLayer[] {
    const zone = proxy.kind === "sidecar" ? this.#zones.get(proxy.zone)?.layer : undefined;
    return zone === undefined ? [own] : [own, zone];
  }

  #ensureServed(id: string, proxy: LocalProxy): Served | undefined {
    const known = this.#served.get(id);
    if (known !== undefined && known.proxy.zone === proxy.zone) {
      known.proxy = proxy;
      return known;
    }
    if (known !== undefined) this.#end(id, known);
    const layer = new ResourceLayer({ sha256: this.#options.ports.crypto.sha256 });
    const served: Served = {
      proxy,
      layer,
      server: this.#options.serve(proxy, this.#layers(proxy, layer), () => this.acked()),
    };
    this.#served.set(id, served);
    return served;
  }

  #closeGone(): void {
    for (const [id, served] of this.#served) if (!this.#proxies.has(id)) this.#end(id, served);
  }

  #end(id: string, served: Served): void {
    this.#served.delete(id);
    void served.server.close();
  }

  /** After an acknowledgement: how far have all connected Envoys come? */
  acked(): void {
    let lowest = Number.POSITIVE_INFINITY;
    for (const { server, proxy, layer } of this.#served.values()) {
      const acked = server.ackedRevision();
      if (acked === undefined) continue;
      const newest = Math.max(...this.#layers(proxy, layer).map(({ revision }) => revision));
      // Revisions are counted over all layers: one that has everything of its own holds nobody back.
      if (acked < newest) lowest = Math.min(lowest, acked);
    }
    this.propagation.reached(lowest);
  }
}

/** Maps do not show in JSON. */
const flat = (proxy: LocalProxy): unknown =>
  proxy.kind === "sidecar" ? { ...proxy, apps: [...proxy.apps] } : proxy;

const tcpViews = (zone: ZoneLayer) => zone.views().filter(({ port }) => port.protocol === "tcp");
const tcpKey = (zone: ZoneLayer): string =>
  tcpViews(zone)
    .map(({ sni, exporters }) => `${sni} ${exporters.length > 0}`)
    .join("\n");

/** What other clusters hold of each other, or allow, changes nothing here. */
function concerns({ cluster, key }: RegisterRef, self: ClusterName): boolean {
  const [kind = ""] = key.split("/", 1);
  if (kind === "link") return cluster === self;
  if (kind === "policy") return cluster === self || cluster === "hub";
  return kind !== "want" && kind !== "";
}

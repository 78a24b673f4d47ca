/**
 * The data plane of one cluster: keeps every local Envoy's resources equal to the view of the fold. A change is
 * computed and pushed at once, for the services it concerns; changes of one turn of the loop are taken together.
 */
import type { SpiffeId, TimerHandle } from "@hansa/core";
import { CandidateCache, type RegisterRef, type ServiceKey, serviceKeys } from "@hansa/model";
import { type ResourceLayer, type TrustBundles, TYPE_URL } from "@hansa/xds";
import { Claims } from "./claims.ts";
import { Dirty, type Work } from "./dirty.ts";
import { replaceChecked } from "./gate.ts";
import { gatewayEndpoints, gatewayLayer } from "./gateway-layer.ts";
import { Fronts } from "./gateway-mode.ts";
import { type Gateway, type LocalProxy, type Sidecar, sameProxy } from "./inventory.ts";
import { Pace } from "./pace.ts";
import type { PlaneOptions } from "./plane-options.ts";
import { Propagation } from "./propagation.ts";
import { PushTraces } from "./push-traces.ts";
import type { ResourceSet } from "./resource-set.ts";
import { ServedProxies, sleeps } from "./served-proxies.ts";
import { readBundles, ServingCache } from "./serving-cache.ts";
import { sidecarLayer } from "./sidecar-layer.ts";
import { TcpPorts } from "./tcp-ports.ts";
import { ZoneLayer } from "./zone-layer.ts";

export class DataPlane {
  readonly #options: PlaneOptions;
  readonly propagation: Propagation;
  readonly tcpPorts: TcpPorts;
  readonly #zones = new Map<string, ZoneLayer>();
  readonly #served: ServedProxies;
  readonly #serving = new ServingCache();
  readonly #candidates = new CandidateCache();
  readonly #dirty: Dirty;
  readonly #claims: Claims;
  #proxies: ReadonlyMap<string, LocalProxy> = new Map();
  /** Those that have clusters of their zone's services. */
  #callers: readonly LocalProxy[] = [];
  #callersZones: ReadonlySet<string> = new Set();
  /** A caller of these has been awake; the others' resources are not made. */
  readonly #askedZones = new Set<string>();
  #areProxiesNew = false;
  #bundles: TrustBundles = new Map();
  readonly #fronts: Fronts;
  readonly #traces: PushTraces;
  #open = false;
  #scheduled = false;
  #ownTurn: TimerHandle | undefined;
  readonly #pace: Pace;
  #stops: (() => void)[] = [];
  #stopped = false;

  constructor(options: PlaneOptions) {
    this.#options = options;
    const { clock, metrics, disk, timers } = options.ports;
    this.#pace = new Pace(timers, () => this.#schedule());
    this.#dirty = new Dirty(options.cluster);
    this.#fronts = new Fronts(options);
    this.#traces = new PushTraces(options.ports.tracer);
    this.#claims = new Claims({ ...options, behind: () => this.#dirty.behind() });
    const heads = () => this.#claims.heads();
    this.propagation = new Propagation({ clock, metrics, importer: options.cluster, heads });
    this.tcpPorts = new TcpPorts(disk, options.tcpPortFirst);
    this.#served = new ServedProxies({
      serve: options.serve,
      sha256: options.ports.crypto.sha256,
      layers: (proxy, own) => this.#layers(proxy, own),
      onAnswer: (id) => this.#answered(id),
      onCome: (id) => this.#wake(id),
    });
  }

  /** From here on sockets are open. Called once the state is worth serving: restored, or read to the stream's end. */
  open(): void {
    if (this.#open) return;
    this.#open = true;
    const timer = this.#options.ports.timers.every(1000, () => this.#returns());
    this.#stops.push(() => timer.cancel());
    this.#schedule();
  }

  get isOpen(): boolean {
    return this.#open;
  }

  async close(): Promise<void> {
    this.#stopped = true;
    for (const stop of this.#stops.splice(0)) stop();
    await this.#served.close();
  }

  // === what changed ===

  proxies(proxies: ReadonlyMap<string, LocalProxy>): void {
    for (const [id, proxy] of proxies) {
      const before = this.#proxies.get(id);
      if (before === undefined || !sameProxy(before, proxy)) this.#dirty.proxy(id);
    }
    this.#proxies = proxies;
    this.#callers = [...proxies.values()].filter((proxy) => this.#fronts.calls(proxy));
    this.#callersZones = new Set(this.#callers.map(({ zone }) => zone));
    for (const proxy of this.#callers) if (!sleeps(proxy)) this.#askedZones.add(proxy.zone);
    this.#areProxiesNew = true;
    this.#scheduleOwn();
  }

  changed(
    refs: readonly RegisterRef[],
    atOf: (ref: RegisterRef) => number | undefined,
    traceparent: string,
  ): void {
    for (const ref of refs) this.#candidates.changed(ref);
    if (!this.#dirty.registers(refs, this.#options.reader, atOf)) return;
    this.#traces.changed(traceparent);
    if (refs.every(({ cluster }) => cluster === this.#options.cluster)) this.#scheduleOwn();
    else this.#schedule();
  }

  /** A new certificate for this identity. */
  renewed(id: SpiffeId): void {
    for (const [name, { proxy }] of this.#served.entries())
      if (proxy.spiffeId === id || this.#fronts.shows(name, id)) this.#dirty.proxy(name);
    this.#schedule();
  }

  /** Cluster-set addresses were read or given anew. */
  addressesChanged(): void {
    this.#dirty.everything();
    this.#schedule();
  }

  /** Identities that proxies here show. */
  identities(): SpiffeId[] {
    return [...this.list().map(({ spiffeId }) => spiffeId), ...this.#fronts.identities()];
  }

  /** A return to local is due. */
  #returns(): void {
    const nowMs = this.#options.ports.clock.monotonicMs();
    for (const zone of this.#zones.values()) this.#dirty.services(zone.due(nowMs));
    if (this.#dirty.hasServices) this.#schedule();
  }

  // === what is served ===

  zone(name: string): ZoneLayer | undefined {
    return this.#zones.get(name);
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

  /** Its Envoy has a stream open. */
  isConnected(id: string): boolean {
    return this.#served.get(id)?.server.ackedRevision() !== undefined;
  }

  /** What its Envoy has, or would be told. */
  layersOf(id: string): readonly ResourceLayer[] {
    this.#wake(id);
    const served = this.#served.get(id);
    return served === undefined ? [] : this.#layers(served.proxy, served.layer);
  }

  // === building ===

  /** No debounce: the build runs when the present turn of the loop ends. */
  #schedule(): void {
    if (this.#scheduled || !this.#open || this.#stopped) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      const light = this.#pace.isWaiting;
      if (!this.#stopped && (!light || this.#dirty.hasLight)) this.#build(this.#dirty.take(light));
    });
  }

  /** What changed here is told to the others first: their records leave in this turn of the loop, the build has the next. */
  #scheduleOwn(): void {
    this.#ownTurn ??= this.#options.ports.timers.after(0, () => {
      this.#ownTurn = undefined;
      this.#schedule();
    });
  }

  #build(work: Work): void {
    const { ports, reader, cluster, trustDomain, ownRoots } = this.#options;
    const startMs = ports.clock.monotonicMs();
    const services = work.all ? serviceKeys(reader, cluster) : work.services;
    if (work.all) this.#bundles = readBundles(reader, cluster, [trustDomain, ownRoots()]);
    this.#serving.update(reader, cluster, services, work.all);
    const zones = this.#buildZones(services, work);
    if (this.#areProxiesNew) this.#served.keep(this.#proxies);
    this.#areProxiesNew = false;
    const own = this.#buildOwn(services, work);
    ports.metrics.observe("hansa_build_seconds", (ports.clock.monotonicMs() - startMs) / 1000);
    this.propagation.built(Math.max(zones, own), this.#claims.heads(), work.sources, this.#traces.sent());
    this.#acked(this.#served.awake());
    if (this.#dirty.hasServices) this.#pace.leftOver(this.propagation.waiting === 0 || this.#dirty.hasLight);
  }

  #buildZones(services: readonly ServiceKey[], work: Work): number {
    const { reader, ports, evidence, cluster, region, vips } = this.#options;
    const wanted = this.#callersZones;
    for (const zone of this.#zones.keys()) {
      if (wanted.has(zone)) continue;
      this.#zones.delete(zone);
      this.#askedZones.delete(zone);
    }
    const input = {
      fed: reader,
      evidence,
      candidates: this.#candidates,
      monotonicMs: ports.clock.monotonicMs(),
    };
    let revision = 0;
    for (const name of wanted) {
      const zone =
        this.#zones.get(name) ?? new ZoneLayer({ cluster, region, zone: name }, ports.crypto, ports, vips);
      this.#zones.set(name, zone);
      if (!this.#askedZones.has(name)) continue;
      const { isMade } = zone;
      const whole = work.all || !isMade;
      const tcpBefore = this.#fronts.listenersKey(zone);
      const keys = whole && !work.all ? serviceKeys(reader, cluster) : services;
      revision = Math.max(revision, zone.update(keys, whole, input, this.#bundles));
      if (this.#fronts.listenersKey(zone) === tcpBefore && isMade) continue;
      this.tcpPorts.ensure(this.#fronts.listeners(zone).map(({ sni }) => sni));
      for (const proxy of this.#callers) if (proxy.zone === name) work.proxies.add(proxy.id);
    }
    return revision;
  }

  #buildOwn(services: readonly ServiceKey[], work: Work): number {
    let revision = 0;
    for (const id of this.#served.awake()) {
      const served = this.#served.get(id);
      if (served === undefined) continue;
      const { proxy, layer } = served;
      const whole = work.all || work.proxies.has(id) || layer.revision === 0;
      try {
        revision = Math.max(revision, this.#buildProxy(proxy, layer, whole, services, work.ownServices));
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
    whole: boolean,
    services: readonly ServiceKey[],
    ownServices: ReadonlySet<string>,
  ): number {
    const { ports } = this.#options;
    if (proxy.kind === "sidecar") {
      const serves = proxy.services.some((name) => ownServices.has(`${proxy.namespace}/${name}`));
      if (!whole && !serves) return 0;
      const below = this.#layers(proxy, layer).slice(1);
      return replaceChecked(proxy.id, layer, this.#sidecar(proxy), below, {}, ports);
    }
    const touched = services.flatMap(({ namespace, name }) => this.#serving.of(namespace, name));
    if (whole || ownServices.size > 0 || this.#fronts.isOther(proxy.id, touched)) {
      this.#fronts.take(proxy.id, this.#serving.all());
      const exported = this.#serving.all().filter((port) => port.exported);
      const options = { exported: new Set(exported.map(({ sni }) => sni)) };
      const below = this.#layers(proxy, layer).slice(1);
      return replaceChecked(proxy.id, layer, this.#gateway(proxy), below, options, ports);
    }
    return layer.update(
      TYPE_URL.endpoint,
      gatewayEndpoints(touched, (port) => this.#fronts.ends(port)),
    );
  }

  #sidecar(proxy: Sidecar): ResourceSet {
    const { trustDomain, outboundPort, svid } = this.#options;
    const zone = this.#zones.get(proxy.zone);
    return sidecarLayer({
      proxy,
      trustDomain,
      outboundPort,
      serving: proxy.services.flatMap((name) => this.#serving.of(proxy.namespace, name)),
      tcpViews: zone?.tcp().views ?? [],
      tcpPorts: this.tcpPorts.all(),
      svid: svid(proxy.spiffeId),
      bundles: this.#bundles,
      vipRanges: this.#options.vips?.ranges ?? [],
      neighbours: this.#options.neighbours ?? [],
    });
  }

  #gateway(proxy: Gateway): ResourceSet {
    const { federation, cluster, reader, svid } = this.#options;
    const members = reader.members().filter(({ state }) => state === "active" || state === "draining");
    return gatewayLayer({
      federation,
      cluster,
      proxy,
      ...this.#fronts.layerInput(this.#serving.all(), this.#zones.get(proxy.zone), this.tcpPorts.all()),
      members: members.map((member) => member.cluster),
      svid: svid(proxy.spiffeId),
      bundles: this.#bundles,
    });
  }

  #layers(proxy: LocalProxy, own: ResourceLayer): readonly ResourceLayer[] {
    const zone = this.#fronts.calls(proxy) ? this.#zones.get(proxy.zone)?.layer : undefined;
    return zone === undefined ? [own] : [own, zone];
  }

  /** Its Envoy is here: its resources are made now, and from now on. */
  #wake(id: string): void {
    if (this.#stopped || !this.#served.wake(id)) return;
    const proxy = this.#proxies.get(id);
    if (proxy !== undefined && this.#fronts.calls(proxy)) this.#askedZones.add(proxy.zone);
    this.#dirty.proxy(id);
    this.#build(this.#dirty.take(this.#pace.isWaiting));
  }

  #answered(id: string): void {
    this.#acked([id]);
    if (this.propagation.waiting === 0) this.#pace.answered();
  }

  /** After a build everybody is looked at, after an acknowledgement who sent it: hundreds of them answer each build. */
  #acked(ids: Iterable<string>): void {
    this.propagation.reached(this.#served.acked(ids));
  }
}

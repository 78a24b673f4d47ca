/**
 * What all sidecars of one zone share: clusters, endpoints and routes of every service that the cluster may call, and
 * the bundles of the members. Computed per service, encoded once, shared by all streams.
 */
import type { Crypto } from "@hansa/core";
import {
  FailbackMemory,
  type ServiceKey,
  type ServicePortView,
  servicePortViews,
  type Vantage,
  type ViewInput,
} from "@hansa/model";
import {
  BLACK_HOLE,
  blackHoleCluster,
  bundleSecretFor,
  bundleSecretName,
  clusterFor,
  loadAssignmentFor,
  OUTBOUND_ROUTES,
  ownClusterName,
  ResourceLayer,
  routesFor,
  SVID_SECRET,
  type TrustBundles,
  TYPE_URL,
  usableView,
  vipListenerFor,
  vipListenerName,
} from "@hansa/xds";
import { type ClusterIpsOf, ownView } from "./cluster-ips.ts";
import { findIn, type GateReport, problemsOf, refuse } from "./gate.ts";

type Changes = Map<string, Uint8Array | null>;

/** Every sidecar has these in its own layer above. */
const OWN_SECRETS: ReadonlySet<string> = new Set([SVID_SECRET]);

const nameOf = ({ namespace, name }: ServiceKey): string => `${namespace}/${name}`;

/** What a service was encoded from, besides its endpoints. */
interface Made {
  readonly routeKeys: string;
  readonly clusterKeys: ReadonlyMap<string, string>;
  /** Name of a listener → what it was encoded from. */
  readonly listenerKeys: ReadonlyMap<string, string>;
}

/** Cluster-set addresses of a service in this cluster; none where nobody dials by address. */
export type VipsOf = (namespace: string, name: string) => readonly string[];

const isTcp = ({ port }: ServicePortView): boolean => port.protocol === "tcp";

/** What of a usable view its cluster depends on. */
function clusterKey({ port, exporters, localities }: ServicePortView): string {
  const direct = new Set(localities.flatMap(({ via, cluster }) => (via === "gateway" ? [] : [cluster])));
  const viaGateway = localities.some(({ via }) => via === "gateway");
  return JSON.stringify([port.protocol, exporters, [...direct].sort(), viaGateway]);
}

/** What of a view the route table depends on. */
const routeKey = (view: ServicePortView, usable: boolean): string =>
  `${view.sni} ${view.host} ${view.port.port} ${view.port.protocol} ${usable}`;

export class ZoneLayer {
  readonly layer: ResourceLayer;
  readonly self: Vantage;
  readonly memory = new FailbackMemory();
  /** By service, without localities: these are in the encoded endpoints, and `explain` computes its own. */
  readonly #views = new Map<string, readonly ServicePortView[]>();
  readonly #routeKeys = new Map<string, string>();
  /** By name: what a cluster was encoded from. */
  readonly #clusterKeys = new Map<string, string>();
  readonly #listenerKeys = new Map<string, ReadonlyMap<string, string>>();
  readonly #report: GateReport;
  readonly #vipsOf: VipsOf;
  readonly #clusterIpsOf: ClusterIpsOf;
  #isMade = false;
  #routesChanged = true;
  #tcp: { readonly key: string; readonly views: readonly ServicePortView[] } | undefined;

  constructor(
    self: Vantage,
    crypto: Pick<Crypto, "sha256">,
    report: GateReport,
    addresses: { readonly of: VipsOf; readonly clusterIps: ClusterIpsOf } | undefined,
  ) {
    this.#vipsOf = addresses?.of ?? (() => []);
    this.#clusterIpsOf = addresses?.clusterIps ?? (() => []);
    this.self = self;
    this.#report = report;
    this.layer = new ResourceLayer({ sha256: crypto.sha256 });
    this.layer.update(TYPE_URL.cluster, [[BLACK_HOLE, blackHoleCluster()]]);
  }

  /** All its services were computed once; until then it has none. */
  get isMade(): boolean {
    return this.#isMade;
  }

  views(): readonly ServicePortView[] {
    return [...this.#views.values()].flat();
  }

  /** Views of TCP service ports, and a key that is another where they are. */
  tcp(): { readonly key: string; readonly views: readonly ServicePortView[] } {
    if (this.#tcp === undefined) {
      const views = this.views().filter(isTcp);
      this.#tcp = {
        views,
        key: views.map(({ sni, exporters }) => `${sni} ${exporters.length > 0}`).join("\n"),
      };
    }
    return this.#tcp;
  }

  /** Services whose return to local is due by now. */
  due(monotonicMs: number): ServiceKey[] {
    const snis = new Set(this.memory.due(monotonicMs));
    if (snis.size === 0) return [];
    return [...this.#views.values()].flatMap((views) => {
      const [first] = views;
      if (first === undefined || !views.some(({ sni }) => snis.has(sni))) return [];
      return [{ namespace: first.namespace, name: first.service }];
    });
  }

  /**
   * Computes the services again. `whole` = these are all there are: others go. Answers the revision that a proxy has to
   * acknowledge to have seen it.
   */
  update(
    services: readonly ServiceKey[],
    whole: boolean,
    input: Omit<ViewInput, "self" | "memory">,
    bundles: TrustBundles,
  ): number {
    this.#isMade ||= whole;
    const changes = new Map<string, Changes>([
      [TYPE_URL.cluster, new Map()],
      [TYPE_URL.endpoint, new Map()],
      [TYPE_URL.listener, new Map()],
      [TYPE_URL.secret, whole ? this.#secrets(bundles) : new Map()],
    ]);
    const gone = whole ? this.#without(services) : [];
    for (const service of gone) this.#replace(service, [], bundles, changes);
    for (const service of services) this.#compute(service, input, bundles, changes);
    changes.set(TYPE_URL.route, this.#routes(bundles));
    return this.layer.commit(changes);
  }

  /** One service that cannot be computed, or does not hold together, holds up no other. */
  #compute(
    service: ServiceKey,
    input: Omit<ViewInput, "self" | "memory">,
    bundles: TrustBundles,
    changes: ReadonlyMap<string, Changes>,
  ): void {
    const { namespace, name } = service;
    const own = new Map<string, Changes>([
      [TYPE_URL.cluster, new Map()],
      [TYPE_URL.endpoint, new Map()],
      [TYPE_URL.listener, new Map()],
    ]);
    try {
      const views = servicePortViews({ ...input, self: this.self, memory: this.memory }, namespace, name);
      const made = this.#encode(service, views, bundles, own);
      const problems = problemsOf(own, findIn([own, changes], [this.layer], OWN_SECRETS));
      if (problems.length > 0) {
        refuse(`${namespace}/${name}`, problems, this.#report);
        return;
      }
      this.#keep(service, views, made);
    } catch (error) {
      refuse(`${namespace}/${name}`, [String(error)], this.#report);
      return;
    }
    for (const [typeUrl, resources] of own)
      for (const [resource, bytes] of resources) changes.get(typeUrl)?.set(resource, bytes);
  }

  #without(services: readonly ServiceKey[]): ServiceKey[] {
    const kept = new Set(services.map(nameOf));
    return [...this.#views.keys()]
      .filter((key) => !kept.has(key))
      .map((key) => {
        const [namespace = "", name = ""] = key.split("/");
        return { namespace, name };
      });
  }

  #replace(
    service: ServiceKey,
    views: readonly ServicePortView[],
    bundles: TrustBundles,
    changes: ReadonlyMap<string, Changes>,
  ): void {
    this.#keep(service, views, this.#encode(service, views, bundles, changes));
  }

  /** Clusters and endpoints of the views, and removals of what was there before. */
  #encode(
    service: ServiceKey,
    views: readonly ServicePortView[],
    bundles: TrustBundles,
    changes: ReadonlyMap<string, Changes>,
  ): Made {
    const clusters = changes.get(TYPE_URL.cluster);
    const endpoints = changes.get(TYPE_URL.endpoint);
    const clusterKeys = new Map<string, string>();
    const routeKeys: string[] = [];
    const listenerKeys = this.#listeners(service, views, bundles, changes.get(TYPE_URL.listener));
    const put = (view: ServicePortView, name: string): void => {
      const key = clusterKey(view);
      clusterKeys.set(name, key);
      if (this.#clusterKeys.get(name) !== key) clusters?.set(name, clusterFor(view, name));
      endpoints?.set(name, loadAssignmentFor(view, name));
    };
    for (const view of views) {
      const usable = usableView(view, bundles);
      routeKeys.push(routeKey(view, usable !== undefined));
      if (usable === undefined) continue;
      put(usable, view.sni);
      const [own] = this.#owned(usable);
      if (own !== undefined) put(own.view, ownClusterName(view.sni));
    }
    for (const { sni } of this.#views.get(nameOf(service)) ?? [])
      for (const name of [sni, ownClusterName(sni)]) {
        if (clusterKeys.has(name) || !this.#clusterKeys.has(name)) continue;
        clusters?.set(name, null);
        endpoints?.set(name, null);
      }
    return { routeKeys: routeKeys.join("\n"), clusterKeys, listenerKeys };
  }

  /** Where a port is reached by the Service's own address: IPv4 alone, as all that is taken. */
  #owned(usable: ServicePortView): { readonly ip: string; readonly view: ServicePortView }[] {
    const { namespace, service, portKey } = usable;
    return this.#clusterIpsOf(namespace, service)
      .filter((place) => place.portKey === portKey && !place.ip.includes(":"))
      .flatMap((place) => {
        const view = ownView(usable, this.self.cluster, place);
        return view === undefined ? [] : [{ ip: place.ip, view }];
      });
  }

  /** IPv4 alone: the injector's rules take nothing else. */
  #listeners(
    service: ServiceKey,
    views: readonly ServicePortView[],
    bundles: TrustBundles,
    changes: Changes | undefined,
  ): ReadonlyMap<string, string> {
    const before = this.#listenerKeys.get(nameOf(service)) ?? new Map<string, string>();
    const keys = new Map<string, string>();
    const put = (view: ServicePortView, ip: string, usable: boolean, cluster: string): void => {
      const name = vipListenerName(ip, view.port.port);
      if (keys.has(name)) return;
      const key = `${routeKey(view, usable)} ${cluster}`;
      keys.set(name, key);
      if (before.get(name) !== key) changes?.set(name, vipListenerFor(view, ip, usable, cluster));
    };
    const ips = views.length === 0 ? [] : this.#vipsOf(service.namespace, service.name);
    for (const view of views) {
      const usable = usableView(view, bundles);
      for (const ip of ips.filter((each) => !each.includes(":")))
        put(view, ip, usable !== undefined, view.sni);
      for (const own of usable === undefined ? [] : this.#owned(usable))
        put(own.view, own.ip, true, ownClusterName(view.sni));
    }
    for (const name of before.keys()) if (!keys.has(name)) changes?.set(name, null);
    return keys;
  }

  #keep(
    service: ServiceKey,
    views: readonly ServicePortView[],
    { routeKeys, clusterKeys, listenerKeys }: Made,
  ): void {
    const name = nameOf(service);
    if (listenerKeys.size === 0) this.#listenerKeys.delete(name);
    else this.#listenerKeys.set(name, listenerKeys);
    const before = this.#views.get(name) ?? [];
    if (before.some(isTcp) || views.some(isTcp)) this.#tcp = undefined;
    for (const { sni } of before) {
      for (const cluster of [sni, ownClusterName(sni)]) this.#clusterKeys.delete(cluster);
      if (!views.some((view) => view.sni === sni)) this.memory.forget(sni);
    }
    for (const [cluster, key] of clusterKeys) this.#clusterKeys.set(cluster, key);
    if (views.length === 0) this.#views.delete(name);
    else
      this.#views.set(
        name,
        views.map((view) => ({ ...view, localities: [] })),
      );
    if ((this.#routeKeys.get(name) ?? "") === routeKeys) return;
    this.#routesChanged = true;
    if (views.length === 0) this.#routeKeys.delete(name);
    else this.#routeKeys.set(name, routeKeys);
  }

  /** The table is encoded as a whole, so only when something in it changed. */
  #routes(bundles: TrustBundles): Changes {
    if (!this.#routesChanged) return new Map();
    this.#routesChanged = false;
    const routed = this.views().map((view) => usableView(view, bundles) ?? { ...view, exporters: [] });
    return new Map([[OUTBOUND_ROUTES, routesFor(routed)]]);
  }

  #secrets(bundles: TrustBundles): Changes {
    const changes: Changes = new Map();
    for (const name of this.layer.names(TYPE_URL.secret)) changes.set(name, null);
    for (const [domain, roots] of bundles)
      if (roots.length > 0) changes.set(bundleSecretName(domain), bundleSecretFor(domain, roots));
    return changes;
  }
}

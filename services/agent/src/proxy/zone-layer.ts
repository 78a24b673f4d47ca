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
  ResourceLayer,
  routesFor,
  type TrustBundles,
  TYPE_URL,
  usableView,
} from "@hansa/xds";

type Changes = Map<string, Uint8Array | null>;

const nameOf = ({ namespace, name }: ServiceKey): string => `${namespace}/${name}`;

/** What of a view the route table depends on. */
const routeKey = (view: ServicePortView, usable: boolean): string =>
  `${view.sni} ${view.host} ${view.port.port} ${view.port.protocol} ${usable}`;

export class ZoneLayer {
  readonly layer: ResourceLayer;
  readonly self: Vantage;
  readonly memory = new FailbackMemory();
  readonly #views = new Map<string, readonly ServicePortView[]>();
  readonly #routeKeys = new Map<string, string>();
  #routesChanged = true;

  constructor(self: Vantage, crypto: Pick<Crypto, "sha256">) {
    this.self = self;
    this.layer = new ResourceLayer({ sha256: crypto.sha256 });
    this.layer.update(TYPE_URL.cluster, [[BLACK_HOLE, blackHoleCluster()]]);
  }

  views(): readonly ServicePortView[] {
    return [...this.#views.values()].flat();
  }

  viewsOf(namespace: string, name: string): readonly ServicePortView[] {
    return this.#views.get(`${namespace}/${name}`) ?? [];
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
    const clusters: Changes = new Map();
    const endpoints: Changes = new Map();
    const gone = whole ? this.#without(services) : [];
    for (const service of gone) this.#replace(service, [], bundles, clusters, endpoints);
    for (const service of services) {
      const views = servicePortViews(
        { ...input, self: this.self, memory: this.memory },
        service.namespace,
        service.name,
      );
      this.#replace(service, views, bundles, clusters, endpoints);
    }
    return this.layer.commit([
      [TYPE_URL.cluster, clusters],
      [TYPE_URL.endpoint, endpoints],
      [TYPE_URL.route, this.#routes(bundles)],
      [TYPE_URL.secret, whole ? this.#secrets(bundles) : new Map()],
    ]);
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
    clusters: Changes,
    endpoints: Changes,
  ): void {
    for (const { sni } of this.#views.get(nameOf(service)) ?? []) {
      clusters.set(sni, null);
      endpoints.set(sni, null);
      if (!views.some((view) => view.sni === sni)) this.memory.forget(sni);
    }
    const keys: string[] = [];
    for (const view of views) {
      const usable = usableView(view, bundles);
      keys.push(routeKey(view, usable !== undefined));
      if (usable === undefined) continue;
      clusters.set(view.sni, clusterFor(usable));
      endpoints.set(view.sni, loadAssignmentFor(usable));
    }
    const name = nameOf(service);
    if (views.length === 0) this.#views.delete(name);
    else this.#views.set(name, views);
    if ((this.#routeKeys.get(name) ?? "") === keys.join("\n")) return;
    this.#routesChanged = true;
    if (views.length === 0) this.#routeKeys.delete(name);
    else this.#routeKeys.set(name, keys.join("\n"));
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

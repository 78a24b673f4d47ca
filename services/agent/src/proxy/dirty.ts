/** What the next build of the data plane has to look at. Pure bookkeeping. */
import type { ClusterName } from "@hansa/core";
import {
  affectedServices,
  type FederationReader,
  isFlat,
  type RegisterRef,
  type ServiceKey,
} from "@hansa/model";

export interface Work {
  readonly all: boolean;
  readonly services: readonly ServiceKey[];
  /** `<ns>/<name>` of own services whose own register changed: chains and policies, not endpoints alone. */
  readonly ownServices: ReadonlySet<string>;
  /** Proxies whose own layer must be made again. */
  readonly proxies: Set<string>;
  /** Source → time of its oldest change in here, by that source's clock, ms. */
  readonly sources: ReadonlyMap<string, number>;
}

/** Services that one build takes on while more are waiting. */
export const SERVICES_PER_BUILD_MAX = 32;
/** Of a source with more services waiting so many: some 10 ms of work, and about as much for an Envoy. */
export const HEAVY_PER_BUILD_MAX = 16;
const LIGHT_MAX = 16;

interface DirtyService {
  readonly key: ServiceKey;
  /** Sources of the changes. */
  readonly clusters: Set<string>;
}

export class Dirty {
  readonly #self: ClusterName;
  #all = true;
  readonly #services = new Map<string, DirtyService>();
  #ownServices = new Set<string>();
  #proxies = new Set<string>();
  readonly #sources = new Map<string, number>();

  constructor(self: ClusterName) {
    this.#self = self;
  }

  everything(): void {
    this.#all = true;
  }

  proxy(id: string): void {
    this.#proxies.add(id);
  }

  services(keys: Iterable<ServiceKey>, cluster: string = this.#self): void {
    for (const key of keys) {
      const name = `${key.namespace}/${key.name}`;
      const known = this.#services.get(name);
      if (known === undefined) this.#services.set(name, { key, clusters: new Set([cluster]) });
      else known.clusters.add(cluster);
    }
  }

  get hasServices(): boolean {
    return this.#services.size > 0;
  }

  /** Something does not have to wait for the Envoys. */
  get hasLight(): boolean {
    if (this.#all || this.#proxies.size + this.#ownServices.size > 0) return true;
    return this.#ranked().some(({ rank }) => rank <= LIGHT_MAX);
  }

  /** Sources of changes that no build has taken yet. */
  behind(): ReadonlySet<string> {
    return new Set([...this.#services.values()].flatMap(({ clusters }) => [...clusters]));
  }

  /** False where nothing of it concerns this cluster. */
  registers(
    refs: readonly RegisterRef[],
    reader: FederationReader,
    atOf: (ref: RegisterRef) => number | undefined,
  ): boolean {
    const relevant = refs.filter((ref) => concerns(ref, this.#self, reader));
    // Everything is made again anyway; a bootstrap's changes say nothing of propagation.
    if (this.#all) return relevant.length > 0;
    for (const ref of relevant) {
      const atMs = atOf(ref);
      const known = this.#sources.get(ref.cluster);
      if (atMs !== undefined && (known === undefined || atMs < known)) this.#sources.set(ref.cluster, atMs);
      if (ref.cluster === this.#self && ref.key.startsWith("service/"))
        this.#ownServices.add(ref.key.slice("service/".length));
    }
    // A bundle decides which exporters are usable at all.
    if (relevant.some(({ key }) => key === "bundle")) this.#all = true;
    else
      for (const [cluster, own] of Map.groupBy(relevant, ({ cluster }) => cluster))
        this.#touch(own, cluster, reader);
    return relevant.length > 0;
  }

  #touch(refs: readonly RegisterRef[], cluster: string, reader: FederationReader): void {
    const affected = affectedServices(refs, reader);
    if (affected === "all") this.#all = true;
    else this.services(affected, cluster);
  }

  /** `light`: of too many services only those of a source that has few of them. */
  take(light = false): Work {
    const services = this.#takeServices(light);
    const behind = this.behind();
    const sources = new Map([...this.#sources].filter(([source]) => !behind.has(source)));
    for (const source of sources.keys()) this.#sources.delete(source);
    const work = {
      all: this.#all,
      services,
      ownServices: this.#ownServices,
      proxies: this.#proxies,
      sources,
    };
    this.#all = false;
    this.#ownServices = new Set();
    this.#proxies = new Set();
    return work;
  }

  /**
   * All of them, or of too many first those whose sources have few waiting. A source that changes everything it has waits
   * behind those that change little, but a part of each build is its own.
   */
  #takeServices(light: boolean): ServiceKey[] {
    let chosen = [...this.#services.values()];
    if (!this.#all && chosen.length > HEAVY_PER_BUILD_MAX) {
      const ranked = this.#ranked().sort((a, b) => a.rank - b.rank);
      const first = ranked.filter(({ rank }) => rank <= LIGHT_MAX);
      const heavy = light ? [] : ranked.slice(first.length, first.length + HEAVY_PER_BUILD_MAX);
      chosen = [...first.slice(0, SERVICES_PER_BUILD_MAX - heavy.length), ...heavy].map(
        ({ service }) => service,
      );
    }
    for (const { key } of chosen) this.#services.delete(`${key.namespace}/${key.name}`);
    return chosen.map(({ key }) => key);
  }

  /** By how many services wait of the source that has the fewest. */
  #ranked(): { readonly service: DirtyService; readonly rank: number }[] {
    const counts = new Map<string, number>();
    for (const { clusters } of this.#services.values())
      for (const cluster of clusters) counts.set(cluster, (counts.get(cluster) ?? 0) + 1);
    return [...this.#services.values()].map((service) => ({
      service,
      rank: Math.min(...[...service.clusters].map((cluster) => counts.get(cluster) ?? 0)),
    }));
  }
}

/** What other clusters hold of each other, or allow, changes nothing here. */
function concerns({ cluster, key }: RegisterRef, self: ClusterName, reader: FederationReader): boolean {
  const [kind = ""] = key.split("/", 1);
  // Behind its gateway a peer is its sums; its single endpoints are nobody's here.
  if (kind === "endpoint") return cluster === self || isFlat(reader, self, cluster);
  if (kind === "link") return cluster === self;
  if (kind === "policy") return cluster === self || cluster === "hub";
  return kind !== "want" && kind !== "";
}

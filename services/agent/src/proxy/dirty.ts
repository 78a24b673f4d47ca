/** What the next build of the data plane has to look at. Pure bookkeeping. */
import type { ClusterName } from "@hansa/core";
import { affectedServices, type FederationReader, type RegisterRef, type ServiceKey } from "@hansa/model";

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

export class Dirty {
  readonly #self: ClusterName;
  #all = true;
  #services = new Map<string, ServiceKey>();
  #ownServices = new Set<string>();
  #proxies = new Set<string>();
  #sources = new Map<string, number>();

  constructor(self: ClusterName) {
    this.#self = self;
  }

  everything(): void {
    this.#all = true;
  }

  proxy(id: string): void {
    this.#proxies.add(id);
  }

  services(keys: Iterable<ServiceKey>): void {
    for (const key of keys) this.#services.set(`${key.namespace}/${key.name}`, key);
  }

  get hasServices(): boolean {
    return this.#services.size > 0;
  }

  /** False where nothing of it concerns this cluster. */
  registers(
    refs: readonly RegisterRef[],
    reader: FederationReader,
    atOf: (ref: RegisterRef) => number | undefined,
  ): boolean {
    const relevant = refs.filter((ref) => concerns(ref, this.#self));
    if (relevant.length === 0) return false;
    for (const ref of relevant) {
      const atMs = atOf(ref);
      const known = this.#sources.get(ref.cluster);
      if (atMs !== undefined && (known === undefined || atMs < known)) this.#sources.set(ref.cluster, atMs);
      if (ref.cluster === this.#self && ref.key.startsWith("service/"))
        this.#ownServices.add(ref.key.slice("service/".length));
    }
    // A bundle decides which exporters are usable at all.
    const affected = relevant.some(({ key }) => key === "bundle")
      ? "all"
      : affectedServices(relevant, reader);
    if (affected === "all") this.#all = true;
    else this.services(affected);
    return true;
  }

  take(): Work {
    const work: Work = {
      all: this.#all,
      services: [...this.#services.values()],
      ownServices: this.#ownServices,
      proxies: this.#proxies,
      sources: this.#sources,
    };
    this.#all = false;
    this.#services = new Map();
    this.#ownServices = new Set();
    this.#proxies = new Set();
    this.#sources = new Map();
    return work;
  }
}

/** What other clusters hold of each other, or allow, changes nothing here. */
function concerns({ cluster, key }: RegisterRef, self: ClusterName): boolean {
  const [kind = ""] = key.split("/", 1);
  if (kind === "link") return cluster === self;
  if (kind === "policy") return cluster === self || cluster === "hub";
  return kind !== "want" && kind !== "";
}

/** What one encoded resource says about itself: what it refers to, and what is wrong with it alone. */

export interface Facts {
  /** Human-readable, each beginning with the place. */
  readonly problems: readonly string[];
  readonly clusters: readonly string[];
  readonly endpoints: readonly string[];
  readonly routes: readonly string[];
  readonly secrets: readonly string[];
  readonly extensionConfigs: readonly string[];
  /** Client clusters: validation secret → trust domains of the ids that it is used with. */
  readonly trust: readonly { readonly secret: string; readonly domains: readonly string[] }[];
  /** Clusters: names of the transport matches. Endpoints: matches that they ask for. */
  readonly matches: readonly string[];
  /** Secrets: trust domains of the validator. */
  readonly domains: readonly string[];
  /** Listeners: server names of chains that pass TLS through. */
  readonly passedNames: readonly string[];
}

const NONE: readonly never[] = [];

/** Most lists are empty, and facts are kept for each resource: these share one. */
const kept = <Item>(items: Iterable<Item>): readonly Item[] => {
  const list = [...items];
  return list.length === 0 ? NONE : list;
};

/** Collects while a resource is read. */
export class Collector {
  readonly problems: string[] = [];
  readonly clusters = new Set<string>();
  readonly endpoints = new Set<string>();
  readonly routes = new Set<string>();
  readonly secrets = new Set<string>();
  readonly extensionConfigs = new Set<string>();
  readonly trust: { secret: string; domains: readonly string[] }[] = [];
  readonly matches = new Set<string>();
  readonly domains = new Set<string>();
  readonly passedNames = new Set<string>();
  readonly #place: string;

  constructor(place: string) {
    this.#place = place;
  }

  /** Records `problem` unless `holds`. */
  demand(holds: boolean, problem: string): void {
    if (!holds) this.problems.push(`${this.#place}: ${problem}`);
  }

  facts(): Facts {
    return {
      problems: kept(this.problems),
      clusters: kept(this.clusters),
      endpoints: kept(this.endpoints),
      routes: kept(this.routes),
      secrets: kept(this.secrets),
      extensionConfigs: kept(this.extensionConfigs),
      trust: kept(this.trust),
      matches: kept(this.matches),
      domains: kept(this.domains),
      passedNames: kept(this.passedNames),
    };
  }
}

/**
 * The check that a proxy's resources pass before they are served (design §6). The facts of a resource that the check of
 * another one looks into are remembered with its bytes, so that a change costs the changed resources only.
 */
import { HansaError } from "@hansa/core";
import { TYPE_URL, type TypeUrl } from "../../type-urls.ts";
import { byText } from "../message.ts";
import type { Resources } from "../types.ts";
import { clusterFacts, endpointFacts } from "./cluster-facts.ts";
import type { Facts } from "./facts.ts";
import { listenerFacts } from "./listener-facts.ts";
import { extensionConfigFacts, secretFacts } from "./policy-facts.ts";
import { routeFacts } from "./route-facts.ts";

type Kind = keyof Resources;

const READERS: Record<Kind, (name: string, bytes: Uint8Array) => Facts> = {
  clusters: clusterFacts,
  endpoints: endpointFacts,
  listeners: listenerFacts,
  routes: routeFacts,
  secrets: secretFacts,
  extensionConfigs: extensionConfigFacts,
};
const URL_OF: Record<Kind, TypeUrl> = {
  clusters: TYPE_URL.cluster,
  endpoints: TYPE_URL.endpoint,
  listeners: TYPE_URL.listener,
  routes: TYPE_URL.route,
  secrets: TYPE_URL.secret,
  extensionConfigs: TYPE_URL.extensionConfig,
};
const KINDS = Object.keys(READERS) as readonly Kind[];
const KIND_OF: ReadonlyMap<string, Kind> = new Map(KINDS.map((kind) => [URL_OF[kind], kind]));
const REFERENCES = ["clusters", "endpoints", "routes", "secrets", "extensionConfigs"] as const;
/** What `#trust` and `#matches` look into. */
const LOOKED_INTO: ReadonlySet<Kind> = new Set(["clusters", "endpoints", "secrets"]);
const SHOWN_MAX = 5;

const remembered = new WeakMap<Uint8Array, { readonly name: string; readonly facts: Facts }>();

function factsOf(kind: Kind, name: string, bytes: Uint8Array): Facts {
  const known = remembered.get(bytes);
  if (known?.name === name) return known.facts;
  const facts = READERS[kind](name, bytes);
  if (LOOKED_INTO.has(kind)) remembered.set(bytes, { name, facts });
  return facts;
}

/** Looks up what one proxy is served, in all layers together. */
export type FindResource = (typeUrl: TypeUrl, name: string) => Uint8Array | undefined;

export interface ConsistencyOptions {
  /** Gateways: SNIs of the exported service ports. No other name may be passed through. */
  readonly exported?: ReadonlySet<string>;
}

class Check {
  readonly #find: FindResource;
  readonly #options: ConsistencyOptions;

  constructor(find: FindResource, options: ConsistencyOptions) {
    this.#find = find;
    this.#options = options;
  }

  of(kind: Kind, name: string): readonly string[] {
    const facts = this.#facts(kind, name);
    if (facts === undefined) return [];
    const place = `${kind} ${name}`;
    return [
      ...facts.problems,
      ...this.#missing(place, facts),
      ...this.#trust(place, facts),
      ...(kind === "clusters" ? this.#matches(name, facts, this.#facts("endpoints", name)) : []),
      ...(kind === "endpoints" ? this.#matches(name, this.#facts("clusters", name), facts) : []),
      ...facts.passedNames
        .filter((passed) => this.#options.exported?.has(passed) === false)
        .map((passed) => `${place}: ${passed} is not exported`),
    ];
  }

  #facts(kind: Kind, name: string): Facts | undefined {
    const bytes = this.#find(URL_OF[kind], name);
    return bytes === undefined ? undefined : factsOf(kind, name, bytes);
  }

  #missing(place: string, facts: Facts): string[] {
    return REFERENCES.flatMap((kind) =>
      facts[kind]
        .filter((name) => this.#find(URL_OF[kind], name) === undefined)
        .map((name) => `${place}: refers to ${kind} ${name}, which does not exist`),
    );
  }

  /** A root beyond the allowed ids' domains lets a two-URI leaf of that domain in (envoy-dataplane §1.4). */
  #trust(place: string, facts: Facts): string[] {
    return facts.trust.flatMap(({ secret, domains }) => {
      const trusted = this.#facts("secrets", secret)?.domains ?? [];
      const extra = trusted.filter((domain) => !domains.includes(domain));
      return extra.length === 0 ? [] : [`${place}: ${secret} trusts ${extra.join()} beyond its ids`];
    });
  }

  #matches(name: string, cluster: Facts | undefined, endpoints: Facts | undefined): string[] {
    if (cluster === undefined || endpoints === undefined) return [];
    return endpoints.matches
      .filter((match) => !cluster.matches.includes(match))
      .map((match) => `clusters ${name}: an endpoint of ${match} matches no exporter`);
  }
}

/** What is wrong with one changed resource and with what it refers to; empty = it may be served. */
export function inconsistenciesOf(
  typeUrl: TypeUrl,
  name: string,
  find: FindResource,
  options: ConsistencyOptions = {},
): readonly string[] {
  const kind = KIND_OF.get(typeUrl);
  return kind === undefined ? [`${typeUrl}: not a served type`] : new Check(find, options).of(kind, name);
}

/** Everything wrong with a whole set, sorted; empty = it may be served. */
export function inconsistencies(resources: Resources, options: ConsistencyOptions = {}): readonly string[] {
  const find: FindResource = (typeUrl, name) => {
    const kind = KIND_OF.get(typeUrl);
    return kind === undefined ? undefined : resources[kind].get(name);
  };
  const check = new Check(find, options);
  const problems = KINDS.flatMap((kind) =>
    [...resources[kind].keys()].flatMap((name) => check.of(kind, name)),
  );
  return [...new Set(problems)].sort(byText);
}

/** Throws HSA5002 with the first problems: such a set must not be served. */
export function assertConsistent(resources: Resources, options: ConsistencyOptions = {}): void {
  const problems = inconsistencies(resources, options);
  if (problems.length === 0) return;
  const more = problems.length > SHOWN_MAX ? ` (and ${problems.length - SHOWN_MAX} more)` : "";
  throw new HansaError("HSA5002", `resources: ${problems.slice(0, SHOWN_MAX).join("; ")}${more}`, {
    details: { problems },
  });
}

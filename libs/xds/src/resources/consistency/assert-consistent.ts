/**
 * The check that a proxy's whole set passes before it is served (design §6). Bytes are read once: the facts of a
 * resource are remembered with its bytes, so that a change costs the changed resources only.
 */
import { HansaError } from "@hansa/core";
import { byText } from "../message.ts";
import type { Resources } from "../types.ts";
import { clusterFacts, endpointFacts } from "./cluster-facts.ts";
import type { Facts } from "./facts.ts";
import { listenerFacts } from "./listener-facts.ts";
import { extensionConfigFacts, secretFacts } from "./policy-facts.ts";
import { routeFacts } from "./route-facts.ts";

const READERS: Record<keyof Resources, (name: string, bytes: Uint8Array) => Facts> = {
  clusters: clusterFacts,
  endpoints: endpointFacts,
  listeners: listenerFacts,
  routes: routeFacts,
  secrets: secretFacts,
  extensionConfigs: extensionConfigFacts,
};
const KINDS = Object.keys(READERS) as readonly (keyof Resources)[];
const REFERENCES = ["clusters", "endpoints", "routes", "secrets", "extensionConfigs"] as const;
const SHOWN_MAX = 5;

const remembered = new WeakMap<Uint8Array, { readonly name: string; readonly facts: Facts }>();

function factsOf(kind: keyof Resources, name: string, bytes: Uint8Array): Facts {
  const known = remembered.get(bytes);
  if (known?.name === name) return known.facts;
  const facts = READERS[kind](name, bytes);
  remembered.set(bytes, { name, facts });
  return facts;
}

export interface ConsistencyOptions {
  /** Gateways: SNIs of the exported service ports. No other name may be passed through. */
  readonly exported?: ReadonlySet<string>;
}

function crossProblems(
  place: string,
  facts: Facts,
  resources: Resources,
  all: (kind: keyof Resources, name: string) => Facts | undefined,
): string[] {
  const problems: string[] = [];
  for (const kind of REFERENCES)
    for (const name of facts[kind])
      if (!resources[kind].has(name))
        problems.push(`${place}: refers to ${kind} ${name}, which does not exist`);
  for (const { secret, domains } of facts.trust) {
    const trusted = all("secrets", secret)?.domains ?? [];
    const extra = trusted.filter((domain) => !domains.includes(domain));
    // A root beyond the allowed ids' domains lets a two-URI leaf of that domain in.
    if (extra.length > 0) problems.push(`${place}: ${secret} trusts ${extra.join()} beyond its ids`);
  }
  return problems;
}

/** Everything wrong with the set, sorted; empty = it may be served. */
export function inconsistencies(resources: Resources, options: ConsistencyOptions = {}): readonly string[] {
  const find = (kind: keyof Resources, name: string): Facts | undefined => {
    const bytes = resources[kind].get(name);
    return bytes === undefined ? undefined : factsOf(kind, name, bytes);
  };
  const problems: string[] = [];
  for (const kind of KINDS) {
    for (const name of resources[kind].keys()) {
      const facts = find(kind, name) as Facts;
      const place = `${kind} ${name}`;
      problems.push(...facts.problems, ...crossProblems(place, facts, resources, find));
      if (kind === "clusters") {
        const wanted = find("endpoints", name)?.matches ?? [];
        for (const match of wanted)
          if (!facts.matches.includes(match))
            problems.push(`${place}: an endpoint of ${match} matches no exporter`);
      }
      for (const passed of facts.passedNames)
        if (options.exported?.has(passed) === false) problems.push(`${place}: ${passed} is not exported`);
    }
  }
  return problems.sort(byText);
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

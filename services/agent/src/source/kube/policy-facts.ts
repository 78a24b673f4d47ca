/**
 * Facts of Hansa's own custom resources, kept up to date object by object. What is pending keeps what it said before; the
 * configured gateways hold until a MeshGateway does.
 */
import { sameJson } from "@hansa/core";
import type { Fact } from "../facts.ts";
import type { FactChanges } from "./kube-facts.ts";
import {
  allowOutcome,
  failoverOutcome,
  type GatewaySight,
  gatewayOutcome,
  type PolicyOutcome,
} from "./policies.ts";
import type { PolicyObject, PolicyObjectKind } from "./policy-objects.ts";

export interface JudgedPolicy {
  readonly object: PolicyObject;
  readonly outcome: PolicyOutcome;
  /** In force: of this outcome, or of one before it where this is pending. */
  readonly facts: readonly Fact[];
}

export interface PolicyFactsOptions {
  readonly sight: GatewaySight;
  readonly configuredGateways: readonly Fact[];
}

/** `<kind> <key>`. */
export const policyId = (kind: PolicyObjectKind, key: string): string => `${kind} ${key}`;

export class PolicyFacts {
  readonly #options: PolicyFactsOptions;
  readonly #known = new Map<string, JudgedPolicy>();
  #told = new Map<string, Fact>();
  readonly #judged = new Set<string>();
  #isTold = false;

  constructor(options: PolicyFactsOptions) {
    this.#options = options;
  }

  apply(kind: PolicyObjectKind, key: string, object: PolicyObject | undefined): void {
    const id = policyId(kind, key);
    this.#judged.add(id);
    if (object === undefined) this.#known.delete(id);
    else this.#known.set(id, this.#judge(object, this.#known.get(id)?.facts ?? []));
  }

  /** Addresses of Services may be others now. */
  servicesChanged(): void {
    for (const [id, { object, facts }] of this.#known)
      if (object.kind === "MeshGateway") {
        this.#known.set(id, this.#judge(object, facts));
        this.#judged.add(id);
      }
  }

  /** What changed since the last call; `exports` are ids of policies that were judged anew. */
  take(): FactChanges {
    if (this.#judged.size === 0 && this.#isTold) return { set: [], gone: [], exports: [] };
    this.#isTold = true;
    const now = this.#now();
    const set = [...now.values()].filter((fact) => !sameJson(this.#told.get(fact.key)?.value, fact.value));
    const gone = [...this.#told.values()].filter(({ key }) => !now.has(key));
    this.#told = now;
    const exports = [...this.#judged];
    this.#judged.clear();
    return { set, gone, exports };
  }

  /** Every fact, after `take`. */
  all(): ReadonlyMap<string, Fact> {
    return this.#told;
  }

  get(id: string): JudgedPolicy | undefined {
    return this.#known.get(id);
  }

  ids(): Iterable<string> {
    return this.#known.keys();
  }

  #now(): Map<string, Fact> {
    const facts = [...this.#known.keys()].sort().flatMap((id) => this.#known.get(id)?.facts ?? []);
    const hasGateway = facts.some(({ type }) => type === "GatewaySet");
    const all = hasGateway ? facts : [...facts, ...this.#options.configuredGateways];
    return new Map(all.map((fact) => [fact.key, fact]));
  }

  #judge(object: PolicyObject, before: readonly Fact[]): JudgedPolicy {
    const outcome = outcomeOf(object, this.#options.sight);
    if (outcome.kind === "accepted") return { object, outcome, facts: outcome.facts };
    return { object, outcome, facts: outcome.kind === "pending" ? before : [] };
  }
}

function outcomeOf(object: PolicyObject, sight: GatewaySight): PolicyOutcome {
  if (object.kind === "AllowPolicy") return allowOutcome(object);
  return object.kind === "FailoverPolicy" ? failoverOutcome(object) : gatewayOutcome(object, sight);
}

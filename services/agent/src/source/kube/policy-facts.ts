/**
 * Facts of Hansa's own custom resources, kept up to date object by object. What is pending keeps what it said before; the
 * configured gateways hold until a MeshGateway does.
 */
import { sameJson } from "@hansa/core";
import type { Fact } from "../facts.ts";
import { registersOf } from "../gateway-addresses.ts";
import type { FactChanges } from "./kube-facts.ts";
import {
  allowOutcome,
  failoverOutcome,
  type GatewaySight,
  gatewayOutcome,
  type PolicyOutcome,
  serviceOf,
} from "./policies.ts";
import type { PolicyObject, PolicyObjectKind } from "./policy-objects.ts";

export interface JudgedPolicy {
  readonly object: PolicyObject;
  readonly outcome: PolicyOutcome;
  /** In force: of this outcome, or of one before it where this is pending. */
  readonly facts: readonly Fact[];
  /** Host names of a gateway. */
  readonly names: ReadonlySet<string>;
}

export interface PolicyFactsOptions {
  readonly sight: GatewaySight;
  /** Holds until another one is in force. */
  readonly configuredGateway: PolicyObject;
  /** Gateways that the own log tells of: of the run before this one. */
  readonly remembered: () => Iterable<Fact<"GatewaySet">>;
}

/** `<kind> <key>`. */
export const policyId = (kind: PolicyObjectKind, key: string): string => `${kind} ${key}`;

export class PolicyFacts {
  readonly #options: PolicyFactsOptions;
  readonly #known = new Map<string, JudgedPolicy>();
  #told = new Map<string, Fact>();
  readonly #judged = new Set<string>();
  /** Ids of MeshGateways. */
  readonly #gateways = new Set<string>();
  #configured: JudgedPolicy;
  #isTold = false;

  constructor(options: PolicyFactsOptions) {
    this.#options = options;
    this.#configured = this.#judge(options.configuredGateway, undefined);
  }

  apply(kind: PolicyObjectKind, key: string, object: PolicyObject | undefined): void {
    const id = policyId(kind, key);
    this.#judged.add(id);
    if (object === undefined) this.#known.delete(id);
    else this.#known.set(id, this.#judge(object, this.#known.get(id)));
    if (object?.kind === "MeshGateway") this.#gateways.add(id);
    else this.#gateways.delete(id);
  }

  /** The Service, or its endpoints, may have other addresses now; undefined: any may, or a host name. */
  addressesChanged(service?: string): void {
    const isConcerned = ({ object }: JudgedPolicy): boolean =>
      service === undefined || serviceOf(object) === service;
    for (const id of this.#gateways) {
      const known = this.#known.get(id);
      if (known === undefined || !isConcerned(known)) continue;
      this.#known.set(id, this.#judge(known.object, known));
      this.#judged.add(id);
    }
    if (!isConcerned(this.#configured)) return;
    this.#configured = this.#judge(this.#configured.object, this.#configured);
    this.#isTold = false;
  }

  /** A gateway has this host name. */
  isNamed(name: string): boolean {
    return (
      this.#configured.names.has(name) ||
      [...this.#gateways].some((id) => this.#known.get(id)?.names.has(name) === true)
    );
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
    const all = hasGateway ? facts : [...facts, ...this.#configured.facts];
    return new Map(all.map((fact) => [fact.key, fact]));
  }

  #judge(object: PolicyObject, known: JudgedPolicy | undefined): JudgedPolicy {
    if (object.kind !== "MeshGateway") return judged(object, otherOutcome(object), known?.facts ?? []);
    const { sight, remembered } = this.#options;
    const before = known?.facts ?? registersOf(object.name, remembered());
    const names = new Set<string>();
    const resolve: GatewaySight["resolve"] = (name, told) => {
      names.add(name);
      return sight.resolve(name, told);
    };
    const outcome = gatewayOutcome(object, { ...sight, resolve }, before as readonly Fact<"GatewaySet">[]);
    return { ...judged(object, outcome, before), names };
  }
}

function judged(object: PolicyObject, outcome: PolicyOutcome, before: readonly Fact[]): JudgedPolicy {
  const facts = outcome.kind === "accepted" ? outcome.facts : outcome.kind === "pending" ? before : [];
  return { object, outcome, facts, names: NO_NAMES };
}

const NO_NAMES: ReadonlySet<string> = new Set();

const otherOutcome = (object: PolicyObject): PolicyOutcome =>
  object.kind === "AllowPolicy" ? allowOutcome(object) : failoverOutcome(object);

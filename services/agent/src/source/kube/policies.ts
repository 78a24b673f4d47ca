/**
 * Hansa's own custom resources as facts: the same registers that the file source makes of the same policies, checked by the
 * same rules. Pure: a function of the object and, for a gateway, of the addresses found for it.
 */
import { isIP } from "node:net";
import { SYSTEM_NAMESPACE } from "@hansa/core";
import type { z } from "zod";
import { allow, failover, gateway } from "../document.ts";
import { allowFact, type Fact, failoverFact, gatewayFact } from "../facts.ts";
import { problemsOf } from "../problems.ts";
import { isJson, type Json, member, record, string, stringList } from "./json.ts";
import type { PolicyObject } from "./policy-objects.ts";

/** The FailoverPolicy of this name in Hansa's own namespace holds for all services without one of their own. */
export const DEFAULT_NAME = "default";

export type PolicyOutcome =
  | { readonly kind: "accepted"; readonly facts: readonly Fact[]; readonly message: string }
  /** What it says has no effect at all. */
  | {
      readonly kind: "refused";
      readonly reason: "Invalid" | "UnknownField" | "NoService";
      readonly message: string;
    }
  /** Not known yet: what it has said before stays in force. */
  | { readonly kind: "pending"; readonly message: string };

/** What is known of a gateway beside its object. */
export interface GatewaySight {
  readonly region: string;
  /** Its proxies take connections. */
  readonly isReady: boolean;
  /** Addresses and host names of a Service's LoadBalancer; undefined: not read yet. */
  readonly ofService: (namespace: string, name: string) => readonly string[] | undefined;
  /** IP addresses of a host name; undefined: not resolved yet. */
  readonly resolved: (hostname: string) => readonly string[] | undefined;
}

const accepted = (facts: readonly Fact[], message = ""): PolicyOutcome => ({
  kind: "accepted",
  facts,
  message,
});
const invalid = (message: string): PolicyOutcome => ({ kind: "refused", reason: "Invalid", message });

/** A field that this version does not know may be one that narrows: nobody is admitted by half of a policy. */
export function allowOutcome({ namespace, name, spec }: PolicyObject): PolicyOutcome {
  const unknown = unknownFields(spec, ["service", "from"]);
  if (unknown !== "") return { kind: "refused", reason: "UnknownField", message: unknown };
  return checked(allow, { namespace, name, service: spec.service, from: spec.from }, (item) => [
    allowFact(item),
  ]);
}

const FAILOVER_FIELDS = ["threshold", "tiers", "regions", "hysteresisPercent", "hysteresisSeconds"];

/** Moves calls and admits nobody: what this version does not know of it is left out, and said. */
export function failoverOutcome({ namespace, name, spec }: PolicyObject): PolicyOutcome {
  const isOwn = namespace === SYSTEM_NAMESPACE;
  if (isOwn && name !== DEFAULT_NAME)
    return invalid(`metadata.name: in ${SYSTEM_NAMESPACE} only ${DEFAULT_NAME} has a meaning`);
  const { hysteresisSeconds, tiers, regions, threshold, hysteresisPercent } = spec;
  const item = {
    ...(isOwn ? { namespace: "-", name: "-" } : { namespace, name }),
    ...(tiers === undefined ? {} : { tiers }),
    ...(regions === undefined ? {} : { regions }),
    ...(threshold === undefined ? {} : { threshold }),
    ...(hysteresisPercent === undefined ? {} : { hysteresisPercent }),
    ...(hysteresisSeconds === undefined ? {} : { hysteresisMs: milliseconds(hysteresisSeconds) }),
  };
  return checked(failover, item, (policy) => [failoverFact(policy)], unknownFields(spec, FAILOVER_FIELDS));
}

const milliseconds = (seconds: unknown): unknown => (typeof seconds === "number" ? seconds * 1000 : seconds);

const GATEWAY_FIELDS = ["service", "addresses", "port"];

/** A register per address, named by it where there are several: one that goes takes no other with it. */
export function gatewayOutcome({ name, spec }: PolicyObject, sight: GatewaySight): PolicyOutcome {
  const named = namedAddresses(spec, sight);
  if ("kind" in named) return named;
  const addresses = resolvedAddresses(named.addresses, sight);
  if (addresses === undefined) return { kind: "pending", message: "a host name is not resolved yet" };
  if (addresses.length === 0)
    return { kind: "refused", reason: "NoService", message: "no address was found" };
  const facts: Fact[] = [];
  for (const address of addresses) {
    const item = { name, address, port: spec.port, ready: sight.isReady };
    const outcome = checked(gateway, item, (found) => {
      const register = addresses.length === 1 ? name : registerOf(name, address);
      return [gatewayFact({ ...found, name: register }, sight.region)];
    });
    if (outcome.kind !== "accepted") return outcome;
    facts.push(...outcome.facts);
  }
  return accepted(facts, unknownFields(spec, GATEWAY_FIELDS));
}

/** A label: 23 characters, a dash, and the 39 of the longest address. `fd00::` would end with a dash. */
const registerOf = (name: string, address: string): string =>
  `${name.slice(0, 23)}-${`${address}.`.replaceAll(/[.:]/g, "-").replace(/--$/, "-0-").slice(0, -1)}`;

function namedAddresses(
  spec: Json,
  sight: GatewaySight,
): PolicyOutcome | { readonly addresses: readonly string[] } {
  const service = member(spec, "service");
  if ((service === undefined) === (member(spec, "addresses") === undefined))
    return invalid("spec: give service or addresses, one of them");
  if (service === undefined) return { addresses: stringList(spec, "addresses") };
  const { namespace, name } = {
    namespace: string(record(spec, "service"), "namespace") ?? "",
    name: string(record(spec, "service"), "name") ?? "",
  };
  const addresses = sight.ofService(namespace, name);
  if (addresses === undefined)
    return { kind: "pending", message: `Service ${namespace}/${name} is not known yet` };
  if (addresses.length > 0) return { addresses };
  return { kind: "refused", reason: "NoService", message: `Service ${namespace}/${name} has no address` };
}

/** In order, each once; undefined where one of the names is not resolved yet. */
function resolvedAddresses(names: readonly string[], sight: GatewaySight): readonly string[] | undefined {
  const found = new Set<string>();
  for (const name of names) {
    const addresses = isIP(name) === 0 ? sight.resolved(name) : [name];
    if (addresses === undefined) return undefined;
    for (const address of addresses) found.add(address);
  }
  return [...found].sort();
}

function checked<Schema extends z.ZodType>(
  schema: Schema,
  item: unknown,
  factsOf: (item: z.output<Schema>) => readonly Fact[],
  message = "",
): PolicyOutcome {
  const result = schema.safeParse(item);
  return result.success
    ? accepted(factsOf(result.data), message)
    : invalid(problemsOf(result.error).join("; "));
}

/** "" where there are none. A newer CRD than this agent may have them. */
function unknownFields(spec: Json, known: readonly string[]): string {
  const names = Object.keys(isJson(spec) ? spec : {}).filter((name) => !known.includes(name));
  return names.length === 0 ? "" : `not known to this version of Hansa: ${names.sort().join(", ")}`;
}

/**
 * Hansa's own custom resources as facts: the same registers that the file source makes of the same policies, checked by the
 * same rules. Pure: a function of the object and, for a gateway, of the addresses found for it.
 */
import { SYSTEM_NAMESPACE } from "@hansa/core";
import type { z } from "zod";
import { allow, failover, gateway } from "../document.ts";
import { allowFact, type Fact, failoverFact, gatewayFact } from "../facts.ts";
import { namedAddresses, type Resolve } from "../gateway-addresses.ts";
import { problemsOf } from "../problems.ts";
import { isJson, type Json, member, record, string, stringList } from "./json.ts";
import type { PolicyObject } from "./policy-objects.ts";
import type { ServiceAddresses } from "./service-addresses.ts";

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
  /** Of this port, from outside. */
  readonly ofService: (key: string, port: number) => ServiceAddresses;
  readonly resolve: Resolve;
}

const accepted = (facts: readonly Fact[], message = ""): PolicyOutcome => ({
  kind: "accepted",
  facts,
  message,
});
const invalid = (message: string) => ({ kind: "refused", reason: "Invalid", message }) as const;

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

/** `ns/name` of the Service that a gateway is behind; undefined: it names addresses. */
export function serviceOf({ spec }: PolicyObject): string | undefined {
  if (member(spec, "service") === undefined) return undefined;
  const service = record(spec, "service");
  return `${string(service, "namespace") ?? ""}/${string(service, "name") ?? ""}`;
}

/** `before` = its facts that are in force. */
export function gatewayOutcome(
  object: PolicyObject,
  sight: GatewaySight,
  before: readonly Fact<"GatewaySet">[],
): PolicyOutcome {
  const { name, spec } = object;
  const place = placeOf(object, sight);
  if (place.kind !== "found") return place;
  const addresses = namedAddresses(name, place.addresses, sight.resolve, before);
  if (addresses === undefined)
    return { kind: "pending", message: `${place.addresses.join(", ")}: not resolved yet` };
  if (addresses.length === 0)
    return { kind: "refused", reason: "NoService", message: "no address was found" };
  const facts: Fact[] = [];
  for (const one of addresses) {
    const item = { ...one, port: place.port, ready: sight.isReady };
    const outcome = checked(gateway, item, (found) => [gatewayFact(found, sight.region)]);
    if (outcome.kind !== "accepted") return outcome;
    facts.push(...outcome.facts);
  }
  return accepted(facts, unknownFields(spec, GATEWAY_FIELDS));
}

type Place = Extract<ServiceAddresses, { kind: "found" }> | Exclude<PolicyOutcome, { kind: "accepted" }>;

function placeOf(object: PolicyObject, sight: GatewaySight): Place {
  const { spec } = object;
  const service = serviceOf(object);
  if ((service === undefined) === (member(spec, "addresses") === undefined))
    return invalid("spec: give service or addresses, one of them");
  const port = member(spec, "port") as number;
  if (service === undefined) return { kind: "found", addresses: stringList(spec, "addresses"), port };
  const found = sight.ofService(service, port);
  if (found.kind === "found") return found;
  const message = `Service ${service} ${found.message}`;
  return found.kind === "pending"
    ? { kind: "pending", message }
    : { kind: "refused", reason: "NoService", message };
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

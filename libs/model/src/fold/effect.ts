/**
 * Which registers have effect: by the right writer, of a member that is active or draining, inside its grant. What has
 * none stays in the fold (its digest covers it) and shows as a finding.
 */
import { type Code, SYSTEM_NAMESPACE, type TrustDomain, workloadId } from "@hansa/core";
import { type Grant, parseKey, type RegisterKey, type RegisterType } from "@hansa/events";
import { addressGranted, namespaceGranted } from "../grant.ts";
import type { RegisterView } from "./types.ts";

/** What a source is, as far as its registers' effect goes. */
export interface Standing {
  readonly cluster: string;
  readonly trustDomain: TrustDomain;
  readonly grant: Grant;
  readonly lab: boolean;
}

export interface Refusal {
  readonly code: Code;
  readonly message: string;
}

/** Only the hub sets these. */
const HUB_TYPES: readonly RegisterType[] = ["MembershipSet", "HubkeySet", "OperatorsSet", "ForeignSet"];

/**
 * undefined = it may; the hub says nothing about any cluster's facts. Foreign domains need operators' signatures, which
 * nobody can give yet: until then none has effect.
 */
export function hubRefusal(view: RegisterView): Refusal | undefined {
  if (view.type === "ForeignSet")
    return { code: "HSA3007", message: `${view.key}: no operators have signed it` };
  const key = parseKey(view.key);
  const allowed =
    HUB_TYPES.includes(view.type) ||
    view.type === "CommandSet" ||
    view.type === "WantSet" ||
    (key?.type === "PolicySet" && key.kind === "failover");
  return allowed ? undefined : { code: "HSA2013", message: `${view.key}: the hub may not set it` };
}

/** Why a member's register has no effect. `own`: the cluster itself looks, so its own places need no grant. */
export function memberRefusal(view: RegisterView, standing: Standing, own: boolean): Refusal | undefined {
  const key = parseKey(view.key);
  if (key === undefined || HUB_TYPES.includes(view.type))
    return { code: "HSA2013", message: `${view.key}: only the hub may set it` };
  if (view.type === "IdentitySet") return identityRefusal(view.value.spiffeId, view.key, key, standing);
  if (view.type === "BundleSet" && view.value.trustDomain !== standing.trustDomain)
    return outside(`${view.key}: trust domain ${view.value.trustDomain} is not ${standing.trustDomain}`);
  return own ? undefined : placeRefusal(view, key, standing);
}

const outside = (message: string): Refusal => ({ code: "HSA3006", message });

function identityRefusal(
  id: string,
  name: string,
  key: RegisterKey,
  standing: Standing,
): Refusal | undefined {
  if (key.type !== "IdentitySet") return outside(`${name}: no identity`);
  const right = workloadId(standing.trustDomain, key.namespace, key.serviceAccount);
  if (id !== right) return outside(`${name}: ${id} is not ${right}`);
  if (key.namespace === SYSTEM_NAMESPACE || namespaceGranted(key.namespace, standing.grant)) return undefined;
  return outside(`${name}: namespace ${key.namespace} is not granted`);
}

function placeRefusal(view: RegisterView, key: RegisterKey, standing: Standing): Refusal | undefined {
  const { grant, lab } = standing;
  const namespace = "namespace" in key ? key.namespace : undefined;
  const anywhere = view.type === "ServiceSet" || (key.type === "PolicySet" && key.kind === "failover");
  if (namespace !== undefined && !anywhere && !namespaceGranted(namespace, grant))
    return outside(`${view.key}: namespace ${namespace} is not granted`);
  if (key.type === "LoadSet") return localityRefusal(view.key, key.region, key.zone, grant);
  if (view.type === "EndpointSet") {
    const { address, region, zone } = view.value;
    return addressRefusal(view.key, address, grant, lab) ?? localityRefusal(view.key, region, zone, grant);
  }
  if (view.type === "GatewaySet") {
    const { address, region } = view.value;
    return addressRefusal(view.key, address, grant, lab) ?? localityRefusal(view.key, region, "", grant);
  }
  return undefined;
}

const addressRefusal = (name: string, address: string, grant: Grant, lab: boolean): Refusal | undefined =>
  addressGranted(address, grant, lab)
    ? undefined
    : outside(`${name}: address ${address} is outside ${grant.cidrs.join(", ") || "the grant"}`);

/** "" and "-" stand for no zone. A grant without zones leaves them open. */
function localityRefusal(name: string, region: string, zone: string, grant: Grant): Refusal | undefined {
  if (region !== grant.region) return outside(`${name}: region ${region} is not ${grant.region}`);
  if (zone === "" || zone === "-" || grant.zones.length === 0 || grant.zones.includes(zone)) return undefined;
  return outside(`${name}: zone ${zone} is not granted`);
}

/** An export outside the granted namespaces; the service itself stays, for its own cluster. */
export function exportRefusal(view: RegisterView, standing: Standing): Refusal | undefined {
  const key = parseKey(view.key);
  if (view.type !== "ServiceSet" || key?.type !== "ServiceSet" || view.value.export === null)
    return undefined;
  return namespaceGranted(key.namespace, standing.grant)
    ? undefined
    : outside(`${view.key}: namespace ${key.namespace} is not granted for export`);
}

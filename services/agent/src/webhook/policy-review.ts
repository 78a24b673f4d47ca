/**
 * The review of Hansa's own custom resources before they are stored: what could never have effect is refused, what has none yet
 * is taken with a warning. Pure. The status of what is stored is judged by the same rules (source/kube/policies.ts).
 */
import type { ClusterName } from "@hansa/core";
import { addressGranted, type Federation } from "@hansa/model";
import type { Fact } from "../source/facts.ts";
import { isJson } from "../source/kube/json.ts";
import {
  allowOutcome,
  failoverOutcome,
  type GatewaySight,
  gatewayOutcome,
  type PolicyOutcome,
} from "../source/kube/policies.ts";
import {
  POLICY_KINDS,
  type PolicyObject,
  type PolicyObjectKind,
  projectPolicy,
} from "../source/kube/policy-objects.ts";
import { answer, askedBy, malformed, type Reviewed, refusal } from "./admission.ts";

export interface AdmissionSight {
  /** false: no such cluster is in the federation now. */
  readonly isMember: (cluster: string) => boolean;
  /** Why the cluster may not have a gateway there: outside its grant. */
  readonly refusesAddress: (address: string) => string | undefined;
}

export const admissionSight = (fed: Federation, own: ClusterName, isLab: boolean): AdmissionSight => ({
  isMember: (cluster) => fed.member(cluster) !== undefined,
  refusesAddress: (address) => {
    const grant = fed.member(own)?.membership.grant;
    return grant === undefined || addressGranted(address, grant, isLab)
      ? undefined
      : `${address} is outside what ${own} was granted (${grant.cidrs.join(", ")})`;
  },
});

export function reviewPolicy(text: string, sight: AdmissionSight): Reviewed {
  const review = askedBy(text);
  if ("malformed" in review) return review.malformed;
  const { asked } = review;
  const kind = POLICY_KINDS.find((each) => each === asked.kind.kind);
  if (asked.kind.group !== "hansa.dev" || kind === undefined || !isJson(asked.object))
    return malformed(`request.kind: only ${POLICY_KINDS.join(", ")} of hansa.dev`);
  const object = projectPolicy(kind, asked.object);
  // Its deletion has begun: only its finalizers change.
  if (object === undefined) return answer("allowed", asked, { allowed: true });
  const outcome = outcomeOf(kind, object);
  if (outcome.kind === "refused") return refusal(asked, `HSA7033 ${outcome.message}`);
  if (outcome.kind === "pending") return answer("allowed", asked, { allowed: true });
  const addresses = outcome.facts.flatMap(({ value }) => ("address" in value ? [value.address] : []));
  const outside = addresses.flatMap((address) => sight.refusesAddress(address) ?? []);
  if (outside.length > 0) return refusal(asked, `HSA7033 spec.addresses: ${outside.join("; ")}`);
  const strangers = [...new Set(outcome.facts.flatMap(clustersOf))].filter((name) => !sight.isMember(name));
  const warnings = [
    ...(outcome.message === "" ? [] : [outcome.message]),
    ...strangers.map((name) => `no cluster ${name} is in the federation now`),
  ];
  return answer("allowed", asked, { allowed: true, ...(warnings.length === 0 ? {} : { warnings }) });
}

function outcomeOf(kind: PolicyObjectKind, object: PolicyObject): PolicyOutcome {
  switch (kind) {
    case "AllowPolicy":
      return allowOutcome(object);
    case "FailoverPolicy":
      return failoverOutcome(object);
    case "MeshGateway":
      return gatewayOutcome(object, UNSEEN, []);
  }
}

/** What it stands behind, and what its names stand for, may come later. */
const UNSEEN: GatewaySight = {
  region: "",
  isReady: true,
  ofService: () => ({ kind: "pending", message: "" }),
  resolve: () => undefined,
};

function clustersOf({ value }: Fact): string[] {
  if ("from" in value) return value.from.flatMap(({ cluster }) => (cluster === "*" ? [] : [cluster]));
  return "tiers" in value ? value.tiers.flat() : [];
}

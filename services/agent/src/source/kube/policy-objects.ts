/** What is kept of Hansa's own custom resources (deploy/crds). Projections are total; policies.ts judges. */
import { type Json, list, number, record } from "./json.ts";
import { type ConditionObject, isGoing, type NamedObject, projectCondition, projectName } from "./objects.ts";

export const POLICY_KINDS = ["AllowPolicy", "FailoverPolicy", "MeshGateway"] as const;
export type PolicyObjectKind = (typeof POLICY_KINDS)[number];

export interface PolicyObject extends NamedObject {
  readonly kind: PolicyObjectKind;
  readonly generation: number;
  /** As it is written; "" stands for the namespace of a MeshGateway. */
  readonly spec: Json;
  readonly conditions: readonly ConditionObject[];
}

/** undefined: its deletion has begun. */
export function projectPolicy(kind: PolicyObjectKind, object: Json): PolicyObject | undefined {
  if (isGoing(object)) return undefined;
  return {
    kind,
    ...projectName(object),
    generation: number(record(object, "metadata"), "generation") ?? 0,
    spec: record(object, "spec"),
    conditions: list(record(object, "status"), "conditions").map(projectCondition),
  };
}

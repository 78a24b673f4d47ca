/** What the status of Hansa's own custom resources says. */
import { type ConditionContext, condition } from "../../mcs/conditions.ts";
import type { ConditionObject } from "./objects.ts";
import type { PolicyOutcome } from "./policies.ts";

export function acceptedCondition(outcome: PolicyOutcome, context: ConditionContext): ConditionObject {
  switch (outcome.kind) {
    case "accepted":
      return condition("Accepted", "True", "Accepted", outcome.message, context);
    case "refused":
      return condition("Accepted", "False", outcome.reason, outcome.message, context);
    case "pending":
      return condition("Accepted", "Unknown", "Pending", outcome.message, context);
  }
}

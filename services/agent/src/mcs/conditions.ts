/** Conditions of ServiceExports and ServiceImports (federation §10.1): types, reasons, and when a transition was. */
import type { ExportVerdict } from "@hansa/model";
import type { Validity } from "../source/kube/export-check.ts";
import type { ConditionObject } from "../source/kube/objects.ts";

/** metav1.Condition. */
const MESSAGE_CHARS_MAX = 32_768;

/** How far an export has come. */
export type ExportState =
  /** Others can hear it. */
  | { readonly at: "exported" }
  /** Wanted, and not yet in the log. */
  | { readonly at: "pending" }
  /** In the log without effect: outside the grant or its quotas. */
  | { readonly at: "refused"; readonly message: string };

export interface ConditionContext {
  readonly generation: number;
  readonly before: readonly ConditionObject[];
  /** RFC 3339, for transitions of now. */
  readonly now: string;
}

export function exportConditions(
  validity: Validity,
  state: ExportState,
  verdict: ExportVerdict,
  context: ConditionContext,
): ConditionObject[] {
  if (!validity.valid)
    return [
      condition("Valid", "False", validity.reason, validity.message, context),
      condition("Ready", "False", "Failed", "the export is not valid", context),
    ];
  const conflicting = verdict.conflicts.length > 0;
  return [
    condition("Valid", "True", "Valid", "", context),
    readyOf(state, context),
    condition("Conflict", conflicting ? "True" : "False", verdict.reason, verdict.message, context),
  ];
}

function readyOf(state: ExportState, context: ConditionContext): ConditionObject {
  if (state.at === "exported") return condition("Ready", "True", "Exported", "", context);
  if (state.at === "refused") return condition("Ready", "False", "Failed", state.message, context);
  return condition("Ready", "False", "Pending", "waiting for the federation's log", context);
}

export interface ImportProblem {
  readonly reason: "Pending" | "IPFamilyNotSupported";
  readonly message: string;
}

export const importConditions = (
  problem: ImportProblem | undefined,
  context: ConditionContext,
): ConditionObject[] => [
  problem === undefined
    ? condition("Ready", "True", "Ready", "", context)
    : condition("Ready", "False", problem.reason, problem.message, context),
];

/** The time of a transition is that of its status, not of its reason or message. */
export function condition(
  type: string,
  status: "True" | "False" | "Unknown",
  reason: string,
  message: string,
  { generation, before, now }: ConditionContext,
): ConditionObject {
  const known = before.find((each) => each.type === type);
  return {
    type,
    status,
    reason,
    message: message.slice(0, MESSAGE_CHARS_MAX),
    lastTransitionTime:
      known?.status === status && known.lastTransitionTime !== "" ? known.lastTransitionTime : now,
    observedGeneration: generation,
  };
}

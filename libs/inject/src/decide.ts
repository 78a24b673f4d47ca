/** Whether a pod is to have a sidecar: its annotation decides, else its namespace's label; without both it has none. */
import { DISABLED, ENABLED, INJECT, INJECTED } from "./names.ts";
import type { Pod } from "./pod.ts";

export type Decision =
  | { readonly kind: "inject" }
  | { readonly kind: "leave"; readonly reason: string }
  | { readonly kind: "refuse"; readonly message: string };

export function decide(pod: Pod, namespaceLabels: Readonly<Record<string, string>>): Decision {
  const annotations = pod.metadata?.annotations ?? {};
  if (annotations[INJECTED] !== undefined) return { kind: "leave", reason: "it is injected already" };
  const own = annotations[INJECT];
  if (own === DISABLED) return { kind: "leave", reason: "its annotation opts it out" };
  if (own !== undefined && own !== ENABLED)
    return {
      kind: "refuse",
      message: `metadata.annotations["${INJECT}"]: ${JSON.stringify(own)} is neither ${ENABLED} nor ${DISABLED}`,
    };
  if (own === ENABLED || namespaceLabels[INJECT] === ENABLED) return { kind: "inject" };
  return { kind: "leave", reason: "neither it nor its namespace opts in" };
}

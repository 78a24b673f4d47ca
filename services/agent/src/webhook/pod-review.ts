/** The review of a Pod's creation: with a sidecar, as it is, or not at all. Pure; what it does not understand it refuses with a code. */
import { type InjectSettings, inject } from "@hansa/inject";
import { answer, askedBy, malformed, type Reviewed, refusal } from "./admission.ts";

/** `namespaceLabels`: what the webhook was chosen by; a review does not say. */
export function reviewPod(
  text: string,
  namespaceLabels: Readonly<Record<string, string>>,
  settings: InjectSettings,
): Reviewed {
  const review = askedBy(text);
  if ("malformed" in review) return review.malformed;
  const { asked } = review;
  const { operation, kind, object } = asked;
  if (operation !== "CREATE") return malformed("request.operation: only CREATE can be injected");
  if (kind.group !== "" || kind.version !== "v1" || kind.kind !== "Pod")
    return malformed("request.kind: only a Pod of v1 can be injected");
  const injection = inject(object, namespaceLabels, settings);
  switch (injection.kind) {
    case "leave":
      return answer("left", asked, { allowed: true });
    case "refuse":
      return refusal(asked, `${injection.code} ${injection.problems.join("; ")}`);
    case "patch": {
      const patch = Buffer.from(JSON.stringify(injection.patch)).toString("base64");
      return answer("injected", asked, { allowed: true, patchType: "JSONPatch", patch });
    }
  }
}

/** AdmissionReview v1 of a Pod's creation, in and out. Pure; what it does not understand it refuses with a code. */
import { type InjectSettings, inject } from "@hansa/inject";

export type Outcome = "injected" | "left" | "refused" | "malformed";

export interface Reviewed {
  readonly outcome: Outcome;
  /** HTTP status and JSON of the answer. */
  readonly status: number;
  readonly body: unknown;
}

const API_VERSION = "admission.k8s.io/v1";

const malformed = (what: string): Reviewed => ({
  outcome: "malformed",
  status: 400,
  body: { code: "HSA7032", message: `HSA7032 AdmissionReview: ${what}` },
});

interface Request {
  readonly uid?: unknown;
  readonly operation?: unknown;
  readonly kind?: { readonly group?: unknown; readonly version?: unknown; readonly kind?: unknown };
  readonly object?: unknown;
}

/** `namespaceLabels`: what the webhook was chosen by; a review does not say. */
export function review(
  text: string,
  namespaceLabels: Readonly<Record<string, string>>,
  settings: InjectSettings,
): Reviewed {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return malformed("is not JSON");
  }
  const { apiVersion, kind, request } = (document ?? {}) as Record<string, unknown>;
  if (apiVersion !== API_VERSION || kind !== "AdmissionReview") return malformed(`is not of ${API_VERSION}`);
  const { uid, operation, kind: about, object } = (request ?? {}) as Request;
  if (typeof uid !== "string" || uid === "") return malformed("request.uid: is missing");
  if (operation !== "CREATE") return malformed("request.operation: only CREATE can be injected");
  if (about?.group !== "" || about.version !== "v1" || about.kind !== "Pod")
    return malformed("request.kind: only a Pod of v1 can be injected");
  const injection = inject(object, namespaceLabels, settings);
  const answer = (outcome: Outcome, response: object): Reviewed => ({
    outcome,
    status: 200,
    body: { apiVersion: API_VERSION, kind: "AdmissionReview", response: { uid, ...response } },
  });
  switch (injection.kind) {
    case "leave":
      return answer("left", { allowed: true });
    case "refuse": {
      const message = `${injection.code} ${injection.problems.join("; ")}`;
      return answer("refused", { allowed: false, status: { code: 422, reason: "Invalid", message } });
    }
    case "patch": {
      const patch = Buffer.from(JSON.stringify(injection.patch)).toString("base64");
      return answer("injected", { allowed: true, patchType: "JSONPatch", patch });
    }
  }
}

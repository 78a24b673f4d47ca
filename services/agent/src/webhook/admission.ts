/** The envelope of admission: an AdmissionReview v1 comes in, and one goes out (Kubernetes, Dynamic Admission Control). Pure. */

export type Outcome = "injected" | "left" | "allowed" | "refused" | "malformed";

export interface Reviewed {
  readonly outcome: Outcome;
  /** HTTP status and JSON of the answer. */
  readonly status: number;
  readonly body: unknown;
}

export interface Asked {
  readonly uid: string;
  readonly operation: unknown;
  readonly kind: { readonly group?: unknown; readonly version?: unknown; readonly kind?: unknown };
  readonly object: unknown;
}

const API_VERSION = "admission.k8s.io/v1";

export const malformed = (what: string): Reviewed => ({
  outcome: "malformed",
  status: 400,
  body: { code: "HSA7032", message: `HSA7032 AdmissionReview: ${what}` },
});

/** What a review asks; or the answer to what is none. */
export function askedBy(text: string): { readonly asked: Asked } | { readonly malformed: Reviewed } {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return { malformed: malformed("is not JSON") };
  }
  const { apiVersion, kind, request } = (document ?? {}) as Record<string, unknown>;
  if (apiVersion !== API_VERSION || kind !== "AdmissionReview")
    return { malformed: malformed(`is not of ${API_VERSION}`) };
  const { uid, operation, kind: about, object } = (request ?? {}) as Partial<Asked>;
  if (typeof uid !== "string" || uid === "") return { malformed: malformed("request.uid: is missing") };
  return { asked: { uid, operation, kind: about ?? {}, object } };
}

export const answer = (outcome: Outcome, { uid }: Asked, response: object): Reviewed => ({
  outcome,
  status: 200,
  body: { apiVersion: API_VERSION, kind: "AdmissionReview", response: { uid, ...response } },
});

export const refusal = (asked: Asked, message: string): Reviewed =>
  answer("refused", asked, { allowed: false, status: { code: 422, reason: "Invalid", message } });

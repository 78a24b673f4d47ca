/**
 * Membership: a cluster's signed request and the hub's countersigned entry (design §4). The hub introduces a key; the
 * cluster's own signature proves that it asked for this name, key and account. Pins and re-keying are the fold's.
 */
import { base64, type Code, type Crypto, canonicalJson, fromBase64, type Signer, utf8 } from "@hansa/core";
import { at, BadValue } from "./check.ts";
import type { MembershipRequest, MembershipValue } from "./registers.ts";
import { membershipRequest } from "./values.ts";

export interface Problem {
  readonly kind: "problem";
  readonly code: Code;
  readonly message: string;
}

export type CheckedRequest = { readonly kind: "ok"; readonly request: MembershipRequest } | Problem;

const problem = (code: Code, message: string): Problem => ({ kind: "problem", code, message });

const requestBytes = (request: string): Uint8Array => utf8(`hansa-membership-request-v1\n${request}`);

function entryBytes(value: Omit<MembershipValue, "hubSignature">, fingerprint: string): Uint8Array {
  const { cluster, incarnation, state, admittedMs, grant, request, requestSignature } = value;
  const signed = { cluster, incarnation, state, admittedMs, grant, request, requestSignature };
  return utf8(`hansa-membership-v1\n${fingerprint}\n${canonicalJson(signed)}`);
}

export interface SignedRequest {
  /** Canonical JSON as signed. */
  readonly request: string;
  /** base64. */
  readonly requestSignature: string;
}

/** By the cluster, with the key that `request.signingKey` names. */
export function signRequest(request: MembershipRequest, signer: Signer): SignedRequest {
  const json = canonicalJson(request);
  return { request: json, requestSignature: base64(signer.sign(requestBytes(json))) };
}

/** Form, federation and proof of possession of the signing key. */
export function verifyRequest(
  request: string,
  requestSignature: string,
  fingerprint: string,
  crypto: Crypto,
): CheckedRequest {
  let decoded: MembershipRequest;
  try {
    decoded = at("request", membershipRequest, JSON.parse(request));
  } catch (error) {
    return problem("HSA1004", error instanceof BadValue ? error.place : "request: not JSON");
  }
  if (decoded.fingerprint !== fingerprint)
    return problem("HSA3005", "request.fingerprint: names another federation");
  const publicKey = fromBase64(decoded.signingKey);
  const signature = fromBase64(requestSignature);
  if (!publicKey || !signature || !crypto.verify(publicKey, requestBytes(request), signature))
    return problem("HSA3001", "requestSignature: does not verify under request.signingKey");
  return { kind: "ok", request: decoded };
}

/** By the hub. `fields.grant` is what it grants, at most what was wanted. */
export function countersign(
  fields: Omit<MembershipValue, "hubSignature">,
  hubSigner: Signer,
  fingerprint: string,
): MembershipValue {
  return { ...fields, hubSignature: base64(hubSigner.sign(entryBytes(fields, fingerprint))) };
}

/** Both signatures and that they speak of the same cluster. `hubKey` is raw. */
export function verifyMembership(
  value: MembershipValue,
  hubKey: Uint8Array,
  fingerprint: string,
  crypto: Crypto,
): CheckedRequest {
  const checked = verifyRequest(value.request, value.requestSignature, fingerprint, crypto);
  if (checked.kind === "problem") return checked;
  if (checked.request.cluster !== value.cluster)
    return problem("HSA3004", `membership of ${value.cluster}: its request names ${checked.request.cluster}`);
  const signature = fromBase64(value.hubSignature);
  if (!signature || !crypto.verify(hubKey, entryBytes(value, fingerprint), signature))
    return problem("HSA3007", `membership of ${value.cluster}: the hub's countersignature does not verify`);
  return checked;
}

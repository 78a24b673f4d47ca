/**
 * Path validation of a leaf against the roots of one trust domain. Hansa's chains have two links: leaf and self-signed
 * root. Callers pick the roots by the leaf's own trust domain; a pooled list is the attack of spiffe/spiffe#375.
 */
import { X509Certificate } from "node:crypto";
import { parseWorkloadId, type SpiffeId } from "@hansa/core";
import { inspectSvid } from "./inspect.ts";
import { parseCertificate } from "./parse-certificate.ts";

export type ChainVerdict =
  | { readonly kind: "trusted"; readonly spiffeId: SpiffeId; readonly notAfterMs: number }
  | { readonly kind: "refused"; readonly code: "HSA3008"; readonly message: string };

const refuse = (message: string): ChainVerdict => ({ kind: "refused", code: "HSA3008", message });
const KEY_CERT_SIGN = 5;

function signs(rootDer: Uint8Array, leaf: X509Certificate, trustDomain: string, nowMs: number): boolean {
  const root = parseCertificate(rootDer);
  if (root.kind === "malformed" || !root.ca || root.keyUsage?.bits.has(KEY_CERT_SIGN) !== true) return false;
  // A root that names a trust domain vouches for that one only.
  if (root.uris.length > 1 || (root.uris.length === 1 && root.uris[0] !== `spiffe://${trustDomain}`))
    return false;
  if (nowMs < root.notBeforeMs || nowMs >= root.notAfterMs) return false;
  try {
    const certificate = new X509Certificate(rootDer);
    return leaf.checkIssued(certificate) && leaf.verify(certificate.publicKey);
  } catch {
    return false;
  }
}

/** `roots` = DER of the roots of the leaf's trust domain, of no other. */
export function verifyChain(leafDer: Uint8Array, roots: readonly Uint8Array[], nowMs: number): ChainVerdict {
  const leaf = inspectSvid(leafDer);
  if (leaf.kind === "refused") return refuse(leaf.message);
  if (nowMs < leaf.notBeforeMs) return refuse(`${leaf.spiffeId}: not valid yet`);
  if (nowMs >= leaf.notAfterMs) return refuse(`${leaf.spiffeId}: expired`);
  const trustDomain = parseWorkloadId(leaf.spiffeId)?.trustDomain ?? "";
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(leafDer);
  } catch {
    return refuse("der: the certificate does not decode");
  }
  if (!roots.some((root) => signs(root, certificate, trustDomain, nowMs)))
    return refuse(`${leaf.spiffeId}: no root of ${trustDomain} signed it`);
  return { kind: "trusted", spiffeId: leaf.spiffeId, notAfterMs: leaf.notAfterMs };
}

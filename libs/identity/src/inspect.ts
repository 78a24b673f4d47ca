/** The rules of X509-SVID for leaves (SPIFFE X509-SVID §2–§5). The only reader of identities from certificates. */
import { parseWorkloadId, type SpiffeId } from "@hansa/core";
import { OID } from "./der.ts";
import { type ParsedCertificate, parseCertificate } from "./parse-certificate.ts";
import { fromPem } from "./pem.ts";

/** Names of the rules, for messages and tests. */
export type SvidRule =
  | "der"
  | "one-certificate"
  | "one-uri"
  | "spiffe-id"
  | "critical-san"
  | "not-ca"
  | "key-usage"
  | "extended-key-usage"
  | "validity";

export interface InspectedSvid {
  readonly kind: "svid";
  readonly spiffeId: SpiffeId;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Lower-case hex. */
  readonly serial: string;
  readonly der: Uint8Array;
}

export interface RefusedSvid {
  readonly kind: "refused";
  readonly code: "HSA3008";
  readonly rule: SvidRule;
  readonly message: string;
}

/** SPIFFE-ID §2.3. */
const SPIFFE_ID_BYTES_MAX = 2048;
const DIGITAL_SIGNATURE = 0;
const KEY_CERT_SIGN = 5;
const CRL_SIGN = 6;

const refuse = (rule: SvidRule, message: string): RefusedSvid => ({
  kind: "refused",
  code: "HSA3008",
  rule,
  message: `${rule}: ${message}`,
});

/** JSON quoting shows control characters instead of printing them. */
const shown = (text: string): string => JSON.stringify(text.slice(0, 256));

function usageProblem(certificate: ParsedCertificate): RefusedSvid | undefined {
  if (certificate.ca) return refuse("not-ca", "a CA certificate must not be used as a leaf (§3.2)");
  const usage = certificate.keyUsage;
  if (usage === null) return refuse("key-usage", "keyUsage is absent (§4.3)");
  if (!usage.critical) return refuse("key-usage", "keyUsage is not critical (§4.3)");
  if (!usage.bits.has(DIGITAL_SIGNATURE)) return refuse("key-usage", "digitalSignature is not set (§4.3)");
  if (usage.bits.has(KEY_CERT_SIGN) || usage.bits.has(CRL_SIGN))
    return refuse("key-usage", "keyCertSign or cRLSign is set on a leaf (§4.3)");
  const purposes = certificate.extendedKeyUsage;
  if (purposes !== null && !(purposes.includes(OID.serverAuth) && purposes.includes(OID.clientAuth)))
    return refuse("extended-key-usage", "present, but without both serverAuth and clientAuth (§4.4)");
  return undefined;
}

function inspectDer(der: Uint8Array): InspectedSvid | RefusedSvid {
  const certificate = parseCertificate(der);
  if (certificate.kind === "malformed") return refuse("der", certificate.message);
  const [uri] = certificate.uris;
  if (certificate.uris.length !== 1 || uri === undefined)
    return refuse("one-uri", `${certificate.uris.length} URI SANs, exactly one is allowed (§2)`);
  if (uri.length > SPIFFE_ID_BYTES_MAX || parseWorkloadId(uri) === undefined)
    return refuse("spiffe-id", `${shown(uri)} is not spiffe://<trust domain>/ns/<ns>/sa/<sa>`);
  if (certificate.subjectEmpty && !certificate.altNameCritical)
    return refuse("critical-san", "the subject is empty and the SAN is not critical (§3.1)");
  const problem = usageProblem(certificate);
  if (problem !== undefined) return problem;
  if (certificate.notAfterMs <= certificate.notBeforeMs)
    return refuse("validity", "it ends before it starts");
  return {
    kind: "svid",
    spiffeId: uri as SpiffeId,
    notBeforeMs: certificate.notBeforeMs,
    notAfterMs: certificate.notAfterMs,
    serial: Buffer.from(certificate.serial).toString("hex"),
    der,
  };
}

/** Judges one leaf: DER, or PEM with exactly one certificate. Says nothing of trust: see verifyChain. */
export function inspectSvid(certificate: Uint8Array | string): InspectedSvid | RefusedSvid {
  if (typeof certificate !== "string") return inspectDer(certificate);
  const found = fromPem(certificate);
  const [der] = found;
  if (found.length !== 1 || der === undefined)
    return refuse("one-certificate", `${found.length} certificates in the PEM, exactly one is read`);
  return inspectDer(der);
}

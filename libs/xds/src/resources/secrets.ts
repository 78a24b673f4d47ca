/**
 * SDS secrets: the proxy's own SVID, and roots bound to their trust domain by the SPIFFE validator, inline. Never a
 * pooled CA list, never a file map (its errors are silent), never an empty context (envoy-dataplane §1.3, §1.5).
 */
import { assert, type TrustDomain, utf8 } from "@hansa/core";
import type { ServingPort } from "@hansa/model";
import { SecretSchema, SPIFFECertValidatorConfigSchema } from "../../gen/index.ts";
import { domainOfCaller } from "./access-policy.ts";
import { byText, encoded, typed } from "./message.ts";
import { bundleSecretName, SVID_SECRET } from "./names.ts";
import type { TlsIdentity, TrustBundles } from "./types.ts";

export const svidSecretFor = (svid: TlsIdentity, name: string = SVID_SECRET): Uint8Array =>
  encoded(SecretSchema, {
    name,
    type: {
      case: "tlsCertificate",
      value: {
        certificateChain: { specifier: { case: "inlineBytes", value: utf8(svid.certPem) } },
        privateKey: { specifier: { case: "inlineBytes", value: utf8(svid.keyPem) } },
      },
    },
  });

/** Base64 DER → PEM in lines of 64 (RFC 7468). */
const pem = (der: string): string =>
  `-----BEGIN CERTIFICATE-----\n${der.match(/.{1,64}/g)?.join("\n") ?? ""}\n-----END CERTIFICATE-----\n`;

/** Several domains in one validator. Throws where nothing is left to trust: an empty bundle is never served. */
export function bundlesSecretFor(name: string, bundles: TrustBundles): Uint8Array {
  const domains = [...bundles].filter(([, roots]) => roots.length > 0).sort(([a], [b]) => byText(a, b));
  assert(domains.length > 0, `secret ${name}: no roots`);
  return encoded(SecretSchema, {
    name,
    type: {
      case: "validationContext",
      value: {
        customValidatorConfig: typed("envoy.tls.cert_validator.spiffe", SPIFFECertValidatorConfigSchema, {
          trustDomains: domains.map(([domain, roots]) => ({
            name: domain,
            trustBundle: { specifier: { case: "inlineString" as const, value: roots.map(pem).join("") } },
          })),
        }),
      },
    },
  });
}

/** `bundle/<td>`: exactly one trust domain, for client clusters. */
export const bundleSecretFor = (domain: TrustDomain, roots: readonly string[]): Uint8Array =>
  bundlesSecretFor(bundleSecretName(domain), new Map([[domain, roots]]));

/** The known bundles among `wanted`. */
export function pickBundles(bundles: TrustBundles, wanted: Iterable<TrustDomain>): TrustBundles {
  const picked = new Map<TrustDomain, readonly string[]>();
  for (const domain of wanted) {
    const roots = bundles.get(domain);
    if (roots !== undefined && roots.length > 0) picked.set(domain, roots);
  }
  return picked;
}

/** Own domain, and each that some served port admits. */
export const callerDomains = (
  ownDomain: TrustDomain,
  serving: readonly ServingPort[],
): ReadonlySet<TrustDomain> =>
  new Set([ownDomain, ...serving.flatMap((port) => port.callers.map(domainOfCaller))]);

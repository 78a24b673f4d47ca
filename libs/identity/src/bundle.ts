/** Bundles: what a trust domain publishes, and the SPIFFE Bundle Map for outsiders (SPIFFE Bundle §4–§5). */
import { X509Certificate } from "node:crypto";
import { base64, fromBase64, HansaError } from "@hansa/core";
import type { BundleValue } from "@hansa/events";
import type { Authority } from "./authority.ts";
import { parseCertificate } from "./parse-certificate.ts";
import { toPem } from "./pem.ts";

export const BUNDLE_ROOTS_MAX = 16;

export const toBundle = (authority: Authority, sequence: number): BundleValue => ({
  trustDomain: authority.trustDomain,
  sequence,
  roots: [base64(authority.rootDer)],
});

/** DER of a bundle's roots; entries that do not decode to a CA of that trust domain are left out (fails closed). */
export function rootsOf(bundle: BundleValue): Uint8Array[] {
  const roots: Uint8Array[] = [];
  for (const text of bundle.roots.slice(0, BUNDLE_ROOTS_MAX)) {
    const der = fromBase64(text);
    if (der === undefined) continue;
    const root = parseCertificate(der);
    if (root.kind === "malformed" || !root.ca) continue;
    if (root.uris.some((uri) => uri !== `spiffe://${bundle.trustDomain}`)) continue;
    roots.push(der);
  }
  return roots;
}

/** PEM of all usable roots, concatenated; "" where none is usable. */
export const rootsPem = (bundle: BundleValue): string => rootsOf(bundle).map(toPem).join("");

function jwk(der: Uint8Array): Record<string, unknown> {
  const key = new X509Certificate(der).publicKey.export({ format: "jwk" });
  return { ...key, use: "x509-svid", x5c: [base64(der)] };
}

export interface BundleMap {
  readonly trust_domains: Readonly<Record<string, unknown>>;
}

/** Throws HSA1011 where one trust domain is given twice: bundles are never merged (SPIFFE Federation §4). */
export function bundleMap(bundles: readonly BundleValue[], refreshHintSeconds = 60): BundleMap {
  const domains: Record<string, unknown> = {};
  for (const bundle of bundles) {
    if (Object.hasOwn(domains, bundle.trustDomain))
      throw new HansaError("HSA1011", `bundle map: ${bundle.trustDomain} appears twice`);
    domains[bundle.trustDomain] = {
      keys: rootsOf(bundle).map(jwk),
      spiffe_sequence: bundle.sequence,
      spiffe_refresh_hint: refreshHintSeconds,
    };
  }
  return { trust_domains: domains };
}

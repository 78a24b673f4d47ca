/** SVIDs with their keys, made where they are used, and when to renew them. */
import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import type { Clock, SpiffeId } from "@hansa/core";
import type { Authority } from "./authority.ts";
import { BACKDATE_MS } from "./authority.ts";
import { toPem } from "./pem.ts";

export interface Svid {
  readonly spiffeId: SpiffeId;
  readonly certPem: string;
  readonly certDer: Uint8Array;
  /** PKCS#8 PEM. Never logged, never on disk in an agent. */
  readonly keyPem: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export interface SvidOptions {
  readonly ttlMs?: number;
  readonly dnsSans?: readonly string[];
}

export function newSvid(authority: Authority, spiffeId: SpiffeId, options: SvidOptions = {}): Svid {
  const { privateKey, publicKey } = generateKeyPairSync("ec", {
    namedCurve: "prime256v1",
    publicKeyEncoding: { format: "der", type: "spki" },
    privateKeyEncoding: { format: "pem", type: "pkcs8" },
  });
  const issued = authority.issue({ spiffeId, publicKeySpki: Uint8Array.from(publicKey), ...options });
  return { spiffeId, certPem: toPem(issued.certDer), keyPem: privateKey, ...issued };
}

/**
 * Half of the life since issue, ± 10 % by `jitter` in [0, 1): a fixed number per SVID, so that a fleet does not renew
 * at once. Wall-clock ms.
 */
export function renewAtMs(svid: Pick<Svid, "notBeforeMs" | "notAfterMs">, jitter: number): number {
  const issuedMs = Math.min(svid.notBeforeMs + BACKDATE_MS, svid.notAfterMs);
  return issuedMs + (svid.notAfterMs - issuedMs) * (0.45 + 0.1 * jitter);
}

export const needsRenewal = (
  svid: Pick<Svid, "notBeforeMs" | "notAfterMs">,
  clock: Clock,
  jitter: number,
): boolean => clock.nowMs() >= renewAtMs(svid, jitter);

/** True where the private key belongs to the certificate's public key. */
export function keyMatches(keyPem: string, spki: Uint8Array): boolean {
  try {
    const own = createPublicKey(createPrivateKey(keyPem)).export({ format: "der", type: "spki" });
    return own.equals(spki);
  } catch {
    return false;
  }
}

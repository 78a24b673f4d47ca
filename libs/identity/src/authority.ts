/**
 * The signing authority of one trust domain: a self-signed root and what it issues. Holds the CA key in memory;
 * where it rests is the key store's matter. Signs the raw public key it is given and never sees a workload's key.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import {
  type Clock,
  HansaError,
  parseWorkloadId,
  type Random,
  type SpiffeId,
  type TrustDomain,
} from "@hansa/core";
import { buildCertificate, keyIdentifier, nameOf, newSerial } from "./certificate.ts";
import { parseCertificate } from "./parse-certificate.ts";

export const ROOT_TTL_MS = 10 * 365 * 24 * 3_600_000;
export const SVID_TTL_MS = 3_600_000;
export const SVID_TTL_MAX_MS = 24 * 3_600_000;
/** Covers ±5 min of skew on both sides (design §4). */
export const BACKDATE_MS = 12 * 60_000;

export interface IssueRequest {
  readonly spiffeId: SpiffeId;
  /** DER of the subject's public key: EC P-256. */
  readonly publicKeySpki: Uint8Array;
  readonly ttlMs?: number;
  /** Attested claims (DNS SANs under the reserved suffix). */
  readonly dnsSans?: readonly string[];
}

export interface IssuedCertificate {
  readonly certDer: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export interface Authority {
  readonly trustDomain: TrustDomain;
  /** DER of the self-signed root. */
  readonly rootDer: Uint8Array;
  readonly notAfterMs: number;
  /** PEM of the CA key, for the key store only. */
  exportKey(): string;
  /** Throws HSA3008 for an id outside the trust domain or a key that is not EC P-256. */
  issue(request: IssueRequest): IssuedCertificate;
}

const P256_SPKI_PREFIX = Buffer.from("3059301306072a8648ce3d020106082a8648ce3d030107034200", "hex");

function checkRequest(request: IssueRequest, trustDomain: TrustDomain): void {
  const id = parseWorkloadId(request.spiffeId);
  if (id === undefined || id.trustDomain !== trustDomain)
    throw new HansaError("HSA3008", `${request.spiffeId}: not a workload id of trust domain ${trustDomain}`);
  const spki = Buffer.from(request.publicKeySpki);
  if (spki.length !== 91 || !spki.subarray(0, P256_SPKI_PREFIX.length).equals(P256_SPKI_PREFIX))
    throw new HansaError(
      "HSA3008",
      `${request.spiffeId}: the public key is not an uncompressed EC P-256 key`,
    );
  const ttlMs = request.ttlMs ?? SVID_TTL_MS;
  if (!(ttlMs > 0 && ttlMs <= SVID_TTL_MAX_MS))
    throw new HansaError(
      "HSA3008",
      `${request.spiffeId}: lifetime ${ttlMs} ms is not within 0..${SVID_TTL_MAX_MS}`,
    );
}

function authorityOf(
  key: KeyObject,
  rootDer: Uint8Array,
  ports: { readonly clock: Clock; readonly random: Random },
): Authority {
  const root = parseCertificate(rootDer);
  if (root.kind === "malformed") throw new HansaError("HSA3008", `root certificate: ${root.message}`);
  const [uri] = root.uris;
  if (root.uris.length !== 1 || uri === undefined || !uri.startsWith("spiffe://"))
    throw new HansaError("HSA3008", "root certificate: no trust domain id");
  const spki = createPublicKey(key).export({ format: "der", type: "spki" });
  if (!spki.equals(root.spki))
    throw new HansaError("HSA3008", "root certificate: the key does not belong to it");
  const trustDomain = uri.slice("spiffe://".length) as TrustDomain;
  const keyId = keyIdentifier(root.spki);
  return {
    trustDomain,
    rootDer,
    notAfterMs: root.notAfterMs,
    exportKey: () => key.export({ format: "pem", type: "pkcs8" }) as string,
    issue(request) {
      checkRequest(request, trustDomain);
      const nowMs = Math.floor(ports.clock.nowMs() / 1000) * 1000;
      const notBeforeMs = Math.max(nowMs - BACKDATE_MS, root.notBeforeMs);
      const notAfterMs = Math.min(nowMs + (request.ttlMs ?? SVID_TTL_MS), root.notAfterMs);
      const certDer = buildCertificate(
        {
          serial: newSerial(ports.random),
          issuer: root.subject,
          subject: nameOf("organization", "Hansa"),
          notBeforeMs,
          notAfterMs,
          spki: request.publicKeySpki,
          usage: "leaf",
          altNames: [
            { kind: "uri", value: request.spiffeId },
            ...(request.dnsSans ?? []).map((value) => ({ kind: "dns", value }) as const),
          ],
          authorityKeyId: keyId,
        },
        key,
      );
      return { certDer, notBeforeMs, notAfterMs };
    },
  };
}

/** A new EC P-256 root. Its subject is unique: equal subjects break path building in Go (spiffe §0.4a). */
export function createAuthority(options: {
  readonly trustDomain: TrustDomain;
  readonly clock: Clock;
  readonly random: Random;
}): Authority {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const spki = Uint8Array.from(publicKey.export({ format: "der", type: "spki" }));
  const serial = newSerial(options.random);
  const nowMs = Math.floor(options.clock.nowMs() / 1000) * 1000;
  const name = nameOf("commonName", `CA ${Buffer.from(serial).toString("hex")}`);
  const rootDer = buildCertificate(
    {
      serial,
      issuer: name,
      subject: name,
      notBeforeMs: nowMs - BACKDATE_MS,
      notAfterMs: nowMs + ROOT_TTL_MS,
      spki,
      usage: "authority",
      altNames: [{ kind: "uri", value: `spiffe://${options.trustDomain}` }],
      authorityKeyId: keyIdentifier(spki),
    },
    privateKey,
  );
  return authorityOf(privateKey, rootDer, options);
}

/** Throws HSA3008 where key and certificate do not belong together. */
export function loadAuthority(options: {
  readonly keyPem: string;
  readonly certDer: Uint8Array;
  readonly clock: Clock;
  readonly random: Random;
}): Authority {
  return authorityOf(createPrivateKey(options.keyPem), options.certDer, options);
}

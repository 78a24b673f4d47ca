/** A small CA for the TLS certificates of HTTP APIs. Not SPIFFE: nothing it signs is ever an identity in the mesh. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { isIPv4, isIPv6 } from "node:net";
import { type Clock, HansaError, type Random } from "@hansa/core";
import { BACKDATE_MS, ROOT_TTL_MS } from "./authority.ts";
import { type AltName, buildCertificate, keyIdentifier, nameOf, newSerial } from "./certificate.ts";
import { parseCertificate } from "./parse-certificate.ts";
import { fromPem, toPem } from "./pem.ts";

export const TLS_SERVER_TTL_MS = 30 * 24 * 3_600_000;

export interface ServerCertificate {
  /** Leaf, then its root. */
  readonly certPem: string;
  readonly keyPem: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export interface TlsAuthority {
  readonly certPem: string;
  exportKey(): string;
  /** Names are DNS names or IP addresses. */
  issueServer(names: readonly string[], ttlMs?: number): ServerCertificate;
}

interface Ports {
  readonly clock: Clock;
  readonly random: Random;
}

function ipBytes(text: string): Uint8Array {
  if (isIPv4(text)) return Uint8Array.from(text.split(".").map(Number));
  const [head = "", tail] = text.split("::");
  const groups = (part: string) =>
    part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16));
  const before = groups(head);
  const after = groups(tail ?? "");
  const middle = new Array<number>(8 - before.length - after.length).fill(0);
  return Uint8Array.from([...before, ...middle, ...after].flatMap((group) => [group >> 8, group & 0xff]));
}

const altName = (name: string): AltName =>
  isIPv4(name) || isIPv6(name) ? { kind: "ip", value: ipBytes(name) } : { kind: "dns", value: name };

function authorityOf(key: KeyObject, rootDer: Uint8Array, ports: Ports): TlsAuthority {
  const root = parseCertificate(rootDer);
  if (root.kind === "malformed") throw new HansaError("HSA1004", `TLS root: ${root.message}`);
  const spki = createPublicKey(key).export({ format: "der", type: "spki" });
  if (!spki.equals(root.spki)) throw new HansaError("HSA1004", "TLS root: the key does not belong to it");
  const rootPem = toPem(rootDer);
  return {
    certPem: rootPem,
    exportKey: () => key.export({ format: "pem", type: "pkcs8" }) as string,
    issueServer(names, ttlMs = TLS_SERVER_TTL_MS) {
      const pair = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
      const nowMs = Math.floor(ports.clock.nowMs() / 1000) * 1000;
      const validity = {
        notBeforeMs: nowMs - BACKDATE_MS,
        notAfterMs: Math.min(nowMs + ttlMs, root.notAfterMs),
      };
      const leaf = buildCertificate(
        {
          ...validity,
          serial: newSerial(ports.random),
          issuer: root.subject,
          subject: nameOf("commonName", names[0] ?? "server"),
          spki: Uint8Array.from(pair.publicKey.export({ format: "der", type: "spki" })),
          usage: "leaf",
          altNames: names.map(altName),
          authorityKeyId: keyIdentifier(root.spki),
        },
        key,
      );
      return {
        ...validity,
        certPem: toPem(leaf) + rootPem,
        keyPem: pair.privateKey.export({ format: "pem", type: "pkcs8" }) as string,
      };
    },
  };
}

export function createTlsAuthority(name: string, ports: Ports): TlsAuthority {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const spki = Uint8Array.from(publicKey.export({ format: "der", type: "spki" }));
  const serial = newSerial(ports.random);
  const nowMs = Math.floor(ports.clock.nowMs() / 1000) * 1000;
  const subject = nameOf("commonName", `${name} ${Buffer.from(serial).toString("hex")}`);
  const rootDer = buildCertificate(
    {
      serial,
      issuer: subject,
      subject,
      notBeforeMs: nowMs - BACKDATE_MS,
      notAfterMs: nowMs + ROOT_TTL_MS,
      spki,
      usage: "authority",
      altNames: [],
      authorityKeyId: keyIdentifier(spki),
    },
    privateKey,
  );
  return authorityOf(privateKey, rootDer, ports);
}

/** Throws HSA1004 where the texts are not one CA certificate and its key. */
export function loadTlsAuthority(
  options: Ports & { readonly keyPem: string; readonly certPem: string },
): TlsAuthority {
  const [der] = fromPem(options.certPem);
  if (der === undefined) throw new HansaError("HSA1004", "TLS root: no certificate in the PEM");
  return authorityOf(createPrivateKey(options.keyPem), der, options);
}

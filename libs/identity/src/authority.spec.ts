import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { type Clock, type SpiffeId, systemClock, type TrustDomain } from "@hansa/core";
import { describe, expect, test } from "vitest";
import { BACKDATE_MS, createAuthority, loadAuthority, ROOT_TTL_MS } from "./authority.ts";
import { nodeRandom } from "./node-crypto.ts";
import { parseCertificate } from "./parse-certificate.ts";
import { needsRenewal, newSvid, renewAtMs } from "./svid.ts";

const ports = { clock: systemClock, random: nodeRandom };
const domain = "eu.lab.hansa" as TrustDomain;
const id = "spiffe://eu.lab.hansa/ns/shop/sa/pay" as SpiffeId;

const parsed = (der: Uint8Array) => {
  const certificate = parseCertificate(der);
  if (certificate.kind === "malformed") throw new Error(certificate.message);
  return certificate;
};

describe("root", () => {
  const authority = createAuthority({ trustDomain: domain, ...ports });
  const root = new X509Certificate(authority.rootDer);

  test("is a self-signed CA of its trust domain for ten years", () => {
    expect(root.ca).toBe(true);
    expect(root.verify(root.publicKey)).toBe(true);
    expect(root.subjectAltName).toBe("URI:spiffe://eu.lab.hansa");
    expect(authority.notAfterMs - systemClock.nowMs()).toBeGreaterThan(ROOT_TTL_MS - 60_000);
  });

  test("may sign certificates and nothing else", () => {
    const usage = parsed(authority.rootDer).keyUsage;
    expect(usage?.critical).toBe(true);
    expect([...(usage?.bits ?? [])]).toEqual([5, 6]);
  });

  test("has a subject of its own", () => {
    const other = new X509Certificate(createAuthority({ trustDomain: domain, ...ports }).rootDer);
    expect(root.subject).not.toBe(other.subject);
  });

  test("comes back from its key and certificate, and signs as before", () => {
    const loaded = loadAuthority({ keyPem: authority.exportKey(), certDer: authority.rootDer, ...ports });
    const leaf = new X509Certificate(newSvid(loaded, id).certDer);
    expect(loaded.trustDomain).toBe(domain);
    expect(leaf.verify(root.publicKey)).toBe(true);
  });

  test("refuses another root's key", () => {
    const other = createAuthority({ trustDomain: domain, ...ports });
    expect(() => loadAuthority({ keyPem: other.exportKey(), certDer: authority.rootDer, ...ports })).toThrow(
      /key does not belong/,
    );
  });
});

describe("SVID", () => {
  const authority = createAuthority({ trustDomain: domain, ...ports });
  const svid = newSvid(authority, id, { dnsSans: ["eu-west-1.region.claims.lab.hansa"] });
  const leaf = new X509Certificate(svid.certDer);

  test("chains to its root", () => {
    const root = new X509Certificate(authority.rootDer);
    expect(leaf.checkIssued(root)).toBe(true);
    expect(leaf.verify(root.publicKey)).toBe(true);
    expect(leaf.ca).toBe(false);
    expect(leaf.subjectAltName).toBe(`URI:${id}, DNS:eu-west-1.region.claims.lab.hansa`);
  });

  test("copies the issuer's name byte for byte", () => {
    expect(parsed(svid.certDer).issuer).toEqual(parsed(authority.rootDer).subject);
  });

  test("lives an hour and starts twelve minutes back", () => {
    expect(svid.notAfterMs - svid.notBeforeMs).toBe(3_600_000 + BACKDATE_MS);
  });

  test("has its own key, which matches", () => {
    expect(leaf.publicKey.asymmetricKeyDetails?.namedCurve).toBe("prime256v1");
    expect(newSvid(authority, id).keyPem).not.toBe(svid.keyPem);
  });

  test.each([
    "spiffe://us.lab.hansa/ns/shop/sa/pay",
    "spiffe://eu.lab.hansa/",
    "spiffe://eu.lab.hansa",
    "spiffe://EU.lab.hansa/ns/shop/sa/pay",
    "spiffe://eu.lab.hansa/ns/shop/sa/pay\0",
    "https://eu.lab.hansa/ns/shop/sa/pay",
  ])("is refused for %j", (text) => {
    expect(() => newSvid(authority, text as SpiffeId)).toThrow(/not a workload id/);
  });

  test.each(["rsa", "ed25519", "secp384r1"])("is refused for a %s key", (kind) => {
    const pair =
      kind === "rsa"
        ? generateKeyPairSync("rsa", { modulusLength: 2048 })
        : kind === "ed25519"
          ? generateKeyPairSync("ed25519")
          : generateKeyPairSync("ec", { namedCurve: kind });
    const publicKeySpki = Uint8Array.from(pair.publicKey.export({ format: "der", type: "spki" }));
    expect(() => authority.issue({ spiffeId: id, publicKeySpki })).toThrow(/EC P-256/);
  });

  test.each([0, -1, Number.NaN, 25 * 3_600_000])("is refused for a lifetime of %d ms", (ttlMs) => {
    expect(() => newSvid(authority, id, { ttlMs })).toThrow(/lifetime/);
  });

  test("renews at half-life give or take 10 %", () => {
    const issuedMs = svid.notBeforeMs + BACKDATE_MS;
    expect(renewAtMs(svid, 0) - issuedMs).toBe(27 * 60_000);
    expect(renewAtMs(svid, 1) - issuedMs).toBeCloseTo(33 * 60_000, 3);
    const at = (nowMs: number): Clock => ({ nowMs: () => nowMs, monotonicMs: () => 0 });
    expect(needsRenewal(svid, at(issuedMs + 29 * 60_000), 0.5)).toBe(false);
    expect(needsRenewal(svid, at(issuedMs + 31 * 60_000), 0.5)).toBe(true);
  });
});

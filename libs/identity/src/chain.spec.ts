import { base64, type SpiffeId, systemClock, type TrustDomain } from "@hansa/core";
import { expect, test } from "vitest";
import { createAuthority } from "./authority.ts";
import { BUNDLE_ROOTS_MAX, bundleMap, rootsOf, toBundle } from "./bundle.ts";
import { verifyChain } from "./chain.ts";
import { craftCertificate } from "./craft-certificate.ts";
import { nodeRandom } from "./node-crypto.ts";
import { CERTIFICATE_BYTES_MAX, parseCertificate } from "./parse-certificate.ts";
import { newSvid } from "./svid.ts";

const authorityOf = (domain: string) =>
  createAuthority({ trustDomain: domain as TrustDomain, clock: systemClock, random: nodeRandom });
const eu = authorityOf("eu.lab.hansa");
const us = authorityOf("us.lab.hansa");
const id = "spiffe://eu.lab.hansa/ns/shop/sa/pay" as SpiffeId;
const svid = newSvid(eu, id);
const nowMs = systemClock.nowMs();

test("trusts a leaf of the trust domain's root", () => {
  expect(verifyChain(svid.certDer, [eu.rootDer], nowMs)).toMatchObject({ kind: "trusted", spiffeId: id });
  expect(verifyChain(svid.certDer, [us.rootDer, eu.rootDer], nowMs)).toMatchObject({ kind: "trusted" });
});

test("refuses no roots, another root, and a root of the same name", () => {
  expect(verifyChain(svid.certDer, [], nowMs)).toMatchObject({ kind: "refused", code: "HSA3008" });
  expect(verifyChain(svid.certDer, [us.rootDer], nowMs).kind).toBe("refused");
  expect(verifyChain(svid.certDer, [authorityOf("eu.lab.hansa").rootDer], nowMs).kind).toBe("refused");
});

test("refuses a leaf of one domain signed by another domain's root, also where both roots are given", () => {
  const forged = craftCertificate(us, { uris: [id] }, nowMs).der;
  expect(verifyChain(forged, [us.rootDer], nowMs).kind).toBe("refused");
  expect(verifyChain(forged, [eu.rootDer, us.rootDer], nowMs).kind).toBe("refused");
});

test("refuses a leaf as a root", () => {
  expect(verifyChain(svid.certDer, [svid.certDer], nowMs).kind).toBe("refused");
});

test("refuses before and after the time", () => {
  expect(verifyChain(svid.certDer, [eu.rootDer], svid.notBeforeMs - 1)).toMatchObject({
    message: expect.stringContaining("not valid yet"),
  });
  expect(verifyChain(svid.certDer, [eu.rootDer], svid.notAfterMs)).toMatchObject({
    message: expect.stringContaining("expired"),
  });
});

test("refuses a broken signature and rubbish", () => {
  const broken = Uint8Array.from(svid.certDer);
  broken[broken.length - 3] = (broken[broken.length - 3] ?? 0) ^ 1;
  expect(verifyChain(broken, [eu.rootDer], nowMs).kind).toBe("refused");
  expect(verifyChain(svid.certDer, [Uint8Array.of(1, 2, 3)], nowMs).kind).toBe("refused");
});

test("a bundle gives its roots, without what is no root of its domain", () => {
  const bundle = toBundle(eu, 3);
  expect(rootsOf(bundle)).toEqual([eu.rootDer]);
  const mixed = { ...bundle, roots: [...bundle.roots, "@@", base64(us.rootDer), base64(svid.certDer)] };
  expect(rootsOf(mixed)).toEqual([eu.rootDer]);
});

test("a bundle has at most so many roots, and a certificate so many bytes", () => {
  const root = base64(eu.rootDer);
  const rootsIn = (count: number) => rootsOf({ ...toBundle(eu, 1), roots: Array(count).fill(root) }).length;
  expect([rootsIn(BUNDLE_ROOTS_MAX), rootsIn(BUNDLE_ROOTS_MAX + 1)]).toEqual(Array(2).fill(BUNDLE_ROOTS_MAX));
  const large = (sizeBytes: number) => parseCertificate(new Uint8Array(sizeBytes));
  const tooLarge = { kind: "malformed", message: expect.stringContaining("bytes, more than") };
  expect(large(CERTIFICATE_BYTES_MAX)).not.toMatchObject(tooLarge);
  expect(large(CERTIFICATE_BYTES_MAX + 1)).toMatchObject(tooLarge);
});

test("the bundle map holds each domain once with x5c, use, sequence and hint", () => {
  const map = bundleMap([toBundle(eu, 3), toBundle(us, 1)], 30);
  expect(map).toMatchObject({
    trust_domains: {
      "eu.lab.hansa": {
        spiffe_sequence: 3,
        spiffe_refresh_hint: 30,
        keys: [{ kty: "EC", crv: "P-256", use: "x509-svid", x5c: [base64(eu.rootDer)] }],
      },
      "us.lab.hansa": { spiffe_sequence: 1 },
    },
  });
  expect(JSON.stringify(map)).not.toContain("kid");
  expect(() => bundleMap([toBundle(eu, 1), toBundle(eu, 2)])).toThrow(/twice/);
});

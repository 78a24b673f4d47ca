import { systemClock, type TrustDomain } from "@hansa/core";
import { expect, test } from "vitest";
import { createAuthority } from "./authority.ts";
import { type Crafted, craftCertificate, GOOD_URI } from "./craft-certificate.ts";
import { OID } from "./der.ts";
import { inspectSvid, type SvidRule } from "./inspect.ts";
import { nodeRandom } from "./node-crypto.ts";
import { toPem } from "./pem.ts";
import { newSvid } from "./svid.ts";

const authority = createAuthority({
  trustDomain: "eu.lab.hansa" as TrustDomain,
  clock: systemClock,
  random: nodeRandom,
});
const craft = (shape: Crafted) => craftCertificate(authority, shape, systemClock.nowMs()).der;

const breaks: readonly (readonly [what: string, shape: Crafted, rule: SvidRule])[] = [
  ["no URI SAN", { uris: [], dns: ["pay.shop"] }, "one-uri"],
  ["no SAN at all", { uris: [] }, "one-uri"],
  [
    "two URI SANs, the good one first",
    { uris: [GOOD_URI, "spiffe://us.lab.hansa/ns/shop/sa/pay"] },
    "one-uri",
  ],
  [
    "two URI SANs, the good one last",
    { uris: ["spiffe://us.lab.hansa/ns/shop/sa/pay", GOOD_URI] },
    "one-uri",
  ],
  ["the same URI SAN twice", { uris: [GOOD_URI, GOOD_URI] }, "one-uri"],
  [
    "a URI that is no SPIFFE id beside the good one",
    { uris: [GOOD_URI, "https://eu.lab.hansa/"] },
    "one-uri",
  ],
  ["two SAN extensions", { sanTwice: true }, "der"],
  ["a NUL in the id", { uris: ["spiffe://eu.lab.hansa/ns/shop/sa/pay\0.evil"] }, "spiffe-id"],
  [
    "a comma in the id",
    { uris: ["spiffe://eu.lab.hansa/ns/shop/sa/a,spiffe://us.lab.hansa/ns/b/sa/c"] },
    "spiffe-id",
  ],
  ["an upper-case trust domain", { uris: ["spiffe://EU.lab.hansa/ns/shop/sa/pay"] }, "spiffe-id"],
  ["an upper-case scheme", { uris: ["SPIFFE://eu.lab.hansa/ns/shop/sa/pay"] }, "spiffe-id"],
  ["another scheme", { uris: ["https://eu.lab.hansa/ns/shop/sa/pay"] }, "spiffe-id"],
  ["a root path", { uris: ["spiffe://eu.lab.hansa/"] }, "spiffe-id"],
  ["no path", { uris: ["spiffe://eu.lab.hansa"] }, "spiffe-id"],
  ["a trailing slash", { uris: [`${GOOD_URI}/`] }, "spiffe-id"],
  ["a dot segment", { uris: ["spiffe://eu.lab.hansa/ns/shop/sa/.."] }, "spiffe-id"],
  ["an escaped character", { uris: ["spiffe://eu.lab.hansa/ns/shop/sa/p%61y"] }, "spiffe-id"],
  ["a query", { uris: [`${GOOD_URI}?a=b`] }, "spiffe-id"],
  ["a fragment", { uris: [`${GOOD_URI}#a`] }, "spiffe-id"],
  ["a port", { uris: ["spiffe://eu.lab.hansa:443/ns/shop/sa/pay"] }, "spiffe-id"],
  ["a user", { uris: ["spiffe://me@eu.lab.hansa/ns/shop/sa/pay"] }, "spiffe-id"],
  ["an empty trust domain", { uris: ["spiffe:///ns/shop/sa/pay"] }, "spiffe-id"],
  ["an octet above 127", { uris: ["spiffe://eu.lab.hansa/ns/shop/sa/p\xe4y"] }, "spiffe-id"],
  ["an id of 3000 octets", { uris: [`spiffe://eu.lab.hansa/ns/shop/sa/${"a".repeat(3000)}`] }, "spiffe-id"],
  ["an empty subject and a SAN that is not critical", { emptySubject: true }, "critical-san"],
  ["cA true", { ca: true }, "not-ca"],
  ["no keyUsage", { keyUsage: null }, "key-usage"],
  ["keyUsage that is not critical", { keyUsageCritical: false }, "key-usage"],
  ["no digitalSignature", { keyUsage: [0x20, 5] }, "key-usage"],
  ["keyCertSign on a leaf", { keyUsage: [0x84, 2] }, "key-usage"],
  ["cRLSign on a leaf", { keyUsage: [0x82, 1] }, "key-usage"],
  ["serverAuth alone", { purposes: [OID.serverAuth] }, "extended-key-usage"],
  ["clientAuth alone", { purposes: [OID.clientAuth] }, "extended-key-usage"],
  ["validity that ends before it starts", { notBeforeMs: 2e12, notAfterMs: 1e12 }, "validity"],
  ["version 1", { version: 0 }, "der"],
];

test.each(breaks)("refuses %s", (_what, shape, rule) => {
  const verdict = inspectSvid(craft(shape));
  expect(verdict).toMatchObject({ kind: "refused", code: "HSA3008", rule });
});

test("accepts the crafted leaf without a fault, so that every refusal above has its one reason", () => {
  expect(inspectSvid(craft({}))).toMatchObject({ kind: "svid", spiffeId: GOOD_URI });
  expect(inspectSvid(craft({ purposes: null }))).toMatchObject({ kind: "svid" });
  expect(inspectSvid(craft({ emptySubject: true, sanCritical: true }))).toMatchObject({ kind: "svid" });
  expect(inspectSvid(craft({ dns: ["a.claims.lab.hansa"] }))).toMatchObject({ kind: "svid" });
});

test("refuses the CA certificate itself", () => {
  expect(inspectSvid(authority.rootDer)).toMatchObject({ kind: "refused" });
});

test("reads PEM with exactly one certificate", () => {
  const pem = newSvid(authority, GOOD_URI as never).certPem;
  expect(inspectSvid(pem)).toMatchObject({ kind: "svid", spiffeId: GOOD_URI });
  expect(inspectSvid(pem + toPem(authority.rootDer))).toMatchObject({ rule: "one-certificate" });
  expect(inspectSvid("no certificate")).toMatchObject({ rule: "one-certificate" });
});

test("never throws: truncated, extended and flipped bytes are refused or read as the same id", () => {
  const der = craft({});
  for (let index = 0; index < der.length; index++) {
    expect(inspectSvid(der.subarray(0, index)).kind).toBe("refused");
    const flipped = Uint8Array.from(der);
    flipped[index] = (flipped[index] ?? 0) ^ 0xff;
    const verdict = inspectSvid(flipped);
    if (verdict.kind === "svid") expect(verdict.spiffeId).toMatch(/^spiffe:\/\/[a-z0-9.-]+\/ns\//);
  }
  expect(inspectSvid(Uint8Array.from([...der, 0])).kind).toBe("refused");
  expect(inspectSvid(new Uint8Array(20_000))).toMatchObject({ rule: "der" });
});

/** What an export may carry for the MCS API: at each limit and one beyond, and what an older build makes of it. */
import { utf8 } from "@hansa/core";
import { describe, expect, it } from "vitest";
import { decodeBody, prepareEvent } from "./decode.ts";
import type { RegisterEvent } from "./event.ts";
import { isQualifiedName } from "./export-value.ts";
import * as limits from "./limits.ts";

const base = { type: "ClusterSetIP", ports: [], serviceAccounts: [], createdMs: 1, export: null };
const event = (data: object) => ({ type: "ServiceSet", v: 1, key: "service/shop/pay", at: 1, data });
const read = (data: object) => decodeBody(utf8(JSON.stringify([event({ ...base, ...data })])));
const exported = (data: object) => read({ export: { sinceMs: 1, to: "all", ...data } });
const kinds = (count: number, of: (count: number) => object) => [
  exported(of(count)).kind,
  exported(of(count + 1)).kind,
];

const exists = { key: "zone.example.com", operator: "Exists", values: [] };
const map = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, "v"]));

describe("limits of an export", () => {
  it.each([
    [
      "cluster selectors",
      limits.CLUSTER_SELECTORS_MAX,
      (n: number) => ({ clusterSelectors: Array(n).fill([exists]) }),
    ],
    [
      "requirements",
      limits.REQUIREMENTS_PER_SELECTOR_MAX,
      (n: number) => ({ toSelector: Array(n).fill(exists) }),
    ],
    [
      "values",
      limits.VALUES_PER_REQUIREMENT_MAX,
      (n: number) => ({ toSelector: [{ ...exists, operator: "In", values: Array(n).fill("a") }] }),
    ],
    ["labels", limits.EXPORTED_METADATA_MAX, (n: number) => ({ labels: map(n) })],
    ["annotations", limits.EXPORTED_METADATA_MAX, (n: number) => ({ annotations: map(n) })],
    [
      "characters of metadata",
      limits.EXPORTED_METADATA_CHARS_MAX,
      (n: number) => ({ labels: { a: "" }, annotations: { b: "x".repeat(n - 2) } }),
    ],
  ])("%s are read up to %i, and poison beyond", (_name, count, of) => {
    expect(kinds(count, of)).toEqual(["events", "poison"]);
  });

  it.each([
    [
      "ports",
      limits.SERVICE_PORTS_MAX,
      (n: number) => ({
        ports: Array.from({ length: n }, (_, index) => ({ name: "", port: index + 1, protocol: "tcp" })),
      }),
    ],
    [
      "service accounts",
      limits.SERVICE_ACCOUNTS_MAX,
      (n: number) => ({ serviceAccounts: Array.from({ length: n }, (_, index) => `sa-${index}`) }),
    ],
  ])("%s of a service are read up to %i, and poison beyond", (_name, count, of) => {
    expect([read(of(count)).kind, read(of(count + 1)).kind]).toEqual(["events", "poison"]);
  });

  it.each([
    ["an empty selector", { toSelector: [] }],
    ["an empty cluster selector", { clusterSelectors: [[]] }],
    ["In without values", { toSelector: [{ ...exists, operator: "In" }] }],
    ["Exists with a value", { toSelector: [{ ...exists, values: ["a"] }] }],
    ["an unknown operator", { toSelector: [{ ...exists, operator: "Gt", values: ["1"] }] }],
    ["a property that is no DNS name", { toSelector: [{ ...exists, key: "Zone" }] }],
    ["a label that is none", { labels: { a: "no spaces" } }],
    ["a fallback that is none", { selectorsFallback: "All" }],
  ])("%s is poison", (_name, change) => {
    expect(exported(change).kind).toBe("poison");
  });

  it.each([
    ["no family", { ipFamilies: [] }],
    ["the same family twice", { ipFamilies: ["IPv4", "IPv4"] }],
    ["three families", { ipFamilies: ["IPv4", "IPv6", "IPv4"] }],
    ["an affinity time of zero", { sessionAffinity: "ClientIP", clientIpTimeoutSeconds: 0 }],
    [
      "a transport that is the default",
      { ports: [{ name: "", port: 1, protocol: "tcp", transport: "TCP" }] },
    ],
  ])("%s is poison", (_name, change) => {
    expect(read(change).kind).toBe("poison");
  });
});

it("a value that is read has the members that were sent, and no others", () => {
  const read = decodeBody(utf8(JSON.stringify([event(base)])));
  expect(read.kind === "events" && Object.keys(read.events[0]?.data ?? {}).sort()).toEqual(
    Object.keys(base).sort(),
  );
});

it("absent fields stay absent, so that a value without them hashes as it did", () => {
  const prepared = prepareEvent(event({ ...base, export: { sinceMs: 1, to: "all" } }) as RegisterEvent);
  expect(typeof prepared !== "string" && prepared.canonical).toBe(
    '{"createdMs":1,"export":{"sinceMs":1,"to":"all"},"ports":[],"serviceAccounts":[],"type":"ClusterSetIP"}',
  );
});

it.each([
  ["team", true],
  ["example.com/team", true],
  ["Team_1.x", true],
  ["", false],
  ["/team", false],
  ["a/b/c", false],
  ["Example.com/team", false],
  ["team-", false],
  ["x".repeat(64), false],
  ["__proto__", false],
])("a qualified name: %j is %s", (name, is) => {
  expect(isQualifiedName(name)).toBe(is);
});

import type { TrustDomain } from "@hansa/core";
import { parseKey, type RegisterEvent } from "@hansa/events";
import { expect, test } from "vitest";
import { OwnRegisters } from "../log/own-registers.ts";
import { parseSource, type SourceDocument } from "./document.ts";
import { factEvents, factsOf, undialable } from "./facts.ts";

const place = {
  trustDomain: "eu.lab.hansa" as TrustDomain,
  region: "eu-west-1",
  zones: ["a", "b"],
};

function document(text: string): SourceDocument {
  const parsed = parseSource(text, { cluster: "eu", federation: "lab.hansa" });
  if (parsed.kind === "problems") throw new Error(parsed.problems.join("\n"));
  return parsed.document;
}

const shop = (desired: number, replicas: string) => `
services:
  - { namespace: shop, name: pay, created: 2026-01-01T00:00:00Z, ports: [{ name: http, port: 80 }, { port: 81 }], export: { since: 2026-01-02T00:00:00Z } }
workloads:
  - { namespace: shop, name: pay, serviceAccount: pay, desired: ${desired}, services: [pay], replicas: [${replicas}] }
allows:
  - { name: web, namespace: shop, service: pay, from: [{ cluster: us, namespace: shop, serviceAccount: web }] }
failover:
  - { namespace: "-", name: "-", regions: { eu-west-1: [us-east-1] } }
gateways:
  - { name: gw, address: 10.0.0.1, port: 15443 }
`;
const pay1 = "{ id: pay-1, address: 10.0.0.10, ready: true, zone: a }";
const pay2 = "{ id: pay-2, address: 10.0.0.11, ready: false, zone: b }";

test("a document becomes registers under well-formed keys", () => {
  const facts = factsOf(document(shop(2, `${pay1}, ${pay2}`)), place);
  expect([...facts.keys()].sort()).toEqual([
    "endpoint/shop/pay/pay.pay-1",
    "endpoint/shop/pay/pay.pay-2",
    "gateway/gw",
    "identity/shop/pay",
    "load/shop/pay/http/eu-west-1/a",
    "load/shop/pay/http/eu-west-1/b",
    "load/shop/pay/p--81/eu-west-1/a",
    "load/shop/pay/p--81/eu-west-1/b",
    "policy/allow/shop/web",
    "policy/failover/-/-",
    "service/shop/pay",
  ]);
  for (const [key, { type }] of facts) expect(parseKey(key)?.type).toBe(type);
  expect(facts.get("service/shop/pay")?.value).toMatchObject({
    serviceAccounts: ["pay"],
    createdMs: Date.UTC(2026, 0, 1),
    export: { sinceMs: Date.UTC(2026, 0, 2), to: "all" },
  });
  expect(facts.get("identity/shop/pay")?.value).toEqual({ spiffeId: "spiffe://eu.lab.hansa/ns/shop/sa/pay" });
});

const load = (desired: number, replicas: string, zone: string) =>
  factsOf(document(shop(desired, replicas)), place).get(`load/shop/pay/http/eu-west-1/${zone}`)?.value;

test("unready replicas are counted, absent ones where the first replica stands", () => {
  expect(load(2, `${pay1}, ${pay2}`, "a")).toEqual({ healthy: 1, total: 1, desired: 1, weight: 1 });
  expect(load(2, `${pay1}, ${pay2}`, "b")).toEqual({ healthy: 0, total: 1, desired: 1, weight: 0 });
  expect(load(5, `${pay2}, ${pay1}`, "b")).toEqual({ healthy: 0, total: 4, desired: 4, weight: 0 });
});

test("a service at 0 replicas is still there, with what it should have in the first zone", () => {
  expect(load(2, "", "a")).toEqual({ healthy: 0, total: 2, desired: 2, weight: 0 });
  expect(load(0, "", "a")).toBeUndefined();
});

test("a replica without a sidecar is nobody's endpoint and is reported", () => {
  const bare = document(shop(1, "{ id: vm, address: 10.0.0.9, ready: true, sidecar: false }"));
  expect([...factsOf(bare, place).keys()].some((key) => key.startsWith("endpoint/"))).toBe(false);
  expect(undialable(bare)).toEqual([{ namespace: "shop", service: "pay", count: 1 }]);
});

test("events bring the own registers to the document, and withdraw only what the file speaks of", () => {
  const own = new OwnRegisters();
  const set = (events: readonly RegisterEvent[]) => {
    for (const event of events) own.set(event);
  };
  set(factEvents(document(shop(2, `${pay1}, ${pay2}`)), place, own, 1));
  set([
    { type: "WantSet", v: 1, key: "want/us", at: 1, data: { nonce: "1" } },
    {
      type: "BundleSet",
      v: 1,
      key: "bundle",
      at: 1,
      data: { trustDomain: "eu.lab.hansa", sequence: 1, roots: [] },
    },
  ]);
  const events = factEvents(document(shop(1, pay1)), place, own, 2);
  const gone = events.filter(({ data }) => data === null).map(({ key }) => key);
  expect(gone.sort()).toEqual([
    "endpoint/shop/pay/pay.pay-2",
    "load/shop/pay/http/eu-west-1/b",
    "load/shop/pay/p--81/eu-west-1/b",
  ]);
});

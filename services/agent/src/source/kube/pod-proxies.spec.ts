import { type TrustDomain, trustDomainOf } from "@hansa/core";
import { beforeEach, expect, it } from "vitest";
import { type Fact, factOf } from "../facts.ts";
import { PodProxies } from "./pod-proxies.ts";

const trustDomain: TrustDomain = trustDomainOf("eu", "test.hansa");
const pod = (more: object = {}) => ({
  namespace: "shop",
  name: "pay-1",
  serviceAccount: "pay",
  meshed: true,
  uid: "u-1",
  ip: "10.0.0.7",
  ...more,
});
const endpoint = (service: string, more: object = {}): Fact =>
  factOf("EndpointSet", `endpoint/shop/${service}/10.0.0.7`, {
    address: "10.0.0.7",
    ports: { http: 15_006 },
    appPorts: { http: 8080 },
    ready: true,
    region: "eu",
    zone: "eu-b",
    weight: 1,
    serviceAccount: "pay",
    workload: "pay-1",
    ...more,
  } as never);

let proxies: PodProxies;
beforeEach(() => {
  proxies = new PodProxies({ trustDomain, zone: "eu-a", inbound: "permissive" });
  proxies.pod("shop/pay-1", pod());
});
const one = () => proxies.proxies().get("shop/pay-1");

it("an injected pod has a proxy of its own account, in the zone of its endpoints", () => {
  expect(one()).toMatchObject({
    id: "shop/pay-1",
    spiffeId: "spiffe://eu.test.hansa/ns/shop/sa/pay",
    zone: "eu-a",
    services: [],
    pod: { uid: "u-1" },
  });
  proxies.fact(endpoint("pay"), true);
  proxies.fact(endpoint("alias"), true);
  expect(one()).toMatchObject({ zone: "eu-b", services: ["alias", "pay"] });
  expect([...(one()?.apps ?? [])]).toEqual([
    ["shop/alias/http", { address: "10.0.0.7", port: 8080 }],
    ["shop/pay/http", { address: "10.0.0.7", port: 8080 }],
  ]);
});

it("what did not change is the same object", () => {
  proxies.fact(endpoint("pay"), true);
  proxies.pod("shop/web-1", pod({ name: "web-1", uid: "u-2" }));
  const before = proxies.proxies();
  expect(proxies.proxies()).toBe(before);
  proxies.fact(endpoint("pay", { ready: false }), true);
  expect(proxies.proxies()).toBe(before);
  proxies.pod("shop/web-1", undefined);
  expect(proxies.proxies()).not.toBe(before);
  expect(one()).toBe(before.get("shop/pay-1"));
});

it("an endpoint that goes, or that the mesh does not dial, serves nothing", () => {
  proxies.fact(endpoint("pay"), true);
  proxies.fact(endpoint("pay", { ports: {} }), true);
  expect(one()?.services).toEqual([]);
  proxies.fact(endpoint("pay"), true);
  expect(one()?.services).toEqual(["pay"]);
  proxies.fact(endpoint("pay"), false);
  expect(one()?.apps.size).toBe(0);
});

it("a pod without a proxy has none, also where it had one", () => {
  proxies.pod("shop/pay-1", pod({ meshed: false }));
  proxies.pod("shop/other", pod({ name: "other", meshed: false }));
  expect(proxies.proxies().size).toBe(0);
});

it("a pod that came again under the name is another one", () => {
  proxies.fact(endpoint("pay"), true);
  proxies.pod("shop/pay-1", undefined);
  expect(one()).toBeUndefined();
  proxies.pod("shop/pay-1", pod({ uid: "u-9" }));
  expect(one()).toMatchObject({ pod: { uid: "u-9" }, services: ["pay"] });
});

it.each([
  ["nobody read its namespace yet", undefined, {}, "strict"],
  ["nobody says anything", {}, {}, "permissive"],
  ["its namespace says so", { inbound: "strict" }, {}, "strict"],
  ["the pod itself says otherwise", { inbound: "strict" }, { inbound: "permissive" }, "permissive"],
  ["the pod itself says so", { inbound: "permissive" }, { inbound: "strict" }, "strict"],
  ["the word is no word", { inbound: "yes" }, {}, "strict"],
] as const)("plain text where %s", (_what, namespace, own, inbound) => {
  proxies.pod("shop/pay-1", pod(own));
  if (namespace !== undefined) proxies.namespace("shop", namespace);
  expect(one()?.inbound).toBe(inbound);
});

it("what a namespace says goes for its pods at once; where nobody is a neighbour all are strict", () => {
  proxies.namespace("shop", {});
  expect(one()?.inbound).toBe("permissive");
  proxies.namespace("bank", { inbound: "strict" });
  expect(one()?.inbound).toBe("permissive");
  proxies.namespace("shop", { inbound: "strict" });
  expect(one()?.inbound).toBe("strict");
  proxies.namespace("shop", undefined);
  expect(one()?.inbound).toBe("strict");
  const alone = new PodProxies({ trustDomain, zone: "eu-a", inbound: undefined });
  alone.pod("shop/pay-1", pod({ inbound: "permissive" }));
  alone.namespace("shop", { inbound: "permissive" });
  expect(alone.proxies().get("shop/pay-1")?.inbound).toBe("strict");
});

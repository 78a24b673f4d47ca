import type { TrustDomain } from "@hansa/core";
import { expect, test } from "vitest";
import { parseSource } from "../source/document.ts";
import { proxiesOf } from "./inventory.ts";

const place = {
  trustDomain: "eu.lab.hansa" as TrustDomain,
  zones: ["a"],
  gateways: [{ name: "gw", address: "10.0.0.1", port: 15_443 }],
};

test("one proxy per replica with a sidecar, and the gateways", () => {
  const parsed = parseSource(
    `
services: [{ namespace: shop, name: pay, ports: [{ name: http, port: 80 }, { name: adm, port: 81 }] }]
workloads:
  - namespace: shop
    name: pay
    serviceAccount: pay
    desired: 2
    services: [pay]
    replicas:
      - { id: pay-1, address: 10.0.0.2, ready: true, zone: b, app: { address: 10.0.0.2, port: 8080, ports: { adm: 9000 } } }
      - { id: pay-2, address: 10.0.0.3, ready: true, sidecar: false }`,
    { cluster: "eu", federation: "lab.hansa" },
  );
  if (parsed.kind === "problems") throw new Error(parsed.problems.join());
  const proxies = proxiesOf(parsed.document, place);
  expect([...proxies.keys()]).toEqual(["shop/pay/pay-1", "gateway/gw"]);
  expect(proxies.get("shop/pay/pay-1")).toMatchObject({
    spiffeId: "spiffe://eu.lab.hansa/ns/shop/sa/pay",
    zone: "b",
    apps: new Map([
      ["shop/pay/http", { address: "10.0.0.2", port: 8080 }],
      ["shop/pay/adm", { address: "10.0.0.2", port: 9000 }],
    ]),
  });
  expect(proxies.get("gateway/gw")).toMatchObject({
    spiffeId: "spiffe://eu.lab.hansa/ns/hansa-system/sa/gateway",
    zone: "a",
  });
});

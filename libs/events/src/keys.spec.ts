import { describe, expect, it } from "vitest";
import * as keys from "./keys.ts";

describe("parseKey", () => {
  it.each([
    [keys.serviceKey("shop", "pay"), { type: "ServiceSet", namespace: "shop", name: "pay" }],
    [
      keys.loadKey("shop", "pay", "http", "r1", "a"),
      { type: "LoadSet", namespace: "shop", name: "pay", port: "http", region: "r1", zone: "a" },
    ],
    [
      keys.loadKey("shop", "pay", "p--80", "r1", "-"),
      { type: "LoadSet", namespace: "shop", name: "pay", port: "p--80", region: "r1", zone: "-" },
    ],
    [keys.gatewayKey("g"), { type: "GatewaySet", name: "g" }],
    [
      keys.identityKey("shop", "pay.v1"),
      { type: "IdentitySet", namespace: "shop", serviceAccount: "pay.v1" },
    ],
    [keys.bundleKey(), { type: "BundleSet" }],
    [keys.linkKey("us"), { type: "LinkSet", peer: "us" }],
    [
      keys.policyKey("allow", "shop", "web-pay"),
      { type: "PolicySet", kind: "allow", namespace: "shop", name: "web-pay" },
    ],
    [
      keys.policyKey("failover", "-", "-"),
      { type: "PolicySet", kind: "failover", namespace: "-", name: "-" },
    ],
    [keys.commandKey("c.1"), { type: "CommandSet", id: "c.1" }],
    [keys.wantKey("us"), { type: "WantSet", source: "us" }],
    [
      keys.endpointKey("shop", "pay", "10.0.0.1:80"),
      { type: "EndpointSet", namespace: "shop", name: "pay", id: "10.0.0.1:80" },
    ],
    [keys.membershipKey("eu"), { type: "MembershipSet", cluster: "eu" }],
    [keys.hubkeyKey(), { type: "HubkeySet" }],
    [keys.operatorsKey(), { type: "OperatorsSet" }],
    [keys.foreignKey("example.org"), { type: "ForeignSet", domain: "example.org" }],
  ])("reads %s", (key, parsed) => {
    expect(keys.parseKey(key)).toEqual(parsed);
  });

  it.each([
    "",
    "service",
    "service/shop",
    "service/shop/pay/x",
    "service/Shop/pay",
    "service//pay",
    "service/shop/..",
    "load/shop/pay/a--b/r/z",
    "load/shop/pay/p--0/r/z",
    "load/shop/pay/http/r/",
    "policy/deny/shop/x",
    "policy/failover/-/pay",
    "policy/allow/-/-",
    "bundle/x",
    "endpoint/shop/pay/a b",
    "identity/shop/..",
    `command/${"x".repeat(600)}`,
    "toString/x",
  ])("refuses %s", (key) => {
    expect(keys.parseKey(key)).toBeUndefined();
  });
});

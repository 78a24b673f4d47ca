import { describe, expect, it } from "vitest";
import { parseClusterName, parseFederationName, parseWorkloadId, trustDomainOf, workloadId } from "./ids.ts";

describe("names", () => {
  it("takes RFC 1123 labels as cluster names, and no reserved one", () => {
    for (const good of ["eu", "us-1", "a", "x".repeat(63)]) expect(parseClusterName(good), good).toBe(good);
    for (const bad of ["", "EU", "-a", "a-", "a.b", "hub", "pin", "x".repeat(64), "a_b", "ü"])
      expect(parseClusterName(bad), bad).toBeUndefined();
  });

  it("refuses federations that are one label, upper case or an address", () => {
    expect(parseFederationName("lab.hansa")).toBe("lab.hansa");
    for (const bad of ["hansa", "Lab.hansa", "10.0.0.1", "a..b", ".a.b", "a.b."])
      expect(parseFederationName(bad), bad).toBeUndefined();
  });
});

describe("workload ids", () => {
  it("reads back what it builds", () => {
    const id = workloadId(trustDomainOf("eu", "lab.hansa"), "shop", "pay");
    expect(id).toBe("spiffe://eu.lab.hansa/ns/shop/sa/pay");
    expect(parseWorkloadId(id)).toEqual({
      trustDomain: "eu.lab.hansa",
      namespace: "shop",
      serviceAccount: "pay",
    });
  });

  it.each([
    "spiffe://EU.lab.hansa/ns/shop/sa/pay",
    "spiffe://eu.lab.hansa:1/ns/shop/sa/pay",
    "spiffe://u@eu.lab.hansa/ns/shop/sa/pay",
    "spiffe://eu.lab.hansa/ns/shop/sa/pay/",
    "spiffe://eu.lab.hansa/ns/shop/sa/..",
    "spiffe://eu.lab.hansa/ns/shop/sa/pay?x",
    "spiffe://eu.lab.hansa/ns/shop/sa/p%61y",
    "spiffe://eu.lab.hansa/ns//sa/pay",
    "spiffe://eu.lab.hansa/ns/shop/sa/pay\u0000",
    "spiffe://eu.lab.hansa/ns/shop/sa/pay,spiffe://us.lab.hansa/ns/shop/sa/pay",
    "https://eu.lab.hansa/ns/shop/sa/pay",
  ])("refuses %j", (text) => expect(parseWorkloadId(text)).toBeUndefined());
});

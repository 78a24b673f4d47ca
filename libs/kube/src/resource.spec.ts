import { describe, expect, it } from "vitest";
import { rightOf, textOfRight } from "./client/right.ts";
import { AGENT_RIGHTS, AGENT_RULES } from "./rbac/rights.ts";
import { pathOf, textOf } from "./resource.ts";
import { ENDPOINT_SLICES, NAMESPACES, SERVICES, serviceImports, TOKEN_REVIEWS } from "./resources.ts";

const imports = serviceImports("v1beta1");
const one = { resource: imports, namespace: "shop", name: "pay" };

describe("a target", () => {
  it.each([
    [{ resource: SERVICES }, "/api/v1/services", "services"],
    [{ resource: SERVICES, namespace: "shop" }, "/api/v1/namespaces/shop/services", "services in shop"],
    [{ resource: NAMESPACES, name: "shop" }, "/api/v1/namespaces/shop", "namespaces shop"],
    [
      { resource: ENDPOINT_SLICES },
      "/apis/discovery.k8s.io/v1/endpointslices",
      "endpointslices.discovery.k8s.io",
    ],
    [
      { ...one, subresource: "status" as const },
      "/apis/multicluster.x-k8s.io/v1beta1/namespaces/shop/serviceimports/pay/status",
      "serviceimports.multicluster.x-k8s.io/status shop/pay",
    ],
  ])("%j has a path and a name", (target, path, text) => {
    expect([pathOf(target), textOf(target)]).toEqual([path, text]);
  });

  it.each(["", ".", ".."])("is never named %j", (name) => {
    expect(() => pathOf({ resource: NAMESPACES, name })).toThrow("no name of an object");
  });

  it("never leaves its place in the path", () => {
    expect(pathOf({ resource: NAMESPACES, name: "a/../b?x" })).toBe("/api/v1/namespaces/a%2F..%2Fb%3Fx");
  });

  it.each([
    [{ resource: NAMESPACES, namespace: "shop" }],
    [{ resource: SERVICES, name: "pay" }],
    [{ ...one, name: undefined, subresource: "status" as const }],
  ])("%j is none", (target) => {
    expect(() => pathOf(target)).toThrow("invariant broken");
  });
});

describe("the right of a request", () => {
  it.each([
    ["GET", one, false, "get serviceimports.multicluster.x-k8s.io"],
    ["GET", { resource: SERVICES }, false, "list services"],
    ["GET", { resource: SERVICES }, true, "watch services"],
    ["POST", { resource: TOKEN_REVIEWS }, false, "create tokenreviews.authentication.k8s.io"],
    ["PUT", one, false, "update serviceimports.multicluster.x-k8s.io"],
    [
      "PATCH",
      { ...one, subresource: "status" as const },
      false,
      "patch serviceimports/status.multicluster.x-k8s.io",
    ],
    ["DELETE", one, false, "delete serviceimports.multicluster.x-k8s.io"],
  ] as const)("%s %j (watch: %s) is to %s", (method, target, isWatch, text) => {
    expect(textOfRight(rightOf(method, target, isWatch))).toBe(text);
  });
});

describe("the table of rights", () => {
  it("names each resource once, says why, and has no wildcard", () => {
    const names = AGENT_RULES.map(({ group, resource }) => `${resource}.${group}`);
    expect(new Set(names).size).toBe(names.length);
    expect(AGENT_RULES.filter(({ why, verbs }) => why === "" || verbs.length === 0)).toEqual([]);
    expect(
      AGENT_RIGHTS.filter(({ group, resource, verb }) => `${group}${resource}${verb}`.includes("*")),
    ).toEqual([]);
  });

  it("reads no secret", () => {
    expect(AGENT_RIGHTS.filter(({ resource }) => /secret/.test(resource))).toEqual([]);
    const maps = AGENT_RULES.filter(({ resource }) => resource === "configmaps");
    expect(maps.map(({ verbs, names }) => [verbs, names])).toEqual([[["create", "patch"], ["hansa-roots"]]]);
  });
});

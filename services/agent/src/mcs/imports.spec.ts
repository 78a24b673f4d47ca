import type { ClusterName } from "@hansa/core";
import { describe, expect, it } from "vitest";
import { ClusterSetIps } from "./cluster-set-ips.ts";
import { Imports } from "./imports.ts";
import { parsePool } from "./ip-pool.ts";
import { Exports } from "./mcs.fixture.ts";

const NAMESPACE = "shop";

function rig(namespaces: readonly string[] = [NAMESPACE]) {
  const fed = new Exports(["eu", "us"]);
  const ips = new ClusterSetIps({ pools: [parsePool("10.250.0.0/16")!], isTaken: () => false });
  const imports = new Imports({
    input: { fed, importer: "us" as ClusterName, isLost: () => false },
    ips,
    isSynced: () => true,
    hasNamespace: (namespace) => namespaces.includes(namespace),
    monotonicMs: () => 0,
  });
  const pay = [{ namespace: NAMESPACE, name: "pay" }];
  return { fed, ips, imports, pay, get: () => imports.get(NAMESPACE, "pay") };
}

describe("imports", () => {
  it("come with the fold, keep their address, and go with the last export", () => {
    const { fed, imports, ips, pay, get } = rig();
    imports.refresh("all");
    expect([imports.size, imports.hasNamespace(NAMESPACE)]).toEqual([0, false]);
    fed.set("eu", "pay", {});
    imports.refresh(pay);
    const address = get()?.ips[0];
    expect(address).toMatch(/^10\.250\./);
    expect(imports.hasNamespace(NAMESPACE)).toBe(true);
    const before = get();
    imports.refresh("all");
    expect(get()).toBe(before);
    fed.set("us", "pay", {});
    imports.refresh("all");
    expect(get()?.ips).toEqual([address]);
    for (const cluster of ["eu", "us"]) fed.set(cluster, "pay", { export: null });
    imports.refresh("all");
    expect([get(), imports.hasNamespace(NAMESPACE), ips.of("shop/pay")]).toEqual([undefined, false, []]);
  });

  it("have no address where they are headless", () => {
    const { fed, imports, ips, pay, get } = rig();
    fed.set("eu", "pay", {});
    imports.refresh(pay);
    fed.set("eu", "pay", { type: "Headless" });
    imports.refresh(pay);
    expect([get()?.type, get()?.ips, ips.of("shop/pay")]).toEqual(["Headless", [], []]);
  });

  it("are those alone whose namespace is here", () => {
    const { fed, imports, get } = rig(["other"]);
    fed.set("eu", "pay", {});
    imports.refresh("all");
    expect(get()).toBeUndefined();
  });

  it("name the families that they have an address in", () => {
    const { fed, imports, pay, get } = rig();
    fed.set("eu", "pay", { ipFamilies: ["IPv6", "IPv4"] });
    imports.refresh(pay);
    expect(get()).toMatchObject({ ipFamilies: ["IPv4"] });
    expect(imports.assigned(NAMESPACE, "pay")).toMatchObject({ unsupported: ["IPv6"] });
  });
});

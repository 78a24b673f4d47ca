import type { PropertySelector, ServiceExportValue } from "@hansa/events";
import { describe, expect, it } from "vitest";
import { FailbackMemory } from "./failback.ts";
import { FAILOVER_DEFAULT } from "./failover-policy.ts";
import { League, NAMESPACE, vantage } from "./league.fixture.ts";
import { serviceRoutes } from "./service-port-view.ts";

const own: PropertySelector = [
  { key: "cluster.clusterset.k8s.io", operator: "In", values: ["@SameAsImporter@"] },
];
const sameRegion: PropertySelector = [
  { key: "region.topology.k8s.io", operator: "In", values: ["@SameAsImporter@"] },
];
const us: PropertySelector = [{ key: "cluster.clusterset.k8s.io", operator: "In", values: ["us"] }];

/** ap and eu share a region with nobody but each other. */
function league(exportFields: Partial<ServiceExportValue>): League {
  const fed = new League()
    .admit("ap", { region: "old" })
    .admit("eu", { region: "old" })
    .admit("us", { region: "new" });
  for (const [index, cluster] of ["eu", "ap", "us"].entries())
    fed.serve(cluster, "pay", { sinceMs: index, exportFields });
  return fed;
}

function routes(fed: League, importer: string, region: string) {
  const self = vantage(importer, region);
  return serviceRoutes({ fed, self, memory: new FailbackMemory(), monotonicMs: 0 }, NAMESPACE, "pay");
}

function order(fed: League, importer: string, region: string): string[] {
  const [port] = routes(fed, importer, region).ports;
  return (port?.view.localities ?? []).map(({ priority, cluster }) => `${priority} ${cluster}`);
}

describe("cluster selectors of an export", () => {
  it("are tiers in their order, for each importer its own", () => {
    const fed = league({ clusterSelectors: [own, sameRegion] });
    expect(order(fed, "ap", "old")).toEqual(["0 ap", "1 eu", "2 us"]);
    expect(order(fed, "eu", "old")).toEqual(["0 eu", "1 ap", "2 us"]);
    expect(order(fed, "us", "new")).toEqual(["0 us", "1 ap", "1 eu"]);
    expect(order(league({ clusterSelectors: [us] }), "eu", "old")).toEqual(["0 us", "1 eu", "2 ap"]);
  });

  it("stay with a result while one endpoint of it is healthy, and take the oldest export's word", () => {
    const fed = league({ clusterSelectors: [us] });
    expect(routes(fed, "eu", "old").policy.policy.threshold).toBe(1);
    fed.serve("eu", "pay", { sinceMs: 0, exportFields: { clusterSelectors: [own] } });
    expect(order(fed, "ap", "old")[0]).toBe("0 ap");
  });

  it("give way to a policy with tiers; one without keeps its threshold", () => {
    const fed = league({ clusterSelectors: [us] });
    fed.set("eu", "policy/failover/-/-", { ...FAILOVER_DEFAULT, threshold: 60 });
    expect(routes(fed, "eu", "old").policy.policy).toMatchObject({ tiers: [["us"]], threshold: 60 });
    fed.set("eu", "policy/failover/-/-", { ...FAILOVER_DEFAULT, tiers: [["ap"]] });
    expect(order(fed, "eu", "old")[0]).toBe("0 ap");
  });

  it("leave the others out only with fallback None", () => {
    const fed = league({ clusterSelectors: [us], selectorsFallback: "None" });
    expect(order(fed, "eu", "old")).toEqual(["0 us"]);
    expect(
      routes(fed, "eu", "old").ports[0]?.excluded.map(({ cluster, reason }) => [cluster, reason]),
    ).toEqual([
      ["eu", "no cluster selector of the export names it"],
      ["ap", "no cluster selector of the export names it"],
    ]);
  });

  it("select nothing where the importer lacks the property", () => {
    const network: PropertySelector = [
      { key: "network.hansa.dev", operator: "NotIn", values: ["@SameAsImporter@"] },
    ];
    expect(routes(league({ clusterSelectors: [network] }), "eu", "old").policy.policy.tiers).toEqual([[]]);
  });
});

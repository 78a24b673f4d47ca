import { describe, expect, it } from "vitest";
import { explainRoute } from "./explain-route.ts";
import { FailbackMemory } from "./failback.ts";
import { FAILOVER_DEFAULT } from "./failover-policy.ts";
import { League, NAMESPACE, vantage } from "./league.fixture.ts";

const input = (fed: League) => ({ fed, self: vantage("eu"), memory: new FailbackMemory(), monotonicMs: 0 });

describe("explain route", () => {
  const fed = new League().admit("ap").admit("eu").admit("us");
  fed
    .serve("eu", "pay", { healthy: 0, total: 2 })
    .serve("us", "pay")
    .serve("ap", "pay")
    .link("eu", "ap", "lost");
  fed.set("eu", "policy/failover/-/-", { ...FAILOVER_DEFAULT, regions: { eu: ["us", "ap"] }, threshold: 60 });

  it("names the localities in order with shares, reasons and the events that made them so", () => {
    const [port] = explainRoute(input(fed), NAMESPACE, "pay").ports;
    expect(port).toMatchObject({
      sni: "http.pay.shop.svc.lab.hansa",
      failsFast: false,
      summary: "http: 100 % to us.",
      localities: [
        { priority: 0, cluster: "eu", reason: "same zone", healthy: 0, total: 2, sharePercent: 0 },
        {
          priority: 1,
          cluster: "us",
          reason: "failover target 1 of eu",
          healthy: 2,
          total: 2,
          sharePercent: 100,
        },
      ],
      excluded: [{ cluster: "ap", reason: "lost: neither its lease nor its gateway is alive" }],
    });
    expect(port?.localities[1]?.because.map(({ register }) => register)).toEqual([
      "us/sum/service/shop/pay",
      "us/sum/load/shop/pay/http/us/a",
      "us/sum/gateway/gw",
    ]);
    expect(port?.excluded[0]?.because.map(({ register }) => register)).toContain("eu/sum/link/ap");
    for (const { position } of port?.localities[0]?.because ?? []) expect(position.seq).toBeGreaterThan(0);
  });

  it("names the policy in force", () => {
    expect(explainRoute(input(fed), NAMESPACE, "pay").policy).toMatchObject({
      threshold: 60,
      because: [{ register: "eu/sum/policy/failover/-/-" }],
    });
  });

  it("says when nobody offers the service, and when nothing is healthy", () => {
    expect(explainRoute(input(fed), NAMESPACE, "none")).toMatchObject({
      ports: [],
      summary: "HSA4006: no cluster offers none.shop to eu",
    });
    const dead = new League().admit("eu").admit("us").serve("us", "pay", { healthy: 0, total: 1 });
    const explained = explainRoute(input(dead), NAMESPACE, "pay");
    expect(explained.ports[0]).toMatchObject({ failsFast: true });
    expect(explained.summary).toContain("503");
  });

  it("leaves the memory of the asked alone", () => {
    const asked = input(fed);
    explainRoute(asked, NAMESPACE, "pay");
    expect(asked.memory.get("http.pay.shop.svc.lab.hansa")).toBeUndefined();
  });
});

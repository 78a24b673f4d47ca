import { loadKey, policyKey, serviceKey } from "@hansa/events";
import { beforeEach, describe, expect, it } from "vitest";
import type { Federation } from "../fold/federation.ts";
import {
  admit,
  command,
  endpoint,
  feed,
  newFederation,
  type RigSource,
  rigCluster,
  rigHub,
  service,
} from "../fold/rig.ts";
import { decideAccess } from "../policy/access.ts";
import { explainRoute } from "./explain-route.ts";
import { FailbackMemory } from "./failback.ts";
import { FAILOVER_DEFAULT } from "./failover-policy.ts";
import { vantage } from "./league.fixture.ts";
import { servicePortViews } from "./service-port-view.ts";
import { servingPorts } from "./serving-ports.ts";
import type { ServicePortView } from "./types.ts";

/** The view over the real fold of signed logs: what has no effect must not be seen. */
describe("the view of a folded federation", () => {
  let fed: Federation;
  let hub: RigSource;
  let eu: RigSource;
  let us: RigSource;

  const input = () => ({
    fed,
    self: vantage("eu", "eu-west-1"),
    memory: new FailbackMemory(),
    monotonicMs: 0,
  });
  const view = (): ServicePortView | undefined => servicePortViews(input(), "shop", "pay")[0];
  const clusters = (): string[] => view()?.localities.map(({ cluster }) => cluster) ?? [];
  const write = (...sources: readonly RigSource[]): void => {
    for (const source of sources) feed(fed, source.write());
  };

  beforeEach(() => {
    fed = newFederation();
    hub = rigHub();
    eu = rigCluster("eu", 2);
    us = rigCluster("us", 3);
    admit(hub, eu);
    admit(hub, us, { grant: { region: "us-east-1" } });
    for (const source of [eu, us]) service(source, "shop", "pay");
    endpoint(eu, "pay", "pay-1");
    us.set("LoadSet", loadKey("shop", "pay", "http", "us-east-1", "a"), {
      healthy: 2,
      total: 2,
      desired: 2,
      weight: 2,
    });
    us.set("GatewaySet", "gateway/gw", {
      address: "10.9.0.1",
      port: 15443,
      region: "us-east-1",
      ready: true,
    });
    write(hub, eu, us);
  });

  it("holds what the members said", () => {
    expect(view()).toMatchObject({
      exporters: [{ cluster: "eu" }, { cluster: "us", allowedIds: ["spiffe://us.lab.hansa/ns/shop/sa/pay"] }],
      localities: [
        { cluster: "eu", via: "local", endpoints: [{ address: "10.1.2.3", port: 8080 }] },
        { cluster: "us", via: "gateway", endpoints: [{ address: "10.9.0.1", weight: 2 }] },
      ],
    });
    const [port] = explainRoute(input(), "shop", "pay").ports;
    const cause = port?.localities[1]?.because.find(({ register }) => register === "us/sum/gateway/gw");
    expect(cause?.position).toMatchObject({ epoch: us.log[0]?.record.header.epoch, seq: 1 });
  });

  it("does not dial outside a grant", () => {
    us.set("GatewaySet", "gateway/gw", {
      address: "192.168.0.1",
      port: 15443,
      region: "us-east-1",
      ready: true,
    });
    write(us);
    expect(clusters()).toEqual(["eu"]);
    expect(explainRoute(input(), "shop", "pay").ports[0]?.excluded).toMatchObject([
      { cluster: "us", reason: "has no gateway" },
    ]);
  });

  it("does not export outside a grant, and leaves the cluster its own", () => {
    service(us, "bank", "vault");
    write(us);
    expect(servicePortViews(input(), "bank", "vault")).toEqual([]);
    expect(servingPorts(fed, "us").map(({ namespace, exported }) => [namespace, exported])).toEqual([
      ["bank", false],
      ["shop", true],
    ]);
  });

  it("lets go of a cluster that the operators evicted, and drains one that they drain", () => {
    command(eu, { do: "drain", cluster: "us", incarnation: 1 }, "a");
    write(eu);
    expect(view()?.localities[1]).toMatchObject({
      cluster: "us",
      draining: true,
      endpoints: [{ health: "draining" }],
    });
    command(eu, { do: "evict", cluster: "us", incarnation: 1 }, "b", undefined, 200);
    write(eu);
    expect(clusters()).toEqual(["eu"]);
    expect(servingPorts(fed, "eu").flatMap(({ callers }) => callers)).toEqual([]);
    expect(decideAccess(fed, "spiffe://us.lab.hansa/ns/shop/sa/pay", "shop", "cart")).toMatchObject({
      verdict: "deny",
      by: "membership",
    });
  });

  it("leaves a cluster that is out its own mesh, and nothing of the others'", () => {
    command(eu, { do: "evict", cluster: "us", incarnation: 1 }, "b", undefined, 200);
    write(eu);
    const seenByUs = servicePortViews({ ...input(), self: vantage("us", "us-east-1") }, "shop", "pay");
    expect(seenByUs[0]?.exporters.map(({ cluster }) => cluster)).toEqual(["us"]);
    expect(servingPorts(fed, "us").map(({ service, callers }) => [service, callers])).toEqual([["pay", []]]);
    expect(decideAccess(fed, "spiffe://us.lab.hansa/ns/shop/sa/pay", "shop", "pay")).toMatchObject({
      verdict: "allow",
      exporters: [{ cluster: "us" }],
    });
  });

  it("takes the federation's failover policy from the hub, and links from its own log only", () => {
    hub.set("PolicySet", policyKey("failover", "-", "-"), { ...FAILOVER_DEFAULT, tiers: [["us"]] });
    const lost = {
      lease: "lost",
      probe: "fail",
      state: "lost",
      stage: "",
      sinceMs: 0,
      rttMs: null,
      selfDoubt: false,
    } as const;
    us.set("LinkSet", "link/us", lost).set("LinkSet", "link/eu", lost);
    write(hub, us);
    expect(clusters()).toEqual(["us", "eu"]);
    eu.set("LinkSet", "link/us", lost);
    write(eu);
    expect(clusters()).toEqual(["eu"]);
  });

  it("admits callers by the exporter's policy, not by anybody else's", () => {
    const from = [{ cluster: "eu", namespace: "shop", serviceAccount: "web" }];
    const caller = "spiffe://eu.lab.hansa/ns/shop/sa/web";
    const at = (cluster: string) =>
      decideAccess(fed, caller, "shop", "pay").exporters.find((exporter) => exporter.cluster === cluster);
    eu.set("PolicySet", policyKey("allow", "shop", "web-pay"), { service: "pay", from });
    write(eu);
    expect(at("us")).toMatchObject({ verdict: "deny" });
    us.set("PolicySet", policyKey("allow", "shop", "web-pay"), { service: "pay", from });
    write(us);
    expect(at("us")).toMatchObject({ verdict: "allow", by: "policy shop/web-pay" });
    expect(servingPorts(fed, "us")[0]?.callers).toEqual([{ kind: "exact", value: caller }]);
    us.remove(serviceKey("shop", "pay"));
    write(us);
    expect(at("us")).toBeUndefined();
  });
});

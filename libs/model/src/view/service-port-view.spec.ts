import type { FailoverPolicy } from "@hansa/events";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FailbackMemory } from "./failback.ts";
import { FAILOVER_DEFAULT } from "./failover-policy.ts";
import { HTTP, League, NAMESPACE, type ServeOptions, vantage } from "./league.fixture.ts";
import { servicePortViews } from "./service-port-view.ts";
import { predictShares } from "./share.ts";
import type { ServicePortView, Vantage } from "./types.ts";

interface Look {
  readonly self?: Vantage;
  readonly memory?: FailbackMemory;
  readonly monotonicMs?: number;
}

function view(fed: League, look: Look = {}): ServicePortView {
  const { self = vantage("eu"), memory = new FailbackMemory(), monotonicMs = 0 } = look;
  const [first] = servicePortViews({ fed, self, memory, monotonicMs }, NAMESPACE, "pay");
  if (first === undefined) throw new Error("nobody offers shop/pay");
  return first;
}

/** Percent per cluster, as Envoy will split. */
function shares(seen: ServicePortView): Record<string, number> {
  const parts = predictShares(seen.localities, seen.overprovisioning);
  const sums: Record<string, number> = {};
  for (const [index, { cluster }] of seen.localities.entries())
    sums[cluster] = (sums[cluster] ?? 0) + Math.round(parts[index]!);
  return sums;
}

const order = (seen: ServicePortView): string[] =>
  seen.localities.map(
    ({ cluster, zone, priority }) => `${priority} ${cluster}${zone === "" ? "" : `/${zone}`}`,
  );

/** eu with two endpoints of its own, us and ap behind gateways. */
function league(local: ServeOptions & { readonly ready?: number } = {}): League {
  const ready = local.ready ?? 2;
  const fed = new League().admit("ap").admit("eu").admit("us");
  fed.serve("eu", "pay", { healthy: ready, total: 2, ...local });
  for (let index = 1; index <= 2; index += 1)
    fed.endpoint("eu", "pay", `pay-${index}`, { ready: index <= ready });
  return fed.serve("us", "pay", { healthy: 2 }).serve("ap", "pay", { healthy: 4 });
}

const policy = (fed: League, change: Partial<FailoverPolicy>, cluster = "eu", name = "-/-"): League =>
  fed.set(cluster, `policy/failover/${name}`, { ...FAILOVER_DEFAULT, ...change });

describe("a service port seen by one importer", () => {
  it("is TCP: the mesh routes nothing else", () => {
    const udp = { ...HTTP, name: "udp", transport: "UDP" as const };
    const fed = new League().admit("eu").serve("eu", "pay", { ports: [udp, HTTP] });
    const input = { fed, self: vantage("eu"), memory: new FailbackMemory(), monotonicMs: 0 };
    expect(servicePortViews(input, NAMESPACE, "pay").map(({ portKey }) => portKey)).toEqual(["http"]);
  });

  it("has one name for all exporters, their identities bound to their trust domains", () => {
    const seen = view(league());
    expect(seen).toMatchObject({
      sni: "http.pay.shop.svc.lab.hansa",
      host: "pay.shop.svc.clusterset.local",
      portKey: "http",
      overprovisioning: 143,
    });
    expect(seen.exporters).toEqual([
      { cluster: "ap", trustDomain: "ap.lab.hansa", allowedIds: ["spiffe://ap.lab.hansa/ns/shop/sa/pay"] },
      { cluster: "eu", trustDomain: "eu.lab.hansa", allowedIds: ["spiffe://eu.lab.hansa/ns/shop/sa/pay"] },
      { cluster: "us", trustDomain: "us.lab.hansa", allowedIds: ["spiffe://us.lab.hansa/ns/shop/sa/pay"] },
    ]);
  });

  it("lists local endpoints one by one and remote clusters by their gateways' weight", () => {
    const seen = view(league());
    const by = (cluster: string) => seen.localities.find((locality) => locality.cluster === cluster);
    expect(by("eu")).toMatchObject({ via: "local", priority: 0, healthy: 2, total: 2, link: "self" });
    expect(by("eu")?.endpoints.map(({ id, weight, port }) => [id, weight, port])).toEqual([
      ["pay-1", 1, 15006],
      ["pay-2", 1, 15006],
    ]);
    expect(by("ap")).toMatchObject({ via: "gateway", zone: "", link: "normal" });
    expect(by("ap")?.endpoints).toEqual([
      { address: "10.0.0.1", port: 15443, weight: 4, health: "healthy", placeholder: false, id: "gw" },
    ]);
    expect(shares(seen)).toEqual({ eu: 100, us: 0, ap: 0 });
  });

  it("shares a cluster's weight among its ready gateways in whole numbers", () => {
    const fed = league().gateway("us", "second").gateway("ap", "second").gateway("ap", "third-one", false);
    fed.serve("us", "pay", { healthy: 3, total: 4 });
    const seen = view(fed);
    const us = seen.localities.find(({ cluster }) => cluster === "us");
    expect(us?.endpoints.map(({ weight, placeholder }) => [weight, placeholder])).toEqual([
      [3, false],
      [3, false],
      [2, true],
    ]);
    const eu = seen.localities.find(({ cluster }) => cluster === "eu");
    expect(eu?.endpoints.map(({ weight }) => weight)).toEqual([2, 2]);
    expect(seen.localities.find(({ cluster }) => cluster === "ap")?.endpoints).toHaveLength(2);
  });

  it("carries what a remote cluster lacks in one placeholder of its own address", () => {
    const fed = league({ ready: 0 });
    fed.serve("us", "pay", { healthy: 3, total: 10 }).serve("ap", "pay", { healthy: 1, total: 4 });
    const seen = view(policy(fed, { regions: { eu: ["us", "ap"] } }));
    const placeholders = seen.localities.flatMap(({ endpoints }) =>
      endpoints.filter((one) => one.placeholder),
    );
    expect(placeholders.map(({ weight, health }) => [weight, health])).toEqual([
      [7, "unhealthy"],
      [3, "unhealthy"],
    ]);
    expect(new Set(placeholders.map(({ address }) => address)).size).toBe(2);
    for (const { address } of placeholders) expect(address).toMatch(/^192\.0\.2\./);
    // 30 % × 1.43 = 42; 25 % × 1.43 = 35; both by 77.
    expect(shares(seen)).toEqual({ eu: 0, us: 55, ap: 45 });
  });

  it("counts unready and absent endpoints, so that a part of local does not take the whole", () => {
    expect(shares(view(league({ ready: 1 })))).toEqual({ eu: 71, us: 10, ap: 19 });
    const ramp = league();
    ramp.remove("eu", "endpoint/shop/pay/pay-2");
    ramp.set("eu", "load/shop/pay/http/eu/a", { healthy: 1, total: 1, desired: 10, weight: 1 });
    const eu = view(ramp).localities.find(({ cluster }) => cluster === "eu");
    expect(eu?.total).toBe(10);
    expect(shares(view(ramp)).eu).toBe(14);
  });

  it("keeps a locality without a healthy endpoint listed, and fails fast where nobody has one", () => {
    const fed = league({ ready: 0 });
    fed.serve("us", "pay", { healthy: 0, total: 2 }).serve("ap", "pay", { healthy: 0, total: 0 });
    const seen = view(fed);
    expect(seen.localities.map(({ cluster }) => cluster).sort()).toEqual(["ap", "eu", "us"]);
    for (const { endpoints } of seen.localities)
      expect(endpoints.every(({ health }) => health === "unhealthy")).toBe(true);
    expect(shares(seen)).toEqual({ eu: 0, us: 0, ap: 0 });
  });

  it("merges endpoints behind one address (gateway mode) and keeps what is hidden behind it in the count", () => {
    const fed = league();
    for (const id of ["pay-1", "pay-2"])
      fed.endpoint("eu", "pay", id, { address: "10.0.1.1", ports: { http: 15443 } });
    fed.endpoint("eu", "pay", "pay-3", { address: "10.0.1.1", ports: { http: 15443 }, ready: false });
    const eu = view(fed).localities.find(({ cluster }) => cluster === "eu");
    expect(eu?.endpoints.map(({ weight, health, placeholder }) => [weight, health, placeholder])).toEqual([
      [2, "healthy", false],
      [1, "unhealthy", true],
    ]);
  });

  it("lets no cluster weigh more than its place, and keeps its own proportions", () => {
    const fed = league({ ready: 0 }).serve("us", "pay", { healthy: 5, total: 10, weight: 1e12 });
    const us = view(fed).localities.find(({ cluster }) => cluster === "us");
    expect(us?.endpoints.map(({ weight }) => weight)).toEqual([50_000, 50_000]);
  });

  it("never lists one address twice", () => {
    const fed = league().set("us", "gateway/gw", {
      address: "10.0.0.1",
      port: 15443,
      region: "us",
      ready: true,
    });
    const addresses = view(fed).localities.flatMap(({ endpoints }) =>
      endpoints.map(({ address, port }) => `${address}:${port}`),
    );
    expect(new Set(addresses).size).toBe(addresses.length);
  });

  it("dials gateways of peers of unknown networks, even where their endpoints are known", () => {
    const fed = league().endpoint("us", "pay", "pay-1");
    expect(view(fed).localities.find(({ cluster }) => cluster === "us")?.via).toBe("gateway");
  });

  it("dials a peer on the same network directly, and its gateway until its endpoints are known", () => {
    const fed = league().admit("eu", { network: "core" }).admit("us", { network: "core" });
    expect(view(fed).localities.find(({ cluster }) => cluster === "us")?.via).toBe("gateway");
    fed.endpoint("us", "pay", "pay-1").endpoint("us", "pay", "pay-2", { zone: "b" });
    const us = view(fed).localities.filter(({ cluster }) => cluster === "us");
    expect(
      us.map(({ via, zone, endpoints }) => [via, zone, endpoints.filter((one) => !one.placeholder).length]),
    ).toEqual([
      ["flat", "a", 1],
      ["flat", "b", 1],
    ]);
    expect(view(fed).localities.find(({ cluster }) => cluster === "ap")?.via).toBe("gateway");
  });
});

describe("order of localities", () => {
  it("is zone, region, failover targets in their order, rest; without gaps", () => {
    const fed = new League();
    for (const [name, region] of [
      ["eu", "r1"],
      ["eu2", "r1"],
      ["us", "r2"],
      ["ap", "r3"],
      ["sa", "r4"],
    ] as const)
      fed.admit(name, { region }).serve(name, "pay");
    fed.endpoint("eu", "pay", "pay-1", { zone: "a" }).endpoint("eu", "pay", "pay-2", { zone: "b" });
    const look = { self: vantage("eu", "r1", "a") };
    expect(order(view(fed, look))).toEqual(["0 eu/a", "1 eu/b", "1 eu2", "2 ap", "2 sa", "2 us"]);
    policy(fed, { regions: { r1: ["r4", "r2"] } });
    expect(order(view(fed, look))).toEqual(["0 eu/a", "1 eu/b", "1 eu2", "2 sa", "3 us", "4 ap"]);
    expect(order(view(fed, { self: vantage("eu", "r1", "b") }))[0]).toBe("0 eu/b");
  });

  it("puts explicit tiers before nearness", () => {
    const fed = policy(league(), { tiers: [["ap"], ["us"]] });
    expect(order(view(fed))).toEqual(["0 ap", "1 us", "2 eu/a"]);
  });

  it("takes the service's policy before the general one, and the importer's before the federation's", () => {
    const fed = policy(league(), { tiers: [["ap"]] }, "hub");
    expect(order(view(fed))[0]).toBe("0 ap");
    policy(fed, { tiers: [["us"]] }, "hub", "shop/pay");
    expect(order(view(fed))[0]).toBe("0 us");
    policy(fed, { threshold: 50 });
    expect(view(fed)).toMatchObject({ overprovisioning: 200 });
    expect(order(view(fed))[0]).toBe("0 eu/a");
    policy(fed, { threshold: 100 }, "eu", "shop/pay");
    expect(view(fed).overprovisioning).toBe(100);
  });

  it("has no gaps and does not depend on the order of events", () => {
    const cluster = fc.record({
      region: fc.constantFrom("r1", "r2", "r3"),
      state: fc.constantFrom("normal" as const, "stale" as const, "unreachable" as const, "lost" as const),
      healthy: fc.nat(3),
    });
    const tiers = fc.array(fc.array(fc.constantFrom("c1", "c2", "c3"), { maxLength: 2 }), { maxLength: 2 });
    fc.assert(
      fc.property(
        fc.array(cluster, { minLength: 1, maxLength: 6 }),
        tiers,
        fc.boolean(),
        (list, order, backwards) => {
          const build = (indexes: readonly number[]): ServicePortView => {
            const fed = new League();
            for (const index of indexes) fed.admit(`c${index}`, { region: list[index]!.region });
            for (const index of indexes) {
              fed.serve(`c${index}`, "pay", { healthy: list[index]!.healthy, total: 3 });
              if (index > 0) fed.link("c0", `c${index}`, list[index]!.state);
            }
            policy(fed, { tiers: order, regions: { r1: ["r2"] } }, "c0");
            return view(fed, { self: vantage("c0", "r1") });
          };
          const indexes = list.map((_, index) => index);
          const seen = build(indexes);
          const priorities = [...new Set(seen.localities.map(({ priority }) => priority))];
          expect(priorities).toEqual(priorities.map((_, index) => index));
          if (backwards) expect({ ...build([...indexes].reverse()) }).toMatchObject(comparable(seen));
        },
      ),
    );
  });
});

/** Gateway addresses of the fixture depend on the order of admission: compare without them. */
const comparable = ({ localities, exporters, conflicts }: ServicePortView) => ({
  exporters,
  conflicts,
  localities: localities.map(({ cluster, priority, reason, healthy, total }) => ({
    cluster,
    priority,
    reason,
    healthy,
    total,
  })),
});

describe("evidence", () => {
  it("unreachable: unhealthy here, but listed", () => {
    const fed = policy(league({ ready: 0 }).link("eu", "us", "unreachable"), {
      regions: { eu: ["us", "ap"] },
    });
    const seen = view(fed);
    const us = seen.localities.find(({ cluster }) => cluster === "us");
    expect(us?.endpoints.every(({ health }) => health === "unhealthy")).toBe(true);
    expect(shares(seen)).toEqual({ eu: 0, us: 0, ap: 100 });
    const elsewhere = view(fed, { self: vantage("ap") }).localities.find(({ cluster }) => cluster === "us");
    expect(elsewhere?.endpoints.map(({ health }) => health)).toEqual(["healthy"]);
  });

  it("stale: kept, and one priority back while another is well", () => {
    const fed = policy(league({ ready: 0 }).link("eu", "us", "stale"), { regions: { eu: ["us", "ap"] } });
    expect(order(view(fed))).toEqual(["0 eu/a", "1 ap", "1 us"]);
    expect(view(fed).localities[2]?.reason).toBe("failover target 1 of eu, stale: demoted by one");
    fed.link("eu", "ap", "lost");
    expect(order(view(fed))).toEqual(["0 eu/a", "1 us"]);
    expect(view(fed).localities[1]?.reason).toBe("failover target 1 of eu, stale");
    expect(shares(view(fed))).toEqual({ eu: 0, us: 100 });
  });

  it("lost: removed, its identity stays accepted", () => {
    const seen = view(league({ ready: 0 }).link("eu", "us", "lost"));
    expect(seen.localities.map(({ cluster }) => cluster)).toEqual(["eu", "ap"]);
    expect(seen.exporters.map(({ cluster }) => cluster)).toEqual(["ap", "eu", "us"]);
  });

  it("of the loss of all exporters leaves the service, so that callers fail fast", () => {
    const fed = new League().admit("eu").admit("us").serve("us", "pay").link("eu", "us", "lost");
    expect(view(fed).localities).toEqual([]);
  });

  it("decides the conflict by those that are alive", () => {
    const fed = new League().admit("eu").admit("us").admit("ap");
    fed.serve("us", "pay", { sinceMs: 1, ports: [HTTP] });
    fed.serve("ap", "pay", { sinceMs: 2, ports: [{ ...HTTP, protocol: "tcp" }] });
    expect(view(fed).port.protocol).toBe("http");
    fed.link("eu", "us", "lost");
    expect(view(fed).port.protocol).toBe("tcp");
  });
});

describe("drain", () => {
  it("moves a cluster's traffic away in every importer, its own included", () => {
    const fed = league().admit("us", { state: "draining" });
    const us = view(fed).localities.find(({ cluster }) => cluster === "us");
    expect(us).toMatchObject({ draining: true });
    expect(us?.endpoints.every(({ health }) => health === "draining")).toBe(true);
    const own = league().admit("eu", { state: "draining" });
    expect(shares(view(own)).eu).toBe(0);
  });

  it("leaves a draining cluster its own endpoints where nobody else can serve", () => {
    const fed = new League()
      .admit("eu", { state: "draining" })
      .serve("eu", "pay", { healthy: 1, exported: false });
    fed.endpoint("eu", "pay", "pay-1");
    expect(shares(view(fed)).eu).toBe(100);
  });
});

describe("hysteresis", () => {
  it("holds a returning local priority back for 30 s, and never starves the callers", () => {
    const memory = new FailbackMemory();
    const at = (fed: League, monotonicMs: number) => view(fed, { memory, monotonicMs });
    expect(shares(at(league(), 0)).eu).toBe(100);
    expect(shares(at(league({ ready: 0 }), 1000)).eu).toBe(0);
    const back = at(league(), 2000);
    expect(shares(back).eu).toBe(10);
    expect(back.localities[0]?.reason).toContain("returning");
    expect(memory.due(31_999)).toEqual([]);
    expect(memory.due(32_000)).toEqual([back.sni]);
    const alone = league();
    for (const peer of ["us", "ap"]) alone.link("eu", peer, "unreachable");
    expect(shares(at(alone, 3000)).eu).toBe(100);
    expect(shares(at(league(), 32_000)).eu).toBe(100);
  });
});

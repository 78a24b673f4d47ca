import { describe, expect, it } from "vitest";
import { affectedServices, serviceKeys } from "./affected.ts";
import { HTTP, League, NAMESPACE } from "./league.fixture.ts";
import { exportProblems, servingPorts, servingPortsOf } from "./serving-ports.ts";

const LEDGER = { name: "", port: 5432, protocol: "tcp" as const };

describe("serving ports", () => {
  it("are a cluster's own services with their local endpoints, whatever others export", () => {
    const fed = new League().admit("eu").admit("us");
    fed.serve("eu", "pay", { ports: [HTTP] }).serve("eu", "ledger", { ports: [LEDGER], exported: false });
    fed.serve("us", "pay").endpoint("eu", "pay", "pay-1").endpoint("eu", "pay", "pay-2", { ready: false });
    fed.endpoint("eu", "ledger", "ledger-1", { ports: { "p--5432": 15006 } });
    expect(servingPorts(fed, "eu")).toMatchObject([
      {
        service: "ledger",
        sni: "p--5432.ledger.shop.svc.lab.hansa",
        exported: false,
        endpoints: [{ id: "ledger-1" }],
      },
      {
        service: "pay",
        sni: "http.pay.shop.svc.lab.hansa",
        exported: true,
        callers: [],
        endpoints: [
          { id: "pay-1", health: "healthy" },
          { id: "pay-2", health: "unhealthy" },
        ],
      },
    ]);
    expect(servingPortsOf(fed, "eu", NAMESPACE, "pay")).toEqual(servingPorts(fed, "eu").slice(1));
    expect(servingPortsOf(fed, "eu", NAMESPACE, "none")).toEqual([]);
  });

  it("are TCP alone", () => {
    const udp = { ...HTTP, name: "udp", transport: "UDP" as const };
    const fed = new League().admit("eu").serve("eu", "pay", { ports: [udp, HTTP] });
    expect(servingPorts(fed, "eu").map(({ portKey }) => portKey)).toEqual(["http"]);
  });

  it("are never exported from the mesh's own namespace, without identities or with a name too long", () => {
    const fed = new League().admit("eu");
    const value = {
      type: "ClusterSetIP" as const,
      ports: [HTTP],
      serviceAccounts: ["x"],
      createdMs: 0,
      export: { sinceMs: 0, to: "all" as const },
    };
    fed.set("eu", "service/hansa-system/agent", value);
    fed.set("eu", "service/shop/nobody", { ...value, serviceAccounts: [] });
    fed.set("eu", "service/shop/long", { ...value, ports: [{ ...HTTP, name: "x".repeat(64) }] });
    expect(servingPorts(fed, "eu").map(({ service, exported }) => [service, exported])).toEqual([
      ["long", false],
      ["nobody", false],
    ]);
    expect(exportProblems(fed, "eu")).toMatchObject([
      { service: "long", code: "HSA4004", reason: "NameTooLong" },
    ]);
  });
});

describe("what a change concerns", () => {
  const fed = new League().admit("eu").admit("us").serve("us", "pay").serve("us", "cart").serve("eu", "pay");

  it("is the service of its key", () => {
    const changed = [
      "service/shop/pay",
      "load/shop/pay/http/us/a",
      "endpoint/bank/teller/x",
      "want/us",
      "bundle",
      "command/1",
      "operators",
      "hubkey",
      "",
    ];
    expect(
      affectedServices(
        changed.map((key) => ({ cluster: "us", key })),
        fed,
      ),
    ).toEqual([
      { namespace: "bank", name: "teller" },
      { namespace: "shop", name: "pay" },
    ]);
  });

  it.each([
    { cluster: "us", key: "gateway/gw" },
    { cluster: "ap", key: "link/us" },
  ])("is all services of the cluster whose gateway it is, or of which it is evidence: $key", (changed) => {
    expect(affectedServices([changed], fed)).toEqual([
      { namespace: "shop", name: "cart" },
      { namespace: "shop", name: "pay" },
    ]);
  });

  it.each(["membership/us", "policy/allow/shop/x", "identity/shop/web"])("is everything for %s", (key) => {
    expect(affectedServices([{ cluster: "hub", key }], fed)).toBe("all");
  });

  it("and an importer routes to what it serves and what is exported to it", () => {
    fed.serve("us", "secret", { to: ["ap"] }).serve("us", "own", { exported: false });
    const names = (importer: string) => serviceKeys(fed, importer).map(({ name }) => name);
    expect(names("eu")).toEqual(["cart", "pay"]);
    expect(names("us")).toEqual(["cart", "own", "pay", "secret"]);
  });
});

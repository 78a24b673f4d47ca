import type { ServicePort } from "@hansa/events";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { conflictCondition, portConflicts, serviceConflicts } from "./conflicts.ts";
import { HTTP, League, NAMESPACE } from "./league.fixture.ts";
import { exportersOf, mergePorts } from "./merge.ts";
import type { Sight } from "./reader.ts";

const WEB: ServicePort = { name: "web", port: 80, protocol: "http" };
const GRPC: ServicePort = { name: "grpc", port: 9000, protocol: "grpc" };

const seenBy = (fed: League, observer: string): Sight => ({ fed, observer });
const names = (fed: League, observer: string): string[] =>
  exportersOf(seenBy(fed, observer), NAMESPACE, "pay").map(({ cluster }) => cluster);

function merged(fed: League, observer: string) {
  const exporters = exportersOf(seenBy(fed, observer), NAMESPACE, "pay");
  const ports = mergePorts(exporters, exporters, "lab.hansa");
  const conflicts = [
    ...serviceConflicts(exporters),
    ...ports.flatMap((port) => portConflicts(exporters, ports, port)),
  ];
  return { ports, conflicts };
}

const league = (): League => new League().admit("ap").admit("eu").admit("us");

describe("exporters", () => {
  it("are the granted ones that export to the observer, oldest first", () => {
    const fed = league()
      .serve("ap", "pay", { sinceMs: 30 })
      .serve("eu", "pay", { sinceMs: 10, to: ["us"] })
      .serve("us", "pay", { sinceMs: 20 });
    expect(names(fed, "us")).toEqual(["eu", "us", "ap"]);
    expect(names(fed, "ap")).toEqual(["us", "ap"]);
    expect(names(fed, "eu")).toEqual(["eu", "us", "ap"]);
  });

  it("are no older than their admission, and by name where equally old", () => {
    const fed = new League()
      .admit("ap", { admittedMs: 50 })
      .admit("eu", { admittedMs: 40 })
      .admit("us", { admittedMs: 40 });
    for (const cluster of ["us", "eu", "ap"]) fed.serve(cluster, "pay", { sinceMs: 1 });
    expect(names(fed, "eu")).toEqual(["eu", "us", "ap"]);
  });

  it("are not those without identities, not those that left or were evicted", () => {
    const fed = league()
      .serve("ap", "pay", { serviceAccounts: [] })
      .serve("eu", "pay")
      .serve("us", "pay")
      .admit("us", { state: "evicted" });
    expect(names(fed, "eu")).toEqual(["eu"]);
    fed.admit("us", { state: "left" });
    expect(names(fed, "eu")).toEqual(["eu"]);
    fed.admit("us", { state: "draining" });
    expect(names(fed, "eu")).toEqual(["eu", "us"]);
  });

  it("leave a service that nobody exports to its own cluster", () => {
    const fed = league().serve("eu", "pay", { exported: false });
    expect(names(fed, "eu")).toEqual(["eu"]);
    expect(names(fed, "us")).toEqual([]);
    fed.serve("us", "pay");
    expect(names(fed, "eu")).toEqual(["us"]);
  });
});

describe("merged ports", () => {
  it("are the union, and each goes only to those that have it", () => {
    const fed = league()
      .serve("eu", "pay", { ports: [HTTP], sinceMs: 1 })
      .serve("us", "pay", { ports: [HTTP, GRPC], sinceMs: 2 });
    const { ports, conflicts } = merged(fed, "ap");
    expect(ports.map(({ portKey, exposedBy }) => [portKey, exposedBy])).toEqual([
      ["http", ["eu", "us"]],
      ["grpc", ["us"]],
    ]);
    expect(conflicts.map(({ message }) => message)).toEqual([
      "Conflicting ports. Using http:80/http from oldest export in eu. 1/2 clusters disagree.",
    ]);
  });

  it("with one number and two names are one port, named by the oldest and not served by the other", () => {
    const fed = league()
      .serve("eu", "pay", { ports: [HTTP], sinceMs: 1 })
      .serve("us", "pay", { ports: [WEB], sinceMs: 2 });
    const { ports, conflicts } = merged(fed, "ap");
    expect(ports.map(({ portKey, exposedBy }) => [portKey, exposedBy])).toEqual([["http", ["eu"]]]);
    expect(conflicts.map(({ field }) => field)).toEqual(["ports", "ports[http].name"]);
  });

  it("conflict where exporters disagree on protocol; TCP and HTTP are not mixed, HTTP and gRPC are", () => {
    const fed = league()
      .serve("eu", "pay", { ports: [HTTP], sinceMs: 1 })
      .serve("us", "pay", { ports: [{ ...HTTP, protocol: "tcp" }], sinceMs: 2 })
      .serve("ap", "pay", { ports: [{ ...HTTP, protocol: "grpc" }], sinceMs: 3 });
    const { ports, conflicts } = merged(fed, "ap");
    expect(ports.map(({ exposedBy }) => exposedBy)).toEqual([["ap", "eu"]]);
    expect(conflicts.find(({ field }) => field === "ports[http].protocol")?.message).toBe(
      "Conflicting ports[http].protocol. Using http from oldest export in eu. 2/3 clusters disagree.",
    );
  });

  it("sum up in one condition with sorted reasons", () => {
    const fed = league()
      .serve("eu", "pay", { ports: [HTTP], sinceMs: 1, type: "ClusterSetIP" })
      .serve("us", "pay", { ports: [GRPC], sinceMs: 2, type: "Headless" });
    expect(conflictCondition(merged(fed, "ap").conflicts)).toEqual({
      reason: "PortConflict,TypeConflict",
      message:
        "Conflicting type. Using ClusterSetIP from oldest export in eu. 1/2 clusters disagree. " +
        "Conflicting ports. Using http:80/http from oldest export in eu. 1/2 clusters disagree.",
    });
    expect(conflictCondition([])).toEqual({ reason: "NoConflicts", message: "" });
  });

  it("leave out a port whose name does not fit", () => {
    const fed = new League().admit("eu");
    fed.set("eu", `service/${NAMESPACE}/pay`, {
      type: "ClusterSetIP",
      ports: [{ name: "x".repeat(64), port: 1, protocol: "tcp" }],
      serviceAccounts: ["pay"],
      createdMs: 0,
      export: { sinceMs: 0, to: "all" },
    });
    expect(merged(fed, "eu").ports[0]?.exposedBy).toEqual([]);
  });
});

describe("order", () => {
  const port = fc.constantFrom(HTTP, WEB, GRPC, { ...HTTP, protocol: "tcp" as const });
  const offer = fc.record({
    ports: fc.uniqueArray(port, { minLength: 1, maxLength: 3, selector: ({ name }) => name }),
    sinceMs: fc.integer({ min: 0, max: 3 }),
    type: fc.constantFrom("ClusterSetIP" as const, "Headless" as const),
  });
  const offers = fc.array(offer, { minLength: 1, maxLength: 6 });

  it("does not matter: any order of members and events gives the same merge", () => {
    fc.assert(
      fc.property(offers, fc.array(fc.nat(), { minLength: 6, maxLength: 6 }), (list, keys) => {
        const build = (order: readonly number[]): string => {
          const fed = new League();
          for (const index of order) fed.admit(`c${index}`);
          for (const index of [...order].reverse()) fed.serve(`c${index}`, "pay", list[index]!);
          return JSON.stringify(merged(fed, "c0"));
        };
        const order = list.map((_, index) => index);
        const shuffled = [...order].sort((a, b) => keys[a]! - keys[b]! || a - b);
        expect(build(shuffled)).toBe(build(order));
      }),
    );
  });
});

import type { ClusterName } from "@hansa/core";
import type { ServiceExportValue, ServicePort, ServiceValue } from "@hansa/events";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { exportVerdict, importedNames, importedService } from "./imported-service.ts";
import { HTTP, League, NAMESPACE } from "./league.fixture.ts";

const league = (): League => new League().admit("ap").admit("eu").admit("us");
const imported = (fed: League, importer: string, lost: readonly string[] = []) =>
  importedService(
    { fed, importer: importer as ClusterName, isLost: (peer) => lost.includes(peer) },
    NAMESPACE,
    "pay",
  );
const verdict = (fed: League, observer: string) => exportVerdict({ fed, observer }, NAMESPACE, "pay");

const TCP: ServicePort = { name: "tcp", port: 42, protocol: "tcp" };
const UDP: ServicePort = { name: "udp", port: 42, protocol: "tcp", transport: "UDP" };

describe("an imported service", () => {
  it("is there while somebody exports it, at exporters too, with no pod and no identity", () => {
    const fed = league().serve("eu", "pay", { healthy: 0, serviceAccounts: [] });
    for (const importer of ["ap", "eu", "us"])
      expect(imported(fed, importer)?.clusters.map(({ cluster }) => cluster)).toEqual(["eu"]);
    expect(importedNames(fed, "us" as ClusterName)).toEqual([{ namespace: NAMESPACE, name: "pay" }]);
    fed.serve("eu", "pay", { exported: false });
    expect(imported(fed, "us")).toBeUndefined();
    expect(importedNames(fed, "us" as ClusterName)).toEqual([]);
  });

  it("has the shape of its oldest export", () => {
    const fed = league()
      .serve("us", "pay", { sinceMs: 2, type: "Headless" })
      .serve("eu", "pay", {
        sinceMs: 1,
        fields: {
          sessionAffinity: "ClientIP",
          clientIpTimeoutSeconds: 10,
          internalTrafficPolicy: "Local",
          trafficDistribution: "PreferClose",
          ipFamilies: ["IPv6", "IPv4"],
        },
        exportFields: { labels: { team: "pay" }, annotations: { note: "x" } },
      });
    expect(imported(fed, "ap")).toMatchObject({
      type: "ClusterSetIP",
      sessionAffinity: "ClientIP",
      clientIpTimeoutSeconds: 10,
      internalTrafficPolicy: "Local",
      trafficDistribution: "PreferClose",
      ipFamilies: ["IPv6", "IPv4"],
      labels: { team: "pay" },
      annotations: { note: "x" },
    });
  });

  it("has the union of ports; one number in two transports is two ports", () => {
    const fed = league()
      .serve("eu", "pay", { sinceMs: 1, ports: [TCP, UDP] })
      .serve("us", "pay", {
        sinceMs: 2,
        ports: [TCP, { ...TCP, name: "stcp", port: 142, transport: "SCTP" }],
      });
    expect(imported(fed, "ap")?.ports).toEqual([
      { name: "tcp", portKey: "tcp", port: 42, transport: "TCP" },
      { name: "udp", portKey: "udp", port: 42, transport: "UDP" },
      { name: "stcp", portKey: "stcp", port: 142, transport: "SCTP" },
    ]);
    expect(imported(fed, "ap")?.clusters.map(({ portKeys }) => portKeys)).toEqual([
      ["tcp", "udp"],
      ["tcp", "stcp"],
    ]);
    expect(verdict(fed, "ap")).toMatchObject({ reason: "PortConflict", clusters: ["eu", "us"] });
  });

  it("gives a port to those alone that have it under the same number", () => {
    const fed = league()
      .serve("eu", "pay", { sinceMs: 1, ports: [TCP] })
      .serve("us", "pay", { sinceMs: 2, ports: [{ ...TCP, port: 4242 }] });
    expect(imported(fed, "ap")?.ports.map(({ port }) => port)).toEqual([42]);
    expect(imported(fed, "ap")?.clusters.map(({ portKeys }) => portKeys)).toEqual([["tcp"], []]);
  });

  it("gives a port to those alone that have it in the same transport", () => {
    const fed = league()
      .serve("eu", "pay", { sinceMs: 1, ports: [{ ...TCP, name: "dns" }] })
      .serve("us", "pay", { sinceMs: 2, ports: [{ ...UDP, name: "dns" }] });
    expect(imported(fed, "ap")?.ports).toMatchObject([{ name: "dns", transport: "TCP" }]);
    expect(imported(fed, "ap")?.clusters.map(({ portKeys }) => portKeys)).toEqual([["dns"], []]);
  });

  it("lists endpoints by cluster with their own ports; none of a lost cluster, none ready of a drained one", () => {
    const fed = league()
      .serve("eu", "pay")
      .serve("us", "pay")
      .endpoint("eu", "pay", "1", { appPorts: { http: 8080, admin: 9000 }, hostname: "pay-0", zone: "-" })
      .endpoint("eu", "pay", "2", { ready: false, serving: true, terminating: true, address: "fd00::2" })
      .endpoint("us", "pay", "3");
    const of = (lost: readonly string[]) =>
      imported(fed, "ap", lost)?.clusters.map(({ reachable, endpoints }) => [reachable, endpoints.length]);
    expect(of([])).toEqual([
      [true, 2],
      [true, 1],
    ]);
    expect(of(["us"])).toEqual([
      [true, 2],
      [false, 0],
    ]);
    expect(imported(fed, "ap")?.clusters[0]?.endpoints).toMatchObject([
      {
        address: "10.1.1.1",
        family: "IPv4",
        hostname: "pay-0",
        ready: true,
        zone: "",
        ports: { http: 8080 },
      },
      { address: "fd00::2", family: "IPv6", ready: false, serving: true, terminating: true, zone: "a" },
    ]);
    fed.admit("eu", { state: "draining" });
    expect(imported(fed, "ap")?.clusters[0]?.endpoints.map(({ ready }) => ready)).toEqual([false, false]);
  });
});

describe("an export that is limited", () => {
  const to = (exportFields: Partial<ServiceExportValue>) => {
    const fed = new League()
      .admit("ap", { region: "asia", network: "flat" })
      .admit("eu", { region: "europe" })
      .admit("us", { region: "america" })
      .serve("eu", "pay", { to: [], exportFields });
    return ["ap", "eu", "us"].filter((importer) => imported(fed, importer) !== undefined);
  };

  it.each([
    ["to nobody", {}, ["eu"]],
    ["by name", { to: ["us"] }, ["eu", "us"]],
    [
      "by region",
      { toSelector: [{ key: "region.topology.k8s.io", operator: "In", values: ["asia"] }] },
      ["ap", "eu"],
    ],
    [
      "by all of several",
      {
        toSelector: [
          { key: "cluster.clusterset.k8s.io", operator: "NotIn", values: ["us"] },
          { key: "network.hansa.dev", operator: "Exists", values: [] },
        ],
      },
      ["ap", "eu"],
    ],
    [
      "by what is missing",
      { toSelector: [{ key: "network.hansa.dev", operator: "DoesNotExist", values: [] }] },
      ["eu", "us"],
    ],
    ["by an empty selector: to nobody", { toSelector: [] }, ["eu"]],
    [
      "by the importer's own value, which means nothing here: to nobody",
      { toSelector: [{ key: "region.topology.k8s.io", operator: "NotIn", values: ["@SameAsImporter@"] }] },
      ["eu"],
    ],
    [
      "by the importer's own value, the other way round: to nobody either",
      { toSelector: [{ key: "region.topology.k8s.io", operator: "In", values: ["@SameAsImporter@"] }] },
      ["eu"],
    ],
  ] as const)("is imported %s", (_name, fields, importers) => {
    expect(to(fields as Partial<ServiceExportValue>)).toEqual(importers);
  });

  it("is judged in every cluster alike", () => {
    const fed = league()
      .serve("eu", "pay", { sinceMs: 1, to: ["us"] })
      .serve("us", "pay", { sinceMs: 2, type: "Headless" });
    expect(imported(fed, "ap")?.type).toBe("Headless");
    expect(new Set(["ap", "eu", "us"].map((cluster) => JSON.stringify(verdict(fed, cluster)))).size).toBe(1);
    expect(verdict(fed, "ap").reason).toBe("TypeConflict");
  });
});

const CONFLICTS: readonly [string, string, Partial<ServiceValue>, Partial<ServiceExportValue>][] = [
  ["type", "TypeConflict", { type: "Headless" }, {}],
  ["ports", "PortConflict", { ports: [{ ...HTTP, appProtocol: "kubernetes.io/h2c" }] }, {}],
  [
    "sessionAffinity",
    "SessionAffinityConflict",
    { sessionAffinity: "ClientIP", clientIpTimeoutSeconds: 1 },
    {},
  ],
  ["internalTrafficPolicy", "InternalTrafficPolicyConflict", { internalTrafficPolicy: "Local" }, {}],
  ["trafficDistribution", "TrafficDistributionConflict", { trafficDistribution: "PreferClose" }, {}],
  ["ipFamilies", "IPFamilyConflict", { ipFamilies: ["IPv6"] }, {}],
  ["exportedLabels", "LabelsConflict", {}, { labels: { a: "b" } }],
  ["exportedAnnotations", "AnnotationsConflict", {}, { annotations: { a: "b" } }],
  [
    "clusterSelectors",
    "ClusterSelectorsConflict",
    {},
    { clusterSelectors: [[{ key: "gpu.example.com", operator: "Exists", values: [] }]] },
  ],
];

describe("the verdict on exports", () => {
  it.each(CONFLICTS)("names %s", (field, reason, fields, exportFields) => {
    const fed = league()
      .serve("eu", "pay", { sinceMs: 1, fields: { ipFamilies: ["IPv4"] } })
      .serve("us", "pay", { sinceMs: 2, fields: { ipFamilies: ["IPv4"], ...fields }, exportFields });
    expect(verdict(fed, "ap").reason).toBe(reason);
    expect(verdict(fed, "ap").message).toMatch(
      new RegExp(`^Conflicting ${field}\\. Using .+ from oldest export in eu\\. 1/2 clusters disagree\\.$`),
    );
  });

  it("compares affinity times where both have affinity, and families whatever their order", () => {
    const sticky = (seconds: number): Partial<ServiceValue> => ({
      sessionAffinity: "ClientIP",
      clientIpTimeoutSeconds: seconds,
    });
    const fed = league()
      .serve("eu", "pay", { sinceMs: 1, fields: { ...sticky(1), ipFamilies: ["IPv4", "IPv6"] } })
      .serve("us", "pay", { sinceMs: 2, fields: { ...sticky(2), ipFamilies: ["IPv6", "IPv4"] } });
    expect(verdict(fed, "ap").reason).toBe("SessionAffinityConfigConflict");
  });

  it("holds all fields at once with sorted reasons, and is cut where a value is long", () => {
    const all = Object.assign({}, ...CONFLICTS.map(([, , fields]) => fields)) as Partial<ServiceValue>;
    const exportFields = Object.assign({}, ...CONFLICTS.map(([, , , fields]) => fields));
    const fed = league()
      .serve("eu", "pay", {
        sinceMs: 1,
        fields: { ipFamilies: ["IPv4"] },
        exportFields: { annotations: { a: "x".repeat(10_000) } },
      })
      .serve("us", "pay", { sinceMs: 2, fields: all, exportFields });
    const { reason, message } = verdict(fed, "ap");
    expect(reason.split(",")).toEqual(CONFLICTS.map(([, name]) => name).sort());
    // Condition: at most 1024 and 32 768 characters (metav1.Condition).
    expect(reason.length).toBeLessThan(1024);
    expect(message.length).toBeLessThan(4096);
  });

  it("ends with the disagreement", () => {
    const fed = league().serve("eu", "pay", { sinceMs: 1 }).serve("us", "pay", { sinceMs: 2 });
    expect(verdict(fed, "ap")).toEqual({
      conflicts: [],
      reason: "NoConflicts",
      message: "",
      clusters: ["eu", "us"],
    });
  });
});

describe("order", () => {
  const offer = fc.record({
    sinceMs: fc.integer({ min: 0, max: 2 }),
    to: fc.constantFrom("all" as const, ["c0"], ["c1", "c2"]),
    ports: fc.uniqueArray(fc.constantFrom(HTTP, TCP, UDP, { ...TCP, port: 43 }), {
      minLength: 1,
      selector: ({ name }) => name,
    }),
    conflict: fc.constantFrom(...CONFLICTS),
  });

  it("plays no part in imports and verdicts, and every cluster comes to the same verdict", () => {
    fc.assert(
      fc.property(
        fc.array(offer, { minLength: 1, maxLength: 5 }),
        fc.array(fc.nat(), { minLength: 5, maxLength: 5 }),
        (offers, keys) => {
          const clusters = offers.map((_, index) => `c${index}`);
          const build = (order: readonly number[]): string[] => {
            const fed = new League();
            for (const index of order) fed.admit(`c${index}`);
            for (const index of [...order].reverse()) {
              const { conflict, ...options } = offers[index]!;
              fed.serve(`c${index}`, "pay", { ...options, fields: conflict[2], exportFields: conflict[3] });
            }
            const verdicts = new Set(clusters.map((cluster) => JSON.stringify(verdict(fed, cluster))));
            expect(verdicts.size).toBe(1);
            return [...verdicts, ...clusters.map((cluster) => JSON.stringify(imported(fed, cluster)))];
          };
          const order = offers.map((_, index) => index);
          expect(build([...order].sort((a, b) => keys[a]! - keys[b]! || a - b))).toEqual(build(order));
        },
      ),
    );
  });
});

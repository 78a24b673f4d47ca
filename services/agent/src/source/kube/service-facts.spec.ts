import { parseKey, prepareEvent, type RegisterEvent } from "@hansa/events";
import { describe, expect, it } from "vitest";
import {
  CREATED,
  endpointJson,
  exportJson,
  factsOf,
  podJson,
  port,
  serviceIn,
  serviceJson,
  sliceJson,
  value,
} from "./kube.fixture.ts";

describe("an exported Service", () => {
  it("says what imports need of it, and no more of its metadata than the export names", () => {
    const facts = factsOf({
      service: serviceJson({
        metadata: { labels: { secret: "x" }, annotations: { secret: "y" } },
        spec: {
          sessionAffinity: "ClientIP",
          sessionAffinityConfig: { clientIP: { timeoutSeconds: 10 } },
          trafficDistribution: "PreferClose",
          ipFamilies: ["IPv6", "IPv4"],
          ports: [
            port("tcp", 42),
            port("udp", 42, { protocol: "UDP" }),
            port("api", 80, { appProtocol: "kubernetes.io/h2c" }),
          ],
        },
      }),
      exported: exportJson({ spec: { exportedLabels: { team: "pay" }, exportedAnnotations: { note: "n" } } }),
    });
    expect(facts.validity).toEqual({ valid: true });
    expect(serviceIn(facts)).toEqual({
      type: "ClusterSetIP",
      ports: [
        { name: "tcp", port: 42, protocol: "tcp" },
        { name: "udp", port: 42, protocol: "tcp", transport: "UDP" },
        { name: "api", port: 80, protocol: "http2", appProtocol: "kubernetes.io/h2c" },
      ],
      serviceAccounts: [],
      createdMs: Date.parse(CREATED),
      export: {
        sinceMs: Date.parse(CREATED),
        to: "all",
        labels: { team: "pay" },
        annotations: { note: "n" },
      },
      sessionAffinity: "ClientIP",
      clientIpTimeoutSeconds: 10,
      internalTrafficPolicy: "Cluster",
      trafficDistribution: "PreferClose",
      ipFamilies: ["IPv6", "IPv4"],
    });
  });

  it.each([
    ["NodePort", { type: "NodePort" }, "ClusterSetIP"],
    ["LoadBalancer", { type: "LoadBalancer" }, "ClusterSetIP"],
    ["headless", { clusterIP: "None", clusterIPs: ["None"] }, "Headless"],
  ])("of type %s", (_name, spec, type) => {
    expect(serviceIn(factsOf({ service: serviceJson({ spec }) }))).toMatchObject({ type });
  });

  it("has only registers that the log takes", () => {
    const { facts } = factsOf({
      slices: [sliceJson([endpointJson("p1", "10.0.0.1")])],
      pods: [podJson("p1")],
    });
    for (const { type, key, value: data } of facts) {
      expect(parseKey(key)?.type).toBe(type);
      expect(prepareEvent({ type, v: 1, key, at: 1, data } as RegisterEvent)).toMatchObject({
        event: { key },
      });
    }
  });
});

describe("endpoints", () => {
  const states = [
    endpointJson("p1", "10.0.0.1"),
    endpointJson("p2", "10.0.0.2", { conditions: { ready: false, serving: false } }),
    endpointJson("p3", "10.0.0.3", { conditions: { ready: false, serving: true, terminating: true } }),
    endpointJson("p4", "10.0.0.4", { zone: "c", hostname: "pay-4", conditions: {} }),
  ];
  const pods = ["p1", "p2", "p3", "p4"].map((name) => podJson(name));

  it("are counted where they stand: ready is healthy, unready is wanted, terminating is nothing", () => {
    const facts = factsOf({ slices: [sliceJson(states)], pods });
    expect(value(facts, "load/shop/pay/http/eu-west-1/b")).toEqual({
      healthy: 1,
      total: 2,
      desired: 2,
      weight: 1,
    });
    expect(value(facts, "load/shop/pay/http/eu-west-1/c")).toEqual({
      healthy: 1,
      total: 1,
      desired: 1,
      weight: 1,
    });
    expect(value(facts, "endpoint/shop/pay/10.0.0.3")).toMatchObject({
      ready: false,
      serving: true,
      terminating: true,
    });
    expect(value(facts, "endpoint/shop/pay/10.0.0.4")).toEqual({
      address: "10.0.0.4",
      ports: { http: 15_006 },
      appPorts: { http: 8080 },
      hostname: "pay-4",
      ready: true,
      region: "eu-west-1",
      zone: "c",
      weight: 1,
      serviceAccount: "pay",
      workload: "p4",
    });
  });

  it("without a proxy are known, and not dialled; without a pod too", () => {
    const manual = { addresses: ["10.0.0.9"] };
    const facts = factsOf({
      slices: [sliceJson([endpointJson("p1", "10.0.0.1"), manual])],
      pods: [podJson("p1", { meshed: false })],
    });
    expect(value(facts, "endpoint/shop/pay/10.0.0.1")).toMatchObject({ ports: {}, appPorts: { http: 8080 } });
    expect(value(facts, "endpoint/shop/pay/10.0.0.9")).toMatchObject({
      ports: {},
      serviceAccount: "-",
      zone: "a",
    });
    expect(facts.facts.filter(({ type }) => type === "LoadSet")).toEqual([]);
    expect(facts.unmeshedCount).toBe(2);
    expect(facts.serviceAccounts).toEqual(["pay"]);
  });

  it("in a zone that is not the cluster's are in none", () => {
    const slices = [sliceJson([endpointJson("p1", "10.0.0.1", { zone: "elsewhere" })])];
    const facts = factsOf({ slices, pods: [podJson("p1")] });
    expect(value(facts, "endpoint/shop/pay/10.0.0.1")).toMatchObject({ zone: "-" });
    expect(value(facts, "load/shop/pay/http/eu-west-1/-")).toMatchObject({ healthy: 1 });
  });

  it.each([[["IPv6", "IPv4"]], [["IPv4", "IPv6"]]])(
    "of a dual-stack pod of a Service of %j are counted once, by the family that its proxy takes",
    (ipFamilies) => {
      const facts = factsOf({
        service: serviceJson({ spec: { ipFamilies } }),
        slices: [
          sliceJson([endpointJson("p1", "10.0.0.1")]),
          sliceJson([endpointJson("p1", "fd00::1")], { name: "pay-x2", body: { addressType: "IPv6" } }),
        ],
        pods: [podJson("p1")],
      });
      expect(value(facts, "load/shop/pay/http/eu-west-1/b")).toMatchObject({ healthy: 1, total: 1 });
      expect(value(facts, "endpoint/shop/pay/10.0.0.1")).toMatchObject({ ports: { http: 15_006 } });
      expect(value(facts, "endpoint/shop/pay/fd00::1")).toMatchObject({ ports: {} });
      expect(facts.unmeshedCount).toBe(0);
    },
  );

  it("named by two slices are one, with the ports of both; ready if one says so", () => {
    const slices = [
      sliceJson([endpointJson("p1", "10.0.0.1", { conditions: { ready: false } })], { name: "pay-a" }),
      sliceJson([endpointJson("p1", "10.0.0.1")], {
        name: "pay-b",
        body: { ports: [{ name: "admin", port: 9000 }] },
      }),
    ];
    const input = {
      service: serviceJson({ spec: { ports: [port("http", 80), port("admin", 81)] } }),
      pods: [podJson("p1")],
    };
    const facts = factsOf({ ...input, slices });
    expect(value(facts, "endpoint/shop/pay/10.0.0.1")).toMatchObject({
      ready: true,
      appPorts: { http: 8080, admin: 9000 },
    });
    expect(factsOf({ ...input, slices: slices.toReversed() })).toEqual(facts);
  });

  it("that are no address of their family are left out", () => {
    const slices = [sliceJson([endpointJson("p1", "fd00::1"), endpointJson("p1", "host.example.com")])];
    expect(factsOf({ slices }).facts.map(({ type }) => type)).toEqual(["ServiceSet"]);
  });
});

import { parseKey, prepareEvent, type RegisterEvent } from "@hansa/events";
import { describe, expect, it } from "vitest";
import { CREATED, endpointJson, exportJson, PLACE, podJson, serviceJson, sliceJson } from "./kube.fixture.ts";
import { projectExport, projectPod, projectService, projectSlice } from "./objects.ts";
import { type ServiceFacts, serviceFacts } from "./service-facts.ts";

interface Cluster {
  readonly service?: object | null;
  readonly exported?: object;
  readonly slices?: readonly object[];
  readonly pods?: readonly object[];
  readonly place?: object;
}

function factsOf({
  service = serviceJson(),
  exported = exportJson(),
  slices = [],
  pods = [],
  place,
}: Cluster) {
  const known = new Map(pods.map((pod) => [projectPod(pod as never).name, projectPod(pod as never)]));
  return serviceFacts(
    {
      object: projectExport(exported as never)!,
      service: service === null ? undefined : projectService(service as never),
      slices: slices.flatMap((slice) => projectSlice(slice as never) ?? []),
      podOf: (_namespace, name) => known.get(name),
    },
    { ...PLACE, ...place },
  );
}

const value = (facts: ServiceFacts, key: string) => facts.facts.find((fact) => fact.key === key)?.value;
const service = (facts: ServiceFacts) => value(facts, "service/shop/pay");
const reason = (cluster: Cluster) => {
  const { facts, validity } = factsOf(cluster);
  return validity.valid ? "Valid" : [validity.reason, facts.length];
};
const port = (name: string, number: number, more: object = {}) => ({
  name,
  port: number,
  protocol: "TCP",
  ...more,
});

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
    expect(service(facts)).toEqual({
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
    expect(service(factsOf({ service: serviceJson({ spec }) }))).toMatchObject({ type });
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

  it("of a dual-stack pod are counted once, by the Service's first family", () => {
    const facts = factsOf({
      service: serviceJson({ spec: { ipFamilies: ["IPv6", "IPv4"] } }),
      slices: [
        sliceJson([endpointJson("p1", "10.0.0.1")]),
        sliceJson([endpointJson("p1", "fd00::1")], { name: "pay-x2", body: { addressType: "IPv6" } }),
      ],
      pods: [podJson("p1")],
    });
    expect(value(facts, "load/shop/pay/http/eu-west-1/b")).toMatchObject({ healthy: 1, total: 1 });
    expect(value(facts, "endpoint/shop/pay/10.0.0.1")).toMatchObject({ ports: {} });
    expect(value(facts, "endpoint/shop/pay/fd00::1")).toMatchObject({ ports: { http: 15_006 } });
  });

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

const many = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, "v"]));
const options = (annotations: Record<string, string>) => exportJson({ metadata: { annotations } });

describe("an export that cannot be honoured is not valid, and yields no fact", () => {
  it.each<[string, Cluster, string]>([
    ["no Service", { service: null }, "NoService"],
    ["ExternalName", { service: serviceJson({ spec: { type: "ExternalName" } }) }, "InvalidServiceType"],
    ["the mesh's own namespace", { exported: exportJson({ namespace: "hansa-system" }) }, "SystemNamespace"],
    ["a name that is no label", { exported: exportJson({ name: "a.b" }) }, "InvalidName"],
    [
      "a port out of range",
      { service: serviceJson({ spec: { ports: [port("http", 70_000)] } }) },
      "InvalidPort",
    ],
    ["a port name with --", { service: serviceJson({ spec: { ports: [port("a--b", 80)] } }) }, "InvalidPort"],
    [
      "a port given twice",
      { service: serviceJson({ spec: { ports: [port("a", 80), port("b", 80)] } }) },
      "InvalidPort",
    ],
    [
      "too many ports",
      {
        service: serviceJson({
          spec: { ports: Array.from({ length: 101 }, (_, n) => port(`p${n}`, n + 1)) },
        }),
      },
      "InvalidPort",
    ],
    [
      "a name that gets too long",
      { place: { federation: `${"f".repeat(60)}.${"g".repeat(60)}.${"h".repeat(60)}.${"i".repeat(60)}` } },
      "NameTooLong",
    ],
    [
      "too many labels",
      { exported: exportJson({ spec: { exportedLabels: many(65) } }) },
      "InvalidExportedMetadata",
    ],
    [
      "a label that is none",
      { exported: exportJson({ spec: { exportedLabels: { a: "b c" } } }) },
      "InvalidExportedMetadata",
    ],
    [
      "too much metadata",
      { exported: exportJson({ spec: { exportedAnnotations: { a: "x".repeat(16_384) } } }) },
      "InvalidExportedMetadata",
    ],
    [
      "more than an event holds",
      {
        exported: exportJson({ spec: { exportedAnnotations: { a: "\u0800".repeat(16_000) } } }),
        service: serviceJson({
          spec: {
            ports: Array.from({ length: 100 }, (_, n) =>
              port(`p${n}`, n + 1, { appProtocol: "a".repeat(300) }),
            ),
          },
        }),
      },
      "DoesNotFit",
    ],
    [
      "a cluster that is no name",
      { exported: options({ "hansa.dev/export-to": "us, E U" }) },
      "InvalidExportTo",
    ],
    [
      "a selector that is no JSON",
      { exported: options({ "hansa.dev/export-to-selector": "region=x" }) },
      "InvalidExportTo",
    ],
    ["an empty selector", { exported: options({ "hansa.dev/export-to-selector": "{}" }) }, "InvalidExportTo"],
    [
      "a selector that speaks of the importer",
      {
        exported: options({
          "hansa.dev/export-to-selector": JSON.stringify({ matchProperties: { "a.b": "@SameAsImporter@" } }),
        }),
      },
      "InvalidExportTo",
    ],
    [
      "an empty cluster selector",
      { exported: exportJson({ spec: { clusterSelectors: [{ propertySelector: {} }] } }) },
      "InvalidClusterSelector",
    ],
    [
      "a headless Service with cluster selectors",
      {
        service: serviceJson({ spec: { clusterIPs: ["None"] } }),
        exported: exportJson({
          spec: { clusterSelectors: [{ propertySelector: { matchProperties: { "a.b": "c" } } }] },
        }),
      },
      "InvalidServiceType",
    ],
    [
      "more service accounts than can be named",
      {
        slices: [sliceJson(Array.from({ length: 65 }, (_, n) => endpointJson(`p${n}`, `10.0.1.${n}`)))],
        pods: Array.from({ length: 65 }, (_, n) => podJson(`p${n}`, { account: `sa-${n}` })),
      },
      "TooManyServiceAccounts",
    ],
  ])("%s", (_name, cluster, expected) => {
    expect(reason(cluster)).toEqual([expected, 0]);
  });
});

describe("who an export is for", () => {
  const reach = (annotations: Record<string, string>, exportTo: "all" | "none" = "all") =>
    (service(factsOf({ exported: options(annotations), place: { exportTo } })) as { export: object }).export;

  it("is everybody, or nobody where the cluster says so, unless it names them", () => {
    expect(reach({})).toMatchObject({ to: "all" });
    expect(reach({}, "none")).toMatchObject({ to: [] });
    expect(reach({ "hansa.dev/export-to": "us, ap,us" })).toMatchObject({ to: ["ap", "us"] });
    expect(reach({ "hansa.dev/export-to": "" })).toMatchObject({ to: [] });
  });

  it("is who the selector selects, and nobody else by name", () => {
    const selector = {
      matchProperties: { "region.topology.k8s.io": "asia" },
      matchExpressions: [{ key: "network.hansa.dev", operator: "Exists" }],
    };
    expect(reach({ "hansa.dev/export-to-selector": JSON.stringify(selector) })).toMatchObject({
      to: [],
      toSelector: [
        { key: "region.topology.k8s.io", operator: "In", values: ["asia"] },
        { key: "network.hansa.dev", operator: "Exists", values: [] },
      ],
    });
  });

  it("carries the preference of KEP-5939, from the field or the annotation", () => {
    const clusterSelectors = [
      { propertySelector: { matchProperties: { "cluster.clusterset.k8s.io": "us" } } },
    ];
    const expected = [[{ key: "cluster.clusterset.k8s.io", operator: "In", values: ["us"] }]];
    const field = factsOf({ exported: exportJson({ spec: { clusterSelectors } }) });
    expect(service(field)).toMatchObject({ export: { clusterSelectors: expected } });
    expect(
      reach({
        "hansa.dev/cluster-selectors": JSON.stringify(clusterSelectors),
        "hansa.dev/cluster-selectors-fallback": "None",
      }),
    ).toMatchObject({ clusterSelectors: expected, selectorsFallback: "None" });
  });
});

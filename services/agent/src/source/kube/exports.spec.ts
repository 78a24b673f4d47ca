/** Which exports can be honoured, and who they are for. */
import { describe, expect, it } from "vitest";
import {
  type Cluster,
  endpointJson,
  exportJson,
  factsOf,
  podJson,
  port,
  serviceIn,
  serviceJson,
  sliceJson,
} from "./kube.fixture.ts";

const reason = (cluster: Cluster) => {
  const { facts, validity } = factsOf(cluster);
  return validity.valid ? "Valid" : [validity.reason, facts.length];
};
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
    (serviceIn(factsOf({ exported: options(annotations), place: { exportTo } })) as { export: object })
      .export;

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
    expect(serviceIn(field)).toMatchObject({ export: { clusterSelectors: expected } });
    expect(
      reach({
        "hansa.dev/cluster-selectors": JSON.stringify(clusterSelectors),
        "hansa.dev/cluster-selectors-fallback": "None",
      }),
    ).toMatchObject({ clusterSelectors: expected, selectorsFallback: "None" });
  });
});

import { readFileSync } from "node:fs";
import { HansaError } from "@hansa/core";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { fileSourceOf } from "./file-source.ts";
import { growTopology } from "./grow.ts";
import { parseTopology } from "./parse.ts";

const defaultText = readFileSync(new URL("./default.yaml", import.meta.url), "utf8");

function problemOf(text: string): string {
  try {
    parseTopology(text, "t.yaml");
  } catch (error) {
    expect(error).toBeInstanceOf(HansaError);
    expect((error as HansaError).code).toBe("HSA1002");
    return (error as HansaError).message;
  }
  throw new Error("the topology was accepted");
}

describe("the default topology", () => {
  const topology = parseTopology(defaultText, "default.yaml");

  it("is the documented shop", () => {
    expect(topology.clusters.map((cluster) => [cluster.name, cluster.region])).toEqual([
      ["eu", "eu-west-1"],
      ["us", "us-east-1"],
      ["ap", "ap-south-1"],
    ]);
    const exportedFrom = Object.fromEntries(
      topology.services.map((service) => [service.name, service.exportedFrom.length]),
    );
    expect(exportedFrom).toEqual({ pay: 3, cart: 2, catalog: 1, ledger: 1, quote: 1, vault: 0 });
  });

  it("grows by copies of its last cluster and shrinks to its first", () => {
    const five = growTopology(topology, 5);
    expect(five.clusters.map((cluster) => cluster.name)).toEqual(["eu", "us", "ap", "c4", "c5"]);
    expect(five.services.find((service) => service.name === "ledger")?.exportedFrom).toEqual([
      "ap",
      "c4",
      "c5",
    ]);
    const two = growTopology(topology, 2);
    expect(two.services.find((service) => service.name === "ledger")?.exportedFrom).toEqual([]);
    expect(two.failover[0]?.regions).toEqual({
      "eu-west-1": ["us-east-1"],
      "us-east-1": ["eu-west-1"],
      "ap-south-1": ["eu-west-1", "us-east-1"],
    });
  });

  it("tells an agent only of what runs in its cluster", () => {
    const replica = {
      namespace: "shop",
      workload: "pay",
      id: "pay-1",
      address: "127.16.3.10",
      zone: "ap-south-1a",
      ready: false,
    };
    const source = parse(fileSourceOf(topology, "ap", [replica], new Map([["shop/pay", 4]])));
    expect(source.services.map((service: { name: string }) => service.name)).toEqual(["pay", "ledger"]);
    expect(source.workloads[0]).toMatchObject({
      name: "pay",
      desired: 4,
      replicas: [{ id: "pay-1", ready: false }],
    });
  });
});

describe("a wrong topology", () => {
  it.each([
    [
      "a cluster name that is no label",
      "federation: a.b\nclusters: [{ name: EU, region: r }]",
      /t\.yaml:2: clusters\[0\]\.name: must be a lower-case/,
    ],
    ["a reserved cluster name", "federation: a.b\nclusters: [{ name: hub, region: r }]", /reserved/],
    [
      "a federation of one label",
      "federation: a\nclusters: [{ name: eu, region: r }]",
      /t\.yaml:1: federation: .*two labels/,
    ],
    [
      "an unknown key",
      "federation: a.b\nclusters: [{ name: eu, region: r, zone: x }]",
      /clusters\[0\]: Unrecognized key: "zone"/,
    ],
    [
      "a cluster twice",
      "federation: a.b\nclusters: [{ name: eu, region: r }, { name: eu, region: r }]",
      /clusters\[1\]\.name: .*twice/,
    ],
    ["broken YAML", "federation: [", /t\.yaml: /],
    ["nothing", "", /federation/],
    [
      "an export from where nothing runs",
      "federation: a.b\nclusters: [{ name: eu, region: r }]\nservices: [{ name: s, namespace: n, ports: [{ name: http, port: 80, protocol: http }], exportedFrom: [eu] }]",
      /services\[0\]\.exportedFrom\[0\]: no workload serves s in eu/,
    ],
    [
      "a workload of an unknown service and cluster",
      "federation: a.b\nclusters: [{ name: eu, region: r }]\nworkloads: [{ name: w, namespace: n, services: [x], replicas: { us: 1 } }]",
      /workloads\[0\]\.services\[0\]: no service is named n\/x[\s\S]*workloads\[0\]\.replicas\.us: no cluster is named us/,
    ],
    [
      "an allow for an unknown service",
      "federation: a.b\nclusters: [{ name: eu, region: r }]\nallows: [{ from: { cluster: eu, namespace: n, serviceAccount: s }, to: n/x }]",
      /allows\[0\]\.to: no service is named n\/x/,
    ],
    [
      "a threshold of 0",
      "federation: a.b\nclusters: [{ name: eu, region: r }]\nfailover: [{ threshold: 0 }]",
      /failover\[0\]\.threshold/,
    ],
    [
      "an unknown failover region",
      "federation: a.b\nclusters: [{ name: eu, region: r }]\nfailover: [{ regions: { r: [q] } }]",
      /no cluster is in region q/,
    ],
  ])("%s is refused with its place", (_case, text, message) => expect(problemOf(text)).toMatch(message));
});

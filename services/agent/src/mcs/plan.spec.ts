import type { Write } from "@hansa/kube";
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import type { ServedImport } from "./imports.ts";
import { endpoint, MemoryServer, served } from "./mcs.fixture.ts";
import { type Plan, planService, type ServiceState } from "./plan.ts";
import { desiredSlices, ENDPOINTS_PER_SLICE_MAX } from "./slices.ts";

const context = {
  version: "v1beta1" as const,
  hash: (text: string) => `h${text.length}-${sum(text)}`,
  now: "2026-11-23T15:00:00Z",
  slices: "all" as "all" | "headless" | "none",
};
const sum = (text: string): number =>
  [...text].reduce((total, char, at) => (total + char.charCodeAt(0) * (at + 1)) % 1e9, 0);

let server: MemoryServer;
beforeEach(() => {
  server = new MemoryServer();
});

const state = (wanted: ServedImport | undefined, more: Partial<ServiceState> = {}): ServiceState => ({
  namespace: "shop",
  name: "pay",
  served: wanted,
  assigned: undefined,
  actual: server.import(),
  slices: server.slices(),
  exported: undefined,
  ...more,
});

/** Plans and writes until there is nothing left to write; answers the rounds. */
function settle(wanted: ServedImport | undefined, more: Partial<ServiceState> = {}): Write[][] {
  const rounds: Write[][] = [];
  for (;;) {
    const { writes } = planService(state(wanted, more), context);
    if (writes.length === 0) return rounds;
    rounds.push([...writes]);
    server.run(writes);
    expect(rounds.length).toBeLessThan(4);
  }
}

const verbs = (writes: readonly Write[]): string[] =>
  writes.map(({ kind, target: { resource, name, subresource } }) =>
    [kind, resource.plural, name, ...(subresource === undefined ? [] : [subresource])].join(" "),
  );
const addresses = (): string[] =>
  server
    .slices()
    .flatMap(({ slice: { cluster, endpoints } }) =>
      endpoints.map((each) => `${cluster} ${each.addresses[0]}`),
    )
    .sort();

describe("an import", () => {
  it("is written, then its status and slices, then nothing", () => {
    const rounds = settle(served({ eu: [endpoint("10.0.0.1", { hostname: "pay-0" })], us: [] }));
    expect(rounds.map(verbs)).toEqual([
      ["apply serviceimports pay"],
      ["apply serviceimports pay status", "apply endpointslices pay.eu.v4.0"],
    ]);
    expect(server.objects.get("serviceimports shop/pay")).toMatchObject({
      metadata: { labels: { "app.kubernetes.io/managed-by": "hansa" } },
      spec: {
        type: "ClusterSetIP",
        ips: ["10.250.0.9"],
        ipFamilies: ["IPv4"],
        ports: [{ name: "http", port: 80, protocol: "TCP" }],
        sessionAffinity: "None",
      },
      status: {
        clusters: [{ cluster: "eu" }, { cluster: "us" }],
        conditions: [{ type: "Ready", status: "True", reason: "Ready", observedGeneration: 1 }],
      },
    });
    expect(server.objects.get("endpointslices shop/pay.eu.v4.0")).toMatchObject({
      addressType: "IPv4",
      metadata: {
        labels: {
          "multicluster.kubernetes.io/service-name": "pay",
          "multicluster.kubernetes.io/source-cluster": "eu",
          "endpointslice.kubernetes.io/managed-by": "mcs.hansa.dev",
        },
        ownerReferences: [{ kind: "ServiceImport", name: "pay", uid: "uid-1" }],
      },
      ports: [{ name: "http", port: 8080, protocol: "TCP" }],
      endpoints: [{ addresses: ["10.0.0.1"], hostname: "pay-0", zone: "a", conditions: { ready: true } }],
    });
  });

  it("says all that the oldest export says, and nothing of affinity where it is headless", () => {
    const fields: Partial<ServedImport> = {
      sessionAffinity: "ClientIP",
      clientIpTimeoutSeconds: 10,
      internalTrafficPolicy: "Local",
      trafficDistribution: "PreferClose",
      labels: { team: "pay" },
      annotations: { note: "x" },
      ports: [{ name: "", portKey: "p--53", port: 53, transport: "UDP", appProtocol: "dns" }],
    };
    settle(served({ eu: [] }, fields));
    expect(server.objects.get("serviceimports shop/pay")).toMatchObject({
      metadata: { labels: { team: "pay" }, annotations: { note: "x" } },
      spec: {
        ports: [{ port: 53, protocol: "UDP", appProtocol: "dns" }],
        sessionAffinity: "ClientIP",
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 10 } },
        internalTrafficPolicy: "Local",
        trafficDistribution: "PreferClose",
      },
    });
    settle(served({ eu: [] }, { ...fields, type: "Headless", ips: [] }));
    const { spec } = server.objects.get("serviceimports shop/pay") as { spec: object };
    expect(Object.keys(spec).sort()).toEqual([
      "internalTrafficPolicy",
      "ipFamilies",
      "ports",
      "trafficDistribution",
      "type",
    ]);
  });

  it("is applied again where somebody changed it, or a label is no longer exported, and not where they added", () => {
    settle(served({ eu: [] }, { labels: { team: "pay" } }));
    const object = server.objects.get("serviceimports shop/pay") as {
      metadata: { labels: object };
      spec: object;
    };
    server.objects.set("serviceimports shop/pay", {
      ...object,
      spec: { ...object.spec, more: 1 },
      metadata: { ...object.metadata, labels: { ...object.metadata.labels, their: "own" } },
    });
    expect(settle(served({ eu: [] }, { labels: { team: "pay" } }))).toEqual([]);
    expect(settle(served({ eu: [] })).map(verbs)).toEqual([["apply serviceimports pay"]]);
    server.objects.set("serviceimports shop/pay", {
      ...object,
      metadata: { ...object.metadata, labels: { "app.kubernetes.io/managed-by": "hansa" } },
    });
    expect(settle(served({ eu: [] }, { labels: { team: "pay" } })).map(verbs)).toEqual([
      ["apply serviceimports pay"],
    ]);
    server.objects.set("serviceimports shop/pay", { ...object, spec: { ...object.spec, type: "Headless" } });
    expect(settle(served({ eu: [] })).map(verbs)).toEqual([["apply serviceimports pay"]]);
  });

  it("goes with its last export, slices and all", () => {
    settle(served({ eu: [endpoint("10.0.0.1")] }));
    expect(settle(undefined)).toMatchObject([
      [
        { kind: "delete", target: { namespace: "shop", name: "pay" }, uid: "uid-1" },
        { kind: "delete", target: { namespace: "shop", name: "pay.eu.v4.0" }, uid: "uid-2" },
      ],
    ]);
    expect(server.objects.size).toBe(0);
  });

  it("that Hansa did not make is left alone, and told", () => {
    const metadata = {
      namespace: "shop",
      name: "pay",
      uid: "x",
      labels: { "app.kubernetes.io/managed-by": "other" },
    };
    server.objects.set("serviceimports shop/pay", { metadata, spec: { type: "Headless" } });
    expect(planService(state(served({ eu: [endpoint("10.0.0.1")] })), context)).toEqual({
      writes: [],
      foreign: true,
    } satisfies Plan);
    expect(planService(state(undefined), context)).toEqual({ writes: [], foreign: false } satisfies Plan);
  });

  it("without an address says why", () => {
    const ready = (assigned: ServiceState["assigned"]) => {
      settle(served({ eu: [] }, { ips: [], ipFamilies: [] }), { assigned });
      return server.import()?.conditions[0];
    };
    expect(ready({ ips: [], ipFamilies: [], exhausted: ["IPv4"], unsupported: [] })).toMatchObject({
      status: "False",
      reason: "Pending",
    });
    expect(ready({ ips: [], ipFamilies: [], exhausted: [], unsupported: ["IPv6"] })).toMatchObject({
      status: "False",
      reason: "IPFamilyNotSupported",
    });
    expect(
      ready({ ips: ["10.250.0.9"], ipFamilies: ["IPv4"], exhausted: [], unsupported: ["IPv6"] }),
    ).toMatchObject({ status: "True" });
  });
});

describe("its slices", () => {
  const range = (count: number, from = 0) =>
    Array.from({ length: count }, (_, index) =>
      endpoint(`10.0.${Math.floor((from + index) / 250)}.${(from + index) % 250}`),
    );

  it("hold one cluster, one family and one set of ports each", () => {
    const endpoints = [
      endpoint("10.0.0.1"),
      endpoint("fd00::1"),
      endpoint("10.0.0.2", { ports: { http: 9090 } }),
    ];
    settle(served({ eu: endpoints, us: [endpoint("10.1.0.1")] }, { ipFamilies: ["IPv4", "IPv6"] }));
    expect(
      server.slices().map(({ slice: { name, family, ports } }) => [name, family, ports[0]?.port]),
    ).toEqual([
      ["pay.eu.v4.0", "IPv4", 8080],
      ["pay.eu.v4.1", "IPv4", 9090],
      ["pay.eu.v6.0", "IPv6", 8080],
      ["pay.us.v4.0", "IPv4", 8080],
    ]);
  });

  it("change only where an endpoint does", () => {
    const all = range(350);
    settle(served({ eu: all }));
    expect(server.slices().map(({ slice: { endpoints } }) => endpoints.length)).toEqual([100, 100, 100, 50]);
    const without = all.filter((_, index) => index !== 10);
    expect(settle(served({ eu: without })).map(verbs)).toEqual([["apply endpointslices pay.eu.v4.0"]]);
    expect(settle(served({ eu: [endpoint("9.0.0.1"), ...without] })).map(verbs)).toEqual([
      ["apply endpointslices pay.eu.v4.0"],
    ]);
    const unready = without.map((each, index) => (index === 200 ? { ...each, ready: false } : each));
    expect(settle(served({ eu: unready }))).toHaveLength(1);
    expect(settle(served({ eu: [] })).map((round) => round.map(({ kind }) => kind))).toEqual([
      Array(4).fill("delete"),
    ]);
  });

  it("are written for those imports alone for which they are wanted", () => {
    const count = (slices: "all" | "headless" | "none", type: ServedImport["type"]): number => {
      server = new MemoryServer();
      for (let round = 0; round < 2; round += 1) {
        const wanted = served({ eu: [endpoint("10.0.0.1")] }, { type });
        server.run(planService(state(wanted), { ...context, slices }).writes);
      }
      return server.slices().length;
    };
    expect([
      count("all", "ClusterSetIP"),
      count("headless", "ClusterSetIP"),
      count("none", "Headless"),
    ]).toEqual([1, 0, 0]);
    expect(count("headless", "Headless")).toBe(1);
    expect(server.objects.get("serviceimports shop/pay")).toMatchObject({
      status: { endpointSliceObjects: "Present" },
    });
  });

  it("are named apart whatever the parts hold", () => {
    const nameOf = (name: string, cluster: string) =>
      desiredSlices(served({ [cluster]: [endpoint("10.0.0.1")] }, { name }), [], "u").map(
        (slice) => slice.name,
      );
    expect(nameOf("a-b", "c")).not.toEqual(nameOf("a", "b-c"));
  });
});

describe("any history", () => {
  const some = fc.uniqueArray(
    fc.record({ n: fc.nat(300), ready: fc.boolean(), port: fc.constantFrom(1, 2), v6: fc.boolean() }),
    { maxLength: 250, selector: ({ n, v6 }) => `${n} ${v6}` },
  );
  const wanted = fc.option(fc.record({ eu: some, us: some }), { nil: undefined });

  it("settles, and then shows exactly what is wanted, in slices of bounded size", () => {
    fc.assert(
      fc.property(fc.array(wanted, { minLength: 1, maxLength: 5 }), (history) => {
        server = new MemoryServer();
        let last: ServedImport | undefined;
        for (const step of history) {
          const made = (list: readonly { n: number; ready: boolean; port: number; v6: boolean }[]) =>
            list.map(({ n, ready, port, v6 }) =>
              endpoint(v6 ? `fd00::${n.toString(16)}` : `10.0.${n >> 8}.${n & 255}`, {
                ready,
                ports: { http: port },
              }),
            );
          last =
            step === undefined
              ? undefined
              : served({ eu: made(step.eu), us: made(step.us) }, { ipFamilies: ["IPv4", "IPv6"] });
          settle(last);
        }
        const expected = (last?.clusters ?? []).flatMap(({ cluster, endpoints }) =>
          endpoints.map(({ address }) => `${cluster} ${address}`),
        );
        expect(addresses()).toEqual(expected.sort());
        for (const {
          slice: { endpoints },
        } of server.slices())
          expect(endpoints.length).toBeLessThanOrEqual(ENDPOINTS_PER_SLICE_MAX);
      }),
      { numRuns: 30 },
    );
  });
});

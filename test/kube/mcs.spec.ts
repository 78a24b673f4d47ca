/** The MCS API between clusters with real API servers, agents, NATS and hub (KEP-1645, federation §10.1). */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { McsRig, namespace, poolOf, service, serviceExport, slice } from "./mcs-rig.ts";

let rig: McsRig;

beforeAll(async () => {
  rig = await McsRig.start(["eu", "us"]);
  await Promise.all([rig.apply("eu", namespace("shop")), rig.apply("us", namespace("shop"))]);
}, 120_000);
afterAll(() => rig?.stop());

const clusters = (found: { status?: { clusters?: readonly { cluster: string }[] } } | undefined): string[] =>
  (found?.status?.clusters ?? []).map(({ cluster }) => cluster);

describe("a Service that eu exports", () => {
  it("is imported by both, with eu's properties and an address of each cluster's own range", async () => {
    const spec = {
      sessionAffinity: "ClientIP",
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 10 } },
      internalTrafficPolicy: "Cluster",
      trafficDistribution: "PreferClose",
      ports: [
        { name: "tcp", port: 42, protocol: "TCP", appProtocol: "example.com/hello" },
        { name: "udp", port: 42, protocol: "UDP" },
      ],
    };
    await rig.apply("eu", service("hello", spec), slice("hello", ["10.241.0.7", "10.241.0.8"]));
    await rig.apply(
      "eu",
      serviceExport("hello", { exportedLabels: { team: "pay" }, exportedAnnotations: { note: "n" } }),
    );
    for (const name of ["eu", "us"] as const) {
      const found = await rig.import(name, "hello", (each) => clusters(each).length === 1);
      expect(found.spec).toMatchObject({ ...spec, type: "ClusterSetIP", ipFamilies: ["IPv4"] });
      expect(found.spec.ips).toEqual([
        expect.stringMatching(`^${poolOf(name).split(".").slice(0, 2).join("\\.")}\\.`),
      ]);
      expect(found.metadata.labels).toMatchObject({ team: "pay" });
      expect(found.metadata.labels).not.toHaveProperty("secret");
      expect(clusters(found)).toEqual(["eu"]);
      expect(found.status?.conditions).toMatchObject([{ type: "Ready", status: "True" }]);
    }
  });

  it("says so in its conditions", async () => {
    const ready = await rig.condition("eu", "hello", "Ready=True/Exported");
    await rig.condition("eu", "hello", "Valid=True/Valid");
    await rig.condition("eu", "hello", "Conflict=False/NoConflicts");
    expect(ready).toMatchObject({
      observedGeneration: 1,
      lastTransitionTime: expect.stringMatching(/^20.*Z$/),
    });
  });

  it("has EndpointSlices with the MCS labels in both, owned by the import", async () => {
    for (const name of ["eu", "us"] as const) {
      const owner = await rig.import(name, "hello");
      await expect
        .poll(() => rig.list(name, "endpointslice", "multicluster.kubernetes.io/service-name=hello"), {
          timeout: 20_000,
        })
        .toHaveLength(1);
      const [found] = await rig.list(name, "endpointslice", "multicluster.kubernetes.io/service-name=hello");
      expect(found?.metadata.labels).toMatchObject({
        "multicluster.kubernetes.io/source-cluster": "eu",
        "endpointslice.kubernetes.io/managed-by": "mcs.hansa.dev",
      });
      expect(found?.metadata.ownerReferences).toMatchObject([
        { kind: "ServiceImport", uid: owner.metadata.uid },
      ]);
      expect(found?.ports).toMatchObject([{ name: "tcp", port: 4242 }]);
      expect(found?.endpoints?.map(({ addresses, hostname }) => [addresses[0], hostname])).toEqual([
        ["10.241.0.7", "hello-0"],
        ["10.241.0.8", "hello-1"],
      ]);
    }
  });

  it("is written once: nothing changes while nothing changes", async () => {
    const seen = async () => [
      (await rig.import("us", "hello")).metadata.resourceVersion,
      (await rig.get("eu", "serviceexport", "hello"))?.metadata.resourceVersion,
    ];
    const before = await seen();
    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect(await seen()).toEqual(before);
  });

  it("keeps its address in us when us's agent restarts without its record, and when the import is deleted", async () => {
    const { ips } = (await rig.import("us", "hello")).spec;
    rmSync(join(rig.agents.dataDir("us"), "cluster-set-ips.json"));
    await rig.agents.restart("us");
    await new Promise((resolve) => setTimeout(resolve, 2000));
    expect((await rig.import("us", "hello")).spec.ips).toEqual(ips);
    await rig.delete("us", "serviceimport", "hello");
    const again = await rig.import("us", "hello", ({ spec }) => spec.ips !== undefined);
    expect(again.spec.ips).toEqual(ips);
  });

  it("is nobody's any more once it is not exported, slices and all", async () => {
    await rig.delete("eu", "serviceexport", "hello");
    await Promise.all([rig.noImport("eu", "hello"), rig.noImport("us", "hello")]);
    for (const name of ["eu", "us"] as const)
      await expect
        .poll(() => rig.list(name, "endpointslice", "multicluster.kubernetes.io/service-name=hello"), {
          timeout: 20_000,
        })
        .toEqual([]);
  });
});

describe("a Service that both export", () => {
  it("is one; where they disagree the older wins and both are told", async () => {
    await rig.apply("eu", service("both"), serviceExport("both"));
    await rig.import("us", "both");
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await rig.apply(
      "us",
      // Without a selector the API server makes a headless Service dual-stack, which is a conflict of its own.
      service("both", {
        clusterIP: "None",
        ipFamilyPolicy: "SingleStack",
        ports: [{ name: "tcp", port: 43, protocol: "TCP" }],
      }),
      serviceExport("both"),
    );
    for (const name of ["eu", "us"] as const) {
      const { message } = await rig.condition(name, "both", "Conflict=True/PortConflict,TypeConflict");
      expect(message).toBe(
        "Conflicting type. Using ClusterSetIP from oldest export in eu. 1/2 clusters disagree. " +
          "Conflicting ports. Using tcp:42/tcp from oldest export in eu. 1/2 clusters disagree.",
      );
      const found = await rig.import(name, "both", (each) => clusters(each).length === 2);
      expect(found.spec).toMatchObject({ type: "ClusterSetIP", ports: [{ name: "tcp", port: 42 }] });
    }
  });

  it("stays while one of them exports it, and takes its shape", async () => {
    await rig.delete("eu", "serviceexport", "both");
    const found = await rig.import("eu", "both", ({ spec }) => spec.type === "Headless");
    expect(found.spec.ips).toBeUndefined();
    await rig.condition("us", "both", "Conflict=False/NoConflicts");
    await rig.delete("us", "serviceexport", "both");
    await Promise.all([rig.noImport("eu", "both"), rig.noImport("us", "both")]);
  });
});

describe("an export that cannot be honoured", () => {
  const described = (name: string): Promise<string> =>
    rig.kube.cluster("eu").kubectl.ok(["-n", "shop", "describe", "serviceexport", name]);

  it.each([
    [
      "of an ExternalName",
      { type: "ExternalName", externalName: "example.com", ports: [] },
      "InvalidServiceType",
    ],
    ["without its Service", undefined, "NoService"],
  ] as const)("%s says why, and is imported nowhere", async (_name, spec, reason) => {
    const name = `bad-${reason.toLowerCase()}`;
    if (spec !== undefined) await rig.apply("eu", service(name, spec));
    await rig.apply("eu", serviceExport(name));
    await rig.condition("eu", name, `Valid=False/${reason}`);
    expect(await rig.get("us", "serviceimport", name)).toBeUndefined();
    await expect.poll(() => described(name), { timeout: 10_000 }).toMatch(`Warning  ${reason}`);
  });

  it("becomes valid with its Service", async () => {
    await rig.apply("eu", service("bad-noservice"));
    await rig.condition("eu", "bad-noservice", "Valid=True/Valid");
    await rig.import("us", "bad-noservice");
    await expect.poll(() => described("bad-noservice"), { timeout: 10_000 }).toMatch(/Normal +Valid/);
  });
});

describe("a namespace", () => {
  it("that us does not have gets no import there, until it has", async () => {
    await rig.apply("eu", namespace("late"), service("late/pay"), serviceExport("late/pay"));
    await rig.condition("eu", "late/pay", "Ready=True/Exported");
    await rig.import("eu", "late/pay");
    await rig.apply("us", namespace("late"));
    await rig.import("us", "late/pay");
  });

  it("that eu was not granted is not exported, and the export says so", async () => {
    await rig.apply("eu", namespace("private"), service("private/pay"), serviceExport("private/pay"));
    const { message } = await rig.condition("eu", "private/pay", "Ready=False/Failed");
    expect(message).toContain("HSA3006");
    expect(await rig.get("eu", "serviceimport", "private/pay")).toBeUndefined();
  });
});

describe("Hansa's own custom resources", () => {
  const allow = (field: string) => ({
    apiVersion: "hansa.dev/v1alpha1",
    kind: "AllowPolicy",
    metadata: { namespace: "shop", name: "web-pay" },
    spec: { service: "pay", from: [{ cluster: "us", namespace: "shop", [field]: "web" }] },
  });
  const gateway = { apiVersion: "hansa.dev/v1alpha1", kind: "MeshGateway", metadata: { name: "east" } };
  const policiesInUs = async () => JSON.stringify(await rig.agents.get("us", "/v1/policies"));

  it("are told to the other clusters, and what became of them to whoever wrote them", async () => {
    await rig.apply("eu", allow("serviceAccount"), {
      ...gateway,
      spec: { addresses: ["10.241.0.99"], port: 15_443 },
    });
    await rig.condition("eu", "web-pay", "Accepted=True/Accepted", "allowpolicy");
    await rig.condition("eu", "east", "Accepted=True/Accepted", "meshgateway");
    await expect.poll(policiesInUs, { timeout: 10_000 }).toContain("web-pay");
  });
});

describe("an agent that has not read the logs", () => {
  it("writes nothing, and catches up once it has", async () => {
    await rig.apply("eu", service("quiet"), serviceExport("quiet"));
    await rig.import("us", "quiet");
    await rig.agents.hub.nats.kill();
    await rig.delete("eu", "serviceexport", "quiet");
    await rig.agents.restart("us");
    await rig.delete("us", "serviceimport", "quiet");
    await new Promise((resolve) => setTimeout(resolve, 3000));
    // It is known from the disk, and so would be made again.
    expect(await rig.get("us", "serviceimport", "quiet")).toBeUndefined();
    expect(await rig.get("us", "serviceimport", "late/pay")).toBeDefined();
    await rig.agents.hub.startNats();
    await rig.noImport("eu", "quiet");
    await rig.apply("eu", service("again"), serviceExport("again"));
    await rig.import("us", "again");
    expect(await rig.get("us", "serviceimport", "quiet")).toBeUndefined();
  });
});

describe("an export for some only", () => {
  it("is imported by those alone", async () => {
    await rig.apply("eu", service("some"), serviceExport("some", {}, { "hansa.dev/export-to": "ap" }));
    await rig.condition("eu", "some", "Ready=True/Exported");
    await rig.import("eu", "some");
    expect(await rig.get("us", "serviceimport", "some")).toBeUndefined();
    const selector = JSON.stringify({ matchProperties: { "region.topology.k8s.io": "us-east-1" } });
    await rig.apply("eu", serviceExport("some", {}, { "hansa.dev/export-to-selector": selector }));
    await rig.import("us", "some");
  });
});

describe("a ServiceImport that somebody else made", () => {
  it("is left as it is", async () => {
    const theirs = {
      apiVersion: "multicluster.x-k8s.io/v1beta1",
      kind: "ServiceImport",
      metadata: { namespace: "shop", name: "theirs" },
      spec: { type: "Headless", ports: [] },
    };
    await rig.apply("us", theirs);
    await rig.apply("eu", service("theirs"), serviceExport("theirs"));
    await rig.import("eu", "theirs");
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect((await rig.get("us", "serviceimport", "theirs"))?.spec.type).toBe("Headless");
    expect(await rig.agents.metrics("us")).toMatch(/hansa_foreign_service_imports 1/);
  });
});

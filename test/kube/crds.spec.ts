/** The CRDs on a real API server: taken as they are, and each of their rules has an object that it refuses. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { type Kube, startKube } from "../../deploy/tools/kube/kube.ts";
import { root } from "../../deploy/tools/paths.mjs";
import {
  allowOutcome,
  failoverOutcome,
  gatewayOutcome,
} from "../../services/agent/src/source/kube/policies.ts";
import {
  POLICY_KINDS,
  type PolicyObjectKind,
  projectPolicy,
} from "../../services/agent/src/source/kube/policy-objects.ts";

const files = globSync("deploy/crds/*.yaml", { cwd: root }).sort();
const crds = files.map((file) => parse(readFileSync(join(root, file), "utf8")) as Crd);

interface Crd {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly names: { readonly kind: string; readonly shortNames: readonly string[] };
    readonly versions: readonly { readonly name: string; readonly schema: unknown }[];
  };
}

type Spec = Readonly<Record<string, unknown>>;
const object = (kind: string, spec: Spec, name = "pay") => ({
  apiVersion: "hansa.dev/v1alpha1",
  kind,
  metadata: { name, ...(kind === "MeshGateway" ? {} : { namespace: "default" }) },
  spec,
});
const caller = { cluster: "eu", namespace: "shop", serviceAccount: "web" };
const allow = (change: Spec = {}) => object("AllowPolicy", { service: "pay", from: [caller], ...change });
const failover = (change: Spec = {}, name?: string) => object("FailoverPolicy", change, name);
const gateway = (change: Spec = { addresses: ["10.0.0.1"] }, name?: string) =>
  object("MeshGateway", { port: 15_443, ...change }, name);

const accepted = {
  "a caller by name": allow(),
  "any caller of a cluster": allow({ from: [{ ...caller, namespace: "*", serviceAccount: "*" }] }),
  "a gateway of the mesh as caller": allow({
    from: [{ ...caller, namespace: "hansa-system", serviceAccount: "gateway" }],
  }),
  "a policy of defaults": failover(),
  "tiers and regions": failover({
    threshold: 50,
    tiers: [["eu", "us"], ["ap"]],
    regions: { "eu-west-1": ["us-east-1", "ap-south-1"] },
    hysteresisPercent: 0,
    hysteresisSeconds: 3600,
  }),
  "a gateway by Service": gateway({ service: { namespace: "hansa-system", name: "gw" } }),
  "addresses of both families, and a host name": gateway({
    addresses: ["10.0.0.1", "fd00::1", "gw-1.eu.example.com"],
  }),
};

/** What is refused, and the words that say why. */
const refused: Readonly<Record<string, readonly [object: object, says: string]>> = {
  "a caller twice": [allow({ from: [caller, caller] }), "duplicate entries for key"],
  nobody: [allow({ from: [] }), "should have at least 1 items"],
  "a caller without account": [
    allow({ from: [{ cluster: "eu", namespace: "shop" }] }),
    "serviceAccount: Required",
  ],
  "a pattern in a name": [allow({ from: [{ ...caller, namespace: "shop-*" }] }), "should match"],
  "a service of another namespace": [allow({ service: "bank/pay" }), "should match"],
  "a policy for what is no service": [
    failover({}, "pay.shop"),
    "the name must be that of a service, a label of at most 63 characters",
  ],
  "a cluster in two tiers": [
    failover({ tiers: [["eu"], ["us", "eu"]] }),
    "a cluster may stand in one tier only",
  ],
  "a cluster twice in a tier": [failover({ tiers: [["eu", "eu"]] }), "duplicate entries for key"],
  "too many tiers": [
    failover({ tiers: Array.from({ length: 17 }, (_, at) => [`c${at}`]) }),
    "must have at most 16 items",
  ],
  "a threshold of nothing": [failover({ threshold: 0 }), "should be greater than or equal to 1"],
  "a threshold beyond all": [failover({ threshold: 101 }), "should be less than or equal to 100"],
  "a wait of more than an hour": [
    failover({ hysteresisSeconds: 3601 }),
    "should be less than or equal to 3600",
  ],
  "a region that is no label": [
    failover({ regions: { EU_1: ["us-east-1"] } }),
    "a region is a label of at most 63 characters",
  ],
  "a region that stands in for itself": [
    failover({ regions: { "eu-west-1": ["us-east-1", "eu-west-1"] } }),
    "a region cannot stand in for itself",
  ],
  "a gateway's name with a dot": [
    gateway(undefined, "gw.eu"),
    "the name must be a label of at most 63 characters",
  ],
  "a gateway nowhere": [gateway({}), "give service or addresses, one of them"],
  "a gateway in two places": [
    gateway({ addresses: ["10.0.0.1"], service: { namespace: "a", name: "b" } }),
    "give service or addresses, one of them",
  ],
  "an address of no shape": [
    gateway({ addresses: ["10.0.0"] }),
    "must be an IP address or a host name with a domain, in lower case",
  ],
  "a name without a domain": [
    gateway({ addresses: ["gateway"] }),
    "must be an IP address or a host name with a domain, in lower case",
  ],
  "a loopback address": [
    gateway({ addresses: ["127.0.0.1"] }),
    "no other cluster can reach a loopback, link-local, multicast or unspecified address",
  ],
  "a link-local address": [gateway({ addresses: ["fe80::1"] }), "no other cluster can reach"],
  "an unspecified address": [gateway({ addresses: ["0.0.0.0"] }), "no other cluster can reach"],
  "a port beyond all": [
    gateway({ addresses: ["10.0.0.1"], port: 65_536 }),
    "should be less than or equal to 65535",
  ],
};

interface Shown {
  readonly kind: PolicyObjectKind;
}

/** What the agent makes of an object that the API server has taken. */
function outcomeOf(taken: Shown & Readonly<Record<string, unknown>>) {
  const policy = projectPolicy(taken.kind, taken);
  if (policy === undefined) throw new Error("it is being deleted");
  if (policy.kind === "AllowPolicy") return allowOutcome(policy);
  if (policy.kind === "FailoverPolicy") return failoverOutcome(policy);
  const found = () => ["192.0.2.1"];
  const ofService = (_key: string, port: number) => ({ kind: "found", addresses: found(), port }) as const;
  return gatewayOutcome(policy, { region: "r", isReady: true, ofService, resolve: found }, []);
}

/** Messages of all CEL rules in a schema. */
function rules(schema: unknown): string[] {
  if (typeof schema !== "object" || schema === null) return [];
  return Object.entries(schema).flatMap(([key, value]) =>
    key === "x-kubernetes-validations"
      ? (value as { message: string }[]).map(({ message }) => message)
      : rules(value),
  );
}

describe("custom resources", () => {
  let kube: Kube;
  const kubectl = () => kube.cluster("eu").kubectl;
  const apply = (manifest: object, ...args: string[]) =>
    kubectl().run(["apply", "--server-side", ...args, "-f", "-"], { stdin: JSON.stringify(manifest) });

  beforeAll(async () => {
    kube = await startKube({ clusters: ["eu"] });
    await kubectl().ok(["apply", "--server-side", ...files.flatMap((file) => ["-f", join(root, file)])]);
    const names = crds.map(({ metadata }) => `crd/${metadata.name}`);
    await kubectl().ok(["wait", "--for=condition=Established", "--timeout=20s", ...names]);
  });
  afterAll(() => kube?.close());

  it("are structural, and take their names", async () => {
    const { items } = JSON.parse(await kubectl().ok(["get", "crd", "-o", "json"]));
    expect(items).toHaveLength(crds.length);
    for (const { metadata, status } of items) {
      const states = status.conditions.map(({ type, status }: Record<string, string>) => `${type}=${status}`);
      expect(states.sort(), metadata.name).toEqual(["Established=True", "NamesAccepted=True"]);
    }
  });

  it("applied again, change nothing", async () => {
    const again = await kubectl().ok([
      "diff",
      "--server-side",
      ...files.flatMap((file) => ["-f", join(root, file)]),
    ]);
    expect(again).toBe("");
  });

  it.each(Object.entries(accepted))("%s is taken, and is in force", async (_what, manifest) => {
    const { stdout, stderr } = await apply(manifest, "--dry-run=server", "-o", "json");
    expect(stderr).toBe("");
    expect(outcomeOf(JSON.parse(stdout))).toMatchObject({ kind: "accepted", message: "" });
  });

  it("stand in the documentation as they are taken", async () => {
    const [, page = ""] =
      /^```yaml\n(.*?)^```/ms.exec(readFileSync(join(root, "docs/policies.md"), "utf8")) ?? [];
    const shown = parseAllDocuments(page).map((document) => document.toJS() as Shown);
    for (const namespace of ["shop", "hansa-system"]) await kubectl().ok(["create", "namespace", namespace]);
    for (const manifest of shown)
      expect(await apply(manifest, "--dry-run=server")).toMatchObject({ code: 0 });
    expect(new Set(shown.map(({ kind }) => kind))).toEqual(new Set(POLICY_KINDS));
  });

  it.each(Object.entries(refused))("%s is refused", async (_what, [manifest, says]) => {
    const { code, stderr } = await apply(manifest, "--dry-run=server");
    expect([code, stderr]).toEqual([1, expect.stringContaining(says)]);
  });

  it("have no rule that nothing shows", () => {
    const shown = Object.values(refused).map(([, says]) => says);
    const all = crds.flatMap(({ spec }) => spec.versions.flatMap(({ schema }) => rules(schema)));
    expect(all.length).toBeGreaterThan(5);
    expect(all.filter((message) => !shown.includes(message))).toEqual([]);
  });

  it("fill in what was not said", async () => {
    await apply(failover());
    const read = await kubectl().ok(["get", "failover", "pay", "-o", "jsonpath={.spec}"]);
    expect(JSON.parse(read)).toEqual({ threshold: 70, hysteresisPercent: 10, hysteresisSeconds: 30 });
  });

  it("answer to their short names, together to hansa, with columns that tell how they are", async () => {
    await apply(allow());
    await apply(gateway({ addresses: ["10.0.0.1", "fd00::1"] }, "gw"));
    const condition = (type: string) => ({
      type,
      status: "True",
      reason: type,
      message: "",
      lastTransitionTime: "2026-11-23T12:00:00Z",
      observedGeneration: 1,
    });
    const status = { addresses: ["10.0.0.1"], conditions: [condition("Accepted"), condition("Ready")] };
    const told = await apply(
      { ...gateway(undefined, "gw"), spec: undefined, status },
      "--subresource=status",
      "--field-manager=hansa-status",
    );
    expect(told.stderr).toBe("");
    const [head, row] = (await kubectl().ok(["get", "mgw"])).trim().split("\n");
    expect(head?.split(/\s{2,}/).map((column) => column.trim())).toEqual([
      "NAME",
      "ADDRESSES",
      "PORT",
      "ACCEPTED",
      "READY",
      "AGE",
    ]);
    expect(row).toMatch(/^gw +\["10\.0\.0\.1"\] +15443 +True +True /);
    expect(await kubectl().ok(["get", "allow", "-o", "name"])).toBe("allowpolicy.hansa.dev/pay\n");
    const all = await kubectl().ok(["get", "hansa", "-A", "-o", "name"]);
    expect(all.trim().split("\n").sort()).toEqual([
      "allowpolicy.hansa.dev/pay",
      "failoverpolicy.hansa.dev/pay",
      "meshgateway.hansa.dev/gw",
    ]);
  });

  it("keep status and spec apart", async () => {
    const status = { conditions: [] };
    await apply({ ...allow(), status: { conditions: [{ type: "Accepted" }] } });
    expect(await kubectl().ok(["get", "allow", "pay", "-o", "jsonpath={.status}"])).toBe("");
    await apply(
      { ...allow({ service: "other" }), status },
      "--subresource=status",
      "--field-manager=hansa-status",
    );
    expect(await kubectl().ok(["get", "allow", "pay", "-o", "jsonpath={.spec.service}"])).toBe("pay");
  });

  it.each(["v1alpha1", "v1beta1"])(
    "of the MCS API are served as %s, and read the same in the other",
    async (version) => {
      const other = version === "v1beta1" ? "v1alpha1" : "v1beta1";
      const name = `pay-${version}`;
      const metadata = { name, namespace: "default" };
      const apiVersion = `multicluster.x-k8s.io/${version}`;
      const spec = {
        type: "ClusterSetIP",
        ips: ["10.250.0.1", "fd42::1"],
        ipFamilies: ["IPv4", "IPv6"],
        ports: [{ name: "http", port: 80, protocol: "TCP", appProtocol: "kubernetes.io/h2c" }],
        sessionAffinity: "ClientIP",
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 10 } },
        internalTrafficPolicy: "Local",
        trafficDistribution: "PreferClose",
      };
      const exported = { exportedLabels: { a: "b" }, exportedAnnotations: { c: "d" } };
      expect(await apply({ apiVersion, kind: "ServiceImport", metadata, spec })).toMatchObject({ code: 0 });
      expect(await apply({ apiVersion, kind: "ServiceExport", metadata, spec: exported })).toMatchObject({
        code: 0,
      });
      const read = async (kind: string) =>
        JSON.parse(
          await kubectl().ok([
            "get",
            `${kind}.${other}.multicluster.x-k8s.io`,
            name,
            "-o",
            "jsonpath={.spec}",
          ]),
        );
      expect([await read("serviceimports"), await read("serviceexports")]).toEqual([spec, exported]);
      const wrong = { apiVersion, kind: "ServiceImport", metadata, spec: { ...spec, type: "ExternalName" } };
      expect((await apply(wrong, "--dry-run=server")).stderr).toContain("supported values");
    },
  );

  it("of the MCS API answer to svcim and svcex", async () => {
    expect(await kubectl().ok(["get", "svcim,svcex", "-o", "name"])).toContain(
      "serviceimport.multicluster.x-k8s.io/pay-v1beta1",
    );
  });
});

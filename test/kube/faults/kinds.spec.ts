/** Kinds of objects in a version that the agent does not know: nothing is withdrawn, it says what is wrong, and goes on once it is mended. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { kinds } from "../../../deploy/tools/kube/kinds.ts";
import { McsRig, namespace, service, serviceExport, slice } from "../mcs-rig.ts";
import { endpointsOf, statusOf, withdrawn } from "./sight.ts";

/** A write that was refused is tried again after half a minute. */
const WAIT = { timeout: 60_000, interval: 100 };
const MCS = ["serviceexports.multicluster.x-k8s.io", "serviceimports.multicluster.x-k8s.io"];
const POLICIES = ["allowpolicies.hansa.dev"];
let rig: McsRig;

beforeAll(async () => {
  rig = await McsRig.start(["eu", "us"]);
  await Promise.all([rig.apply("eu", namespace("shop")), rig.apply("us", namespace("shop"))]);
  await rig.apply("eu", service("pay"), slice("pay", ["10.241.0.1"]), serviceExport("pay"));
  await rig.apply("eu", allow);
  await rig.condition("eu", "web-pay", "Accepted=True/Accepted", "allowpolicy");
  await rig.import("us", "pay");
}, 120_000);
afterAll(() => rig?.stop());

const allow = {
  apiVersion: "hansa.dev/v1alpha1",
  kind: "AllowPolicy",
  metadata: { namespace: "shop", name: "web-pay" },
  spec: { service: "pay", from: [{ cluster: "us", namespace: "shop", serviceAccount: "web" }] },
};

interface Crd {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly versions: readonly Readonly<Record<string, unknown>>[] };
}
const crds = parseAllDocuments(kinds()).map((one) => one.toJS() as Crd);

/** Those kinds in `eu` as a newer release would define them: version v2 is stored, and the older ones are served or not. */
async function newer(names: readonly string[], olderServed: boolean): Promise<void> {
  const changed = crds
    .filter(({ metadata }) => names.includes(metadata.name))
    .map(({ spec, ...crd }) => {
      const older = spec.versions.map((version) => ({ ...version, served: olderServed, storage: false }));
      const v2 = { ...spec.versions.at(-1), name: "v2", served: true, storage: true };
      return JSON.stringify({ ...crd, spec: { ...spec, versions: [...older, v2] } });
    });
  const { kubectl } = rig.kube.cluster("eu");
  await kubectl.ok(["apply", "--server-side", "--force-conflicts", "-f", "-"], {
    stdin: changed.join("\n---\n"),
  });
}
const problems = async () => (await statusOf(rig, "eu")).source.problems.join("\n");
const policiesInUs = async () => JSON.stringify(await rig.agents.get("us", "/v1/policies?cluster=eu"));

describe("a newer version of the kinds", () => {
  it("is no matter while the one that the agent reads is served too", async () => {
    await newer([...MCS, ...POLICIES], true);
    await rig.apply("eu", slice("pay", ["10.241.0.2"]));
    await expect.poll(() => endpointsOf(rig, "us", "eu"), WAIT).toEqual(["shop/pay 10.241.0.2"]);
    await rig.apply("eu", service("second"), serviceExport("second"));
    await rig.import("us", "second");
    await rig.condition("eu", "second", "Ready=True/Exported");
    // Watches of before are over: each kind is listed once more.
    await expect.poll(problems, WAIT).toBe("");
  });

  it("alone is told by kind; nothing is withdrawn, and endpoints go on", async () => {
    await newer([...MCS, ...POLICIES], false);
    await expect
      .poll(problems, WAIT)
      .toMatch(
        /^HSA7005 .*\(.*allowpolicies.hansa.dev, serviceexports.multicluster.x-k8s.io, serviceimports/s,
      );
    await rig.apply("eu", slice("pay", ["10.241.0.3"]));
    await expect.poll(() => endpointsOf(rig, "us", "eu"), WAIT).toEqual(["shop/pay 10.241.0.3"]);
    await rig.apply("us", service("theirs"), serviceExport("theirs"));
    await rig.condition("us", "theirs", "Ready=True/Exported");
    await rig.import("us", "pay");
    expect(await policiesInUs()).toContain("web-pay");
  });

  it("alone keeps a restarted agent waiting, which says so, and takes nothing for empty", async () => {
    const restarted = rig.agents.restart("eu");
    await expect
      .poll(problems, WAIT)
      .toBe(
        "HSA7005 serviceexports.multicluster.x-k8s.io: is served as v2 alone, and this agent reads v1beta1, v1alpha1",
      );
    expect((await statusOf(rig, "eu")).notReady.join()).toContain("HSA7005");
    await newer(MCS, true);
    await expect
      .poll(problems, WAIT)
      .toBe("HSA7005 allowpolicies.hansa.dev: is served as v2 alone, and this agent reads v1alpha1");
    expect(await endpointsOf(rig, "us", "eu")).toEqual(["shop/pay 10.241.0.3"]);
    expect(await policiesInUs()).toContain("web-pay");
    await newer(POLICIES, true);
    await restarted;
  });

  it("is forgotten once the old one is back: what changed meanwhile is written and read", async () => {
    await expect.poll(problems, WAIT).toBe("");
    await expect.poll(async () => await rig.get("eu", "serviceimport", "theirs"), WAIT).toBeDefined();
    await rig.kube.cluster("eu").kubectl.ok(["-n", "shop", "delete", "serviceexport", "second"]);
    await rig.noImport("us", "second");
    const taken = (await withdrawn(rig, "eu")).filter((key) => !/shop\/pay\//.test(key));
    expect(taken.filter((key) => !key.includes("shop/second"))).toEqual([]);
  });
});

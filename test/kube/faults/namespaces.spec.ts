/** Namespaces: one that is deleted with what it exports and imports, and two that have a service of the same name. */
import { Resolver } from "node:dns/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Name } from "../../contract/agent-rig.ts";
import { DNS_PORT, McsRig, namespace, service, serviceExport, slice } from "../mcs-rig.ts";
import { counted, endpointsOf } from "./sight.ts";

const WAIT = { timeout: 30_000, interval: 100 };
let rig: McsRig;
let us: Resolver;
beforeAll(async () => {
  rig = await McsRig.start(["eu", "us"]);
  us = new Resolver({ timeout: 2000, tries: 1 });
  us.setServers([`${rig.agents.address("us", 2)}:${DNS_PORT}`]);
  for (const cluster of ["eu", "us"] as const) await rig.apply(cluster, namespace("shop"), namespace("late"));
}, 120_000);
afterAll(() => rig?.stop());

const pay = (within: string, addresses: readonly string[], more: object = {}) => [
  service(`${within}/pay`, more),
  slice(`${within}/pay`, addresses),
  serviceExport(`${within}/pay`),
];
/** What a namespace holds of Hansa's: imports, and slices by their source. */
async function heldIn(cluster: Name, within: string): Promise<string[]> {
  const { kubectl } = rig.kube.cluster(cluster);
  const names = async (...what: string[]) =>
    (await kubectl.ok(["-n", within, "get", ...what, "-o", "name"])).trim().split("\n").filter(Boolean);
  const mine = ["-l", "endpointslice.kubernetes.io/managed-by=mcs.hansa.dev"];
  return [...(await names("serviceimports")), ...(await names("endpointslices", ...mine))].map(
    (name) => name.split("/")[0] as string,
  );
}
/** A writer looks once a second, and the garbage collector's round is shorter than two: a fight writes in each. */
async function writesIn(cluster: Name, restMs: number): Promise<number> {
  const before = await counted(rig, cluster, "hansa_kube_writes_total");
  await new Promise((resolve) => setTimeout(resolve, restMs));
  return (await counted(rig, cluster, "hansa_kube_writes_total")) - before;
}
const seen = () => endpointsOf(rig, "us", "eu");
const ask = (name: string): Promise<readonly string[] | string> =>
  us.resolve4(name).then(
    (addresses) => addresses.sort(),
    (error: { code: string }) => error.code,
  );

describe("the same name in two namespaces", () => {
  it("is two services: each has its own endpoints, address and names", async () => {
    const headless = { clusterIP: "None", ipFamilyPolicy: "SingleStack" };
    await rig.apply("eu", ...pay("shop", ["10.241.0.1"], headless), ...pay("late", ["10.241.0.2"], headless));
    await expect.poll(seen, WAIT).toEqual(["late/pay 10.241.0.2", "shop/pay 10.241.0.1"]);
    await expect.poll(() => ask("pay.shop.svc.clusterset.local"), WAIT).toEqual(["10.241.0.1"]);
    await expect.poll(() => ask("pay.late.svc.clusterset.local"), WAIT).toEqual(["10.241.0.2"]);
    expect(await ask("pay-0.eu.pay.late.svc.clusterset.local")).toEqual(["10.241.0.2"]);
  });

  it("may be of different shape, without a conflict", async () => {
    await rig.apply("us", ...pay("late", ["10.242.0.2"]));
    await rig.condition("us", "late/pay", "Conflict=True/TypeConflict");
    await rig.condition("eu", "late/pay", "Conflict=True/TypeConflict");
    await rig.condition("eu", "shop/pay", "Conflict=False/NoConflicts");
    const [shop, late] = await Promise.all([rig.import("us", "shop/pay"), rig.import("us", "late/pay")]);
    const clustersOf = ({ status }: typeof shop) => status?.clusters?.map(({ cluster }) => cluster);
    expect([clustersOf(shop), clustersOf(late)]).toEqual([["eu"], ["eu", "us"]]);
  });

  it("goes in one of them alone", async () => {
    await rig.kube
      .cluster("us")
      .kubectl.ok(["-n", "late", "delete", "serviceexport,service,endpointslice", "--all"]);
    await rig.condition("eu", "late/pay", "Conflict=False/NoConflicts");
    await rig.kube.cluster("eu").kubectl.ok(["-n", "late", "delete", "serviceexport", "pay"]);
    await rig.noImport("us", "late/pay");
    await expect.poll(seen, WAIT).toEqual(["shop/pay 10.241.0.1"]);
    expect(await ask("pay.shop.svc.clusterset.local")).toEqual(["10.241.0.1"]);
    expect(await ask("pay.late.svc.clusterset.local")).toBe("ENOTFOUND");
  });
});

describe("a namespace that is deleted", () => {
  it("while it exports takes its services from everywhere, and nothing is left or fought over", async () => {
    await rig.apply("eu", ...pay("late", ["10.241.0.2"]));
    await expect
      .poll(() => heldIn("us", "late"), WAIT)
      .toEqual(["serviceimport.multicluster.x-k8s.io", "endpointslice.discovery.k8s.io"]);
    await expect.poll(async () => (await heldIn("eu", "late")).length, WAIT).toBe(2);
    await rig.kube.cluster("eu").kubectl.ok(["delete", "namespace", "late", "--timeout=40s"]);
    await rig.noImport("us", "late/pay");
    await expect.poll(() => heldIn("us", "late"), WAIT).toEqual([]);
    await expect.poll(seen, WAIT).toEqual(["shop/pay 10.241.0.1"]);
    expect(await ask("pay.late.svc.clusterset.local")).toBe("ENOTFOUND");
    await expect.poll(() => writesIn("eu", 2000), WAIT).toBe(0);
    expect(await counted(rig, "eu", "hansa_kube_requests_total", 'outcome="forbidden"')).toBe(0);
    expect(await rig.kube.cluster("eu").kubectl.ok(["get", "namespaces", "-o", "name"])).not.toContain(
      "late",
    );
  });

  it("while it imports stays away until it is made again, and costs the exporter nothing", async () => {
    await rig.apply("eu", namespace("late"), ...pay("late", ["10.241.0.3"]));
    const { ips } = (await rig.import("us", "late/pay")).spec;
    await rig.kube.cluster("us").kubectl.ok(["delete", "namespace", "late", "--timeout=40s"]);
    expect(await ask("pay.late.svc.clusterset.local")).toBe("ENOTFOUND");
    await rig.condition("eu", "late/pay", "Ready=True/Exported");
    expect(await seen()).toContain("late/pay 10.241.0.3");
    await rig.apply("us", namespace("late"));
    expect((await rig.import("us", "late/pay")).spec.ips).toEqual(ips);
    await expect.poll(() => ask("pay.late.svc.clusterset.local"), WAIT).toEqual(ips);
    expect(await counted(rig, "us", "hansa_kube_requests_total", 'outcome="forbidden"')).toBe(0);
  });
});

/** An API server that is away for long, and one that was set back to a backup: what the other cluster sees of both. */
import { Resolver } from "node:dns/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SOAK, tell } from "../../support/tier.ts";
import { DNS_PORT, McsRig, namespace, service, serviceExport, slice } from "../mcs-rig.ts";
import { counted, endpointsOf, statusOf, withdrawn } from "./sight.ts";

/** Longer than the back-off takes to its longest step. */
const AWAY_MS = SOAK ? 600_000 : 30_000;
const LOOK_MS = 500;
const WAIT = { timeout: 30_000, interval: 50 };

let rig: McsRig;
beforeAll(async () => {
  rig = await McsRig.start(["eu", "us"], {}, { etcd: "each" });
  await Promise.all([rig.apply("eu", namespace("shop")), rig.apply("us", namespace("shop"))]);
}, 120_000);
afterAll(() => rig?.stop());

const exported = (name: string, addresses: readonly string[]) =>
  rig.apply("eu", service(name), slice(name, addresses), serviceExport(name));
const seen = () => endpointsOf(rig, "us", "eu");
const slicesInUs = async (name: string) =>
  (await rig.list("us", "endpointslice", `multicluster.kubernetes.io/service-name=${name}`)).flatMap(
    ({ endpoints = [] }) => endpoints.flatMap(({ addresses }) => addresses),
  );

describe("an API server that is away", () => {
  it(`for ${AWAY_MS / 1000} s costs nothing elsewhere; status says since when; what changes after it is seen`, async () => {
    await exported("hello", ["10.241.0.7", "10.241.0.8"]);
    await expect.poll(() => slicesInUs("hello"), WAIT).toEqual(["10.241.0.7", "10.241.0.8"]);
    const before = [await seen(), (await rig.import("us", "hello")).spec];
    expect((await statusOf(rig, "eu")).source).not.toHaveProperty("staleSinceMs");

    const goneMs = Date.now();
    await rig.kube.cluster("eu").killApiServer();
    await expect.poll(async () => (await statusOf(rig, "eu")).source.staleSinceMs, WAIT).toBeDefined();
    const { staleSinceMs = 0 } = (await statusOf(rig, "eu")).source;
    expect(Math.abs(staleSinceMs - goneMs)).toBeLessThan(10_000);
    // A connection that broke, then one that is refused: in the end all kinds have the same problem.
    await expect
      .poll(async () => (await statusOf(rig, "eu")).source.problems, WAIT)
      .toEqual([expect.stringMatching(/^HSA7001 .*ECONNREFUSED.*namespaces, pods, /)]);
    while (Date.now() < goneMs + AWAY_MS) {
      expect([await seen(), (await rig.import("us", "hello")).spec]).toEqual(before);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    expect((await statusOf(rig, "eu")).source.staleSinceMs).toBe(staleSinceMs);

    await rig.kube.cluster("eu").startApiServer();
    await rig.apply("eu", slice("hello", ["10.241.0.9"]));
    const backMs = Date.now();
    await expect.poll(seen, WAIT).toEqual(["shop/hello 10.241.0.9"]);
    const blindMs = Date.now() - backMs;
    await expect.poll(async () => (await statusOf(rig, "eu")).source.problems, WAIT).toEqual([]);
    expect((await statusOf(rig, "eu")).source).not.toHaveProperty("staleSinceMs");
    await expect.poll(() => slicesInUs("hello"), WAIT).toEqual(["10.241.0.9"]);
    // The two endpoints of before, because of the change and not of the silence.
    expect(await withdrawn(rig, "eu")).toHaveLength(2);
    tell({
      promise: "an API server that is away withdraws nothing, and is heard again at once",
      seen: `away ${AWAY_MS / 1000} s; a change right after its return was seen elsewhere in ${blindMs} ms`,
      kept: blindMs < 10_000,
    });
    process.stderr.write(`a change right after the return of the API server: ${blindMs} ms\n`);
  }, 700_000);

  it("while an agent starts anew: names keep their addresses, and none is denied", async () => {
    const headless = { clusterIP: "None", ipFamilyPolicy: "SingleStack" };
    const heads = service("heads", headless);
    await rig.apply("us", service("far"), slice("far", ["10.242.0.1"]), serviceExport("far"));
    await rig.apply("us", heads, slice("heads", ["10.242.0.2"]), serviceExport("heads"));
    const dns = new Resolver({ timeout: 1000, tries: 1 });
    dns.setServers([`${rig.agents.address("eu", 2)}:${DNS_PORT}`]);
    const ask = (name: string) =>
      dns.resolve4(`${name}.shop.svc.clusterset.local`).catch((error: { code: string }) => error.code);
    const asked = () => Promise.all(["far", "heads", "hello", "unknown", "newer"].map(ask));
    const { ips } = (await rig.import("eu", "far")).spec;
    const own = (await rig.import("eu", "hello")).spec.ips;
    await expect.poll(asked, WAIT).toEqual([ips, ["10.242.0.2"], own, "ENOTFOUND", "ENOTFOUND"]);
    // A second, and the agent's memory is on its disk.
    await new Promise((resolve) => setTimeout(resolve, 1500));

    await rig.kube.cluster("eu").killApiServer();
    await rig.agents.end("eu");
    const started = rig.agents.agent("eu");
    await expect.poll(asked, WAIT).toEqual([ips, ["10.242.0.2"], own, "ESERVFAIL", "ESERVFAIL"]);
    // The logs go on: what they say of a known name is heard, what they say of another waits for an address.
    await rig.apply("us", slice("heads", ["10.242.0.3"]), service("newer"), serviceExport("newer"));
    await expect.poll(asked, WAIT).toEqual([ips, ["10.242.0.3"], own, "ESERVFAIL", "ESERVFAIL"]);

    await rig.kube.cluster("eu").startApiServer();
    await started;
    const late = (await rig.import("eu", "newer")).spec.ips;
    await expect.poll(asked, WAIT).toEqual([ips, ["10.242.0.3"], own, "ENOTFOUND", late]);
    expect((await rig.import("eu", "far")).spec.ips).toEqual(ips);
  }, 120_000);
});

describe("an API server that was set back to a backup", () => {
  it("is found out; the other cluster converges to what the backup holds, and what it lost is written again", async () => {
    await exported("kept", ["10.241.1.1", "10.241.1.2"]);
    await exported("old", ["10.241.1.3"]);
    await rig.apply("us", service("theirs"), slice("theirs", ["10.242.0.1"]), serviceExport("theirs"));
    await rig.import("eu", "theirs");
    await rig.import("us", "old");
    await rig.condition("eu", "old", "Ready=True/Exported");
    const atBackup = await seen();
    await rig.kube.backUp("eu", "noon");

    const late = Array.from({ length: 12 }, (_, index) => `late-${index}`);
    for (const [index, name] of late.entries()) await exported(name, [`10.241.2.${index}`]);
    await rig.apply("eu", slice("kept", ["10.241.1.9"]));
    await rig.delete("eu", "serviceexport", "old");
    await rig.apply("us", service("newer"), slice("newer", ["10.242.0.2"]), serviceExport("newer"));
    const { ips } = (await rig.import("eu", "newer")).spec;
    await Promise.all([...late.map((name) => rig.import("us", name)), rig.noImport("us", "old")]);
    await expect.poll(seen, WAIT).toContain("shop/kept 10.241.1.9");
    // More than an API server writes at its start: it must not overtake the version that the agent holds.
    for (let turn = 0; turn < 60; turn += 1)
      await rig.apply(
        "eu",
        ...[1, 2, 3, 4, 5].map((at) => slice("kept", [`10.241.1.${10 * at + (turn % 2)}`])),
      );

    await rig.kube.restore("eu", "noon");
    await expect.poll(seen, WAIT).toEqual(atBackup);
    await Promise.all([rig.import("us", "old"), ...late.map((name) => rig.noImport("us", name))]);
    expect(await counted(rig, "eu", "hansa_kube_relists_total", 'reason="restored"')).toBeGreaterThan(0);
    expect(await counted(rig, "eu", "hansa_kube_doubted_lists_total")).toBeGreaterThan(0);
    expect((await rig.import("eu", "newer")).spec.ips).toEqual(ips);
    await rig.condition("eu", "old", "Ready=True/Exported");
    await exported("after", ["10.241.3.1"]);
    await rig.import("us", "after");
    await expect.poll(async () => (await statusOf(rig, "eu")).source.problems, WAIT).toEqual([]);
  }, 240_000);
});

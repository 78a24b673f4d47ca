/** An agent whose node stands still for longer than its Lease: another one takes over, and the first one does no harm when it goes on. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { McsRig, namespace, service, serviceExport, slice } from "../mcs-rig.ts";
import { type Replica, startReplica } from "./replica.ts";
import { counted, endpointsOf, statusOf, withdrawn } from "./sight.ts";

const WAIT = { timeout: 40_000, interval: 100 };
let rig: McsRig;
let other: Replica | undefined;
/** Endpoints of eu. */
const truth: string[] = [];

beforeAll(async () => {
  rig = await McsRig.start(["eu", "us"]);
  await Promise.all([rig.apply("eu", namespace("shop")), rig.apply("us", namespace("shop"))]);
}, 120_000);
afterEach(async () => {
  process.kill(rig.agents.pidOf("eu"), "SIGCONT");
  await other?.child.stop();
  other = undefined;
});
afterAll(() => rig?.stop());

const holder = () =>
  rig.kube
    .cluster("eu")
    .kubectl.ok([
      "get",
      "lease",
      "hansa-agent",
      "-o",
      "jsonpath={.spec.holderIdentity} {.spec.leaseTransitions}",
    ]);
const first = () => statusOf(rig, "eu");
const seen = () => endpointsOf(rig, "us", "eu");
const signal = (name: "SIGSTOP" | "SIGCONT") => process.kill(rig.agents.pidOf("eu"), name);

/** A change in eu that us has to see, with all that was before it. */
async function change(address: string): Promise<void> {
  const name = `s${String.fromCharCode(97 + truth.length)}`;
  truth.push(`shop/${name} ${address}`);
  await rig.apply("eu", service(name), slice(name, [address]), serviceExport(name));
  await expect.poll(seen, WAIT).toEqual(truth);
  await rig.import("us", name);
}

/** Records and objects. */
const writtenByFirst = async () => [
  await counted(rig, "eu", "hansa_published_total"),
  await counted(rig, "eu", "hansa_kube_writes_total"),
];

/** What `look` says once it says the same twice: what was under way has ended. */
async function settled<T>(look: () => Promise<T>): Promise<T> {
  for (let before = await look(); ; ) {
    await new Promise((resolve) => setTimeout(resolve, 300));
    const now = await look();
    if (JSON.stringify(now) === JSON.stringify(before)) return now;
    before = now;
  }
}

/** Everybody holds the same, nobody has seen two histories, and nothing was ever taken back. */
async function isWhole(): Promise<void> {
  await expect
    .poll(
      async () => [(await first()).digest, (await other?.status())?.digest ?? (await first()).digest],
      WAIT,
    )
    .toEqual([(await statusOf(rig, "us")).digest, (await statusOf(rig, "us")).digest]);
  for (const status of [await first(), await statusOf(rig, "us")]) expect(status.findings).toEqual([]);
  expect(await counted(rig, "us", "hansa_disputes_total")).toBe(0);
  expect(await withdrawn(rig, "eu")).toEqual([]);
}

describe.each([
  ["with the cluster's keys and an identity of its own", "keys"],
  ["with all that was on the first one's disk, its identity as a candidate too", "disk"],
] as const)("another agent %s", (_what, has) => {
  it("takes over within the Lease, and the first one writes nothing when it goes on", async () => {
    await expect.poll(async () => (await first()).writer.elected, WAIT).toBe(true);
    await change("10.241.0.1");
    if (has === "keys") other = await startReplica(rig, "eu", has);
    expect((await first()).writer.elected).toBe(true);
    expect((await other?.status())?.writer.elected ?? false).toBe(false);

    signal("SIGSTOP");
    other ??= await startReplica(rig, "eu", has);
    await expect
      .poll(async () => (await other?.status())?.writer, WAIT)
      .toMatchObject({ elected: true, synced: true });
    await change("10.241.0.2");
    const taken = await holder();

    signal("SIGCONT");
    await expect.poll(async () => (await first()).writer.elected, WAIT).toBe(false);
    const written = await settled(writtenByFirst);
    for (const last of [3, 4, 5]) await change(`10.241.0.${last}`);
    // Four turns of both candidates.
    await new Promise((resolve) => setTimeout(resolve, 8000));
    expect([(await first()).writer.elected, (await other.status()).writer.elected]).toEqual([false, true]);
    expect(await holder()).toBe(taken);
    expect(await writtenByFirst()).toEqual(written);
    await isWhole();

    await other.child.stop();
    other = undefined;
    await expect.poll(async () => (await first()).writer.elected, WAIT).toBe(true);
    await change("10.241.0.6");
    await isWhole();
  }, 180_000);
});

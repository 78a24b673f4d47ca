/**
 * Every part that carries no calls is killed without warning, one after the other and all at once, under load: no call
 * fails, everything comes back by itself and all agree. Then what an operator has to see that: wait, want, events, leave.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type ApiTarget, callApi } from "@hansa/identity";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startLab, type TestLab } from "./support/lab.ts";

const WEB = "eu/shop/web";
const AGENTS = ["eu/agent", "us/agent", "ap/agent"];
const PATIENT_MS = 90_000;

interface EventItem {
  readonly position: number;
  readonly cluster: string;
  readonly lane: string;
  readonly epoch: number;
  readonly seq: number;
  readonly type: string;
  readonly key: string;
}

let lab: TestLab;
beforeAll(async () => {
  lab = await startLab();
  await lab.until(["lab", "call", WEB, "catalog", "-n", "20"], (json) => json.failed === 0);
});
afterAll(() => lab.down());

/** Calls to another cluster, as somebody who knows nothing of all this would make them. */
const load = (seconds: number) =>
  lab.hansa("lab", "call", WEB, "catalog", "--rate", "50", "--duration", String(seconds));
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const allGreen = () => lab.until(["check"], ({ success }) => success === true, PATIENT_MS);

async function digests(): Promise<Record<string, string>> {
  const context = JSON.parse(readFileSync(join(lab.state, "credentials.json"), "utf8"));
  const digestOf = async (target: ApiTarget, path: string) =>
    ((await callApi(target, { path })) as { data: { digest: string } }).data.digest;
  const told: [string, string][] = [["hub", await digestOf(context.hub, "/v1/federation")]];
  for (const [name, target] of Object.entries<ApiTarget>(context.agents))
    told.push([name, await digestOf(target, "/v1/federation-state")]);
  return Object.fromEntries(told);
}

it.each([["hub"], ["nats"], ["postgres"], ...AGENTS.map((agent) => [agent])])(
  "00: %s is killed and started under load: 0 calls failed",
  async (component) => {
    const calls = load(10);
    await wait(1000);
    await lab.ok("lab", "kill", component);
    await wait(2000);
    await lab.ok("lab", "start", component);
    const { json } = await calls;
    expect(json, JSON.stringify(json)).toMatchObject({ failed: 0 });
    expect(json.sent).toBeGreaterThan(300);
    await allGreen();
  },
);

it("01: everything but the data plane is killed at once: 0 calls failed, for longer than any lease", async () => {
  const calls = load(25);
  await wait(1000);
  await lab.ok("lab", "kill", "hub", "nats", "postgres", ...AGENTS);
  await wait(14_000);
  await lab.ok("lab", "start", "postgres", "nats", "hub", ...AGENTS);
  const { json } = await calls;
  expect(json, JSON.stringify(json)).toMatchObject({ failed: 0, served: { "us/catalog": json.sent } });
});

it("02: afterwards every check is green and hub and agents hold the same state", async () => {
  const report = await allGreen();
  const checks = report.categories.flatMap(({ checks }: { checks: object[] }) => checks);
  for (const check of checks) expect(check).toMatchObject({ result: "success" });
  const deadline = performance.now() + PATIENT_MS;
  for (;;) {
    const told = await digests();
    if (new Set(Object.values(told)).size === 1) break;
    expect(performance.now(), JSON.stringify(told)).toBeLessThan(deadline);
    await wait(200);
  }
});

it("03: a write says its position, and waiting for it ends when all importers' Envoys have it", async () => {
  for (const order of ["drain", "undrain"]) {
    const { position } = await lab.ok("cluster", order, "us");
    expect(position).toMatch(/^hub\/sum\/\d+\/\d+$/);
    const waited = await lab.ok("wait", "--position", position, "--timeout", "60s");
    expect(waited).toMatchObject({ position, acknowledgedBy: ["ap", "eu", "us"] });
  }
  const [, lane, epoch] = (await lab.ok("want", "us")).position.split("/");
  const never = await lab.hansa("wait", "--position", `hub/${lane}/${epoch}/999999`, "--timeout", "1s");
  expect(never.status).toBe(75);
  expect(never.stderr).toMatch(/HSA1009[\s\S]*ap[\s\S]*eu[\s\S]*us/);
  const nobody = await lab.hansa("wait", "--position", "nobody/sum/1/1");
  expect(nobody.stderr).toContain("HSA1005");
});

it("04: events lists what came after a moment, in order, of one source", async () => {
  const { position } = await lab.ok("get", "clusters");
  await lab.ok("lab", "scale", "us/shop/pay", "3");
  const events = ["events", "--source", "us", "--since", String(position), "--limit", "999"];
  const { items } = await lab.until(
    events,
    (json) => json.items.some(({ key, type }: EventItem) => /pay-3$/.test(key) && type === "EndpointSet"),
    PATIENT_MS,
  );
  let last = position;
  for (const item of items as EventItem[]) {
    expect(item.cluster).toBe("us");
    expect(item.position).toBeGreaterThan(last);
    last = item.position;
  }
  const few = await lab.ok("events", "--since", "1h", "--limit", "3");
  expect(few.items).toHaveLength(3);
  const wrong = await lab.hansa("events", "--since", "yesterday");
  expect(wrong.stderr).toContain("HSA1008");
  expect(wrong.status).toBe(65);
});

it("05: want makes a source send a whole snapshot, with the digest by which others check theirs", async () => {
  const { position } = await lab.ok("get", "clusters");
  const ofUs = ["events", "--source", "us", "--since", String(position), "--limit", "999"];
  const kinds = (items: EventItem[]) =>
    new Set(items.filter(({ lane }) => lane === "sum").map(({ type }) => type));
  // At most one is sent per half a minute: a wish that comes too early is granted later.
  await lab.ok("want", "us");
  const { items } = await lab.until(ofUs, (json) => kinds(json.items).has("SnapshotComplete"), PATIENT_MS);
  for (const type of ["SnapshotBegin", "ServiceSet", "GatewaySet", "BundleSet"])
    expect([...kinds(items)]).toContain(type);
  const complete = items.findLast(({ type }: EventItem) => type === "SnapshotComplete");
  expect(complete.data).toMatchObject({ digest: expect.any(String), count: expect.any(Number) });
  await allGreen();
});

it("06: a cluster that leaves takes nothing with it but what was its own, and is not a fault afterwards", async () => {
  await lab.until(["lab", "call", WEB, "ledger", "-n", "5"], ({ failed }) => failed === 0, PATIENT_MS);
  const calls = load(8);
  const left = await lab.ok("cluster", "leave", "ap");
  expect(left).toMatchObject({ order: "leave", cluster: "ap", drained: true, stragglers: [] });
  const clusters = await lab.until(
    ["get", "clusters"],
    ({ items }) => items.find(({ cluster }: { cluster: string }) => cluster === "ap").state === "left",
    PATIENT_MS,
  );
  expect(clusters.items).toHaveLength(3);
  // Nobody offers it any more: either the sidecar refuses, or there is no port left to dial.
  const isGone = async () => {
    const { json, stderr } = await lab.hansa("lab", "call", WEB, "ledger", "-n", "5");
    return json === null ? stderr.includes("HSA4006") : json.failed === 5;
  };
  await expect.poll(isGone, { timeout: PATIENT_MS }).toBe(true);
  const route = await lab.ok("explain", "route", WEB, "pay");
  expect(route.localities.map(({ cluster }: { cluster: string }) => cluster)).not.toContain("ap");
  expect((await calls).json).toMatchObject({ failed: 0 });
  await allGreen();
});

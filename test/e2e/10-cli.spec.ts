/** The CLI on a running lab: what it says is what is, and it goes on saying so while parts are dead. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { root } from "../../deploy/tools/paths.mjs";
import { startLab, type TestLab } from "./support/lab.ts";

interface Finding {
  readonly result: string;
  readonly code?: string;
  readonly hint?: string;
}
interface Report {
  readonly success: boolean;
  readonly categories: readonly { readonly categoryName: string; readonly checks: readonly Finding[] }[];
}
interface Item {
  readonly cluster: string;
  readonly state: string;
  readonly code: string | null;
}

let lab: TestLab;
/** A machine beside the lab, for the cluster that joins. */
let machine: string;
const started: number[] = [];
beforeAll(async () => {
  machine = mkdtempSync(join(tmpdir(), "hansa-join-"));
  lab = await startLab();
});
afterAll(async () => {
  for (const pid of started) endProcess(pid);
  await lab.down();
  rmSync(machine, { recursive: true, force: true });
});

function endProcess(pid: number): void {
  try {
    process.kill(pid, "SIGTERM");
  } catch {
    // It has ended by itself.
  }
}

const failures = (report: Report): (string | undefined)[] =>
  report.categories
    .flatMap(({ checks }) => checks)
    .filter(({ result }) => result === "error")
    .map(({ code }) => code);
const stateOf = (json: { items: readonly Item[] }, cluster: string) =>
  json.items.find((item) => item.cluster === cluster);
const soon = (args: readonly string[], satisfied: Parameters<TestLab["until"]>[1]) =>
  lab.until(args, satisfied, 30_000);

it("00: status is measured: every cluster healthy, nothing waits for an acknowledgement", async () => {
  const status = await soon(["status"], (json) =>
    json.items.every(
      (item: Item & { lagRecords: number }) => item.state === "Healthy" && item.lagRecords === 0,
    ),
  );
  expect(status).toMatchObject({ apiVersion: "hansa/v1", kind: "Status", answeredBy: "hub", healthy: true });
  for (const item of status.items)
    expect(item).toMatchObject({
      agent: "ready",
      writer: "writing",
      lease: "2/2",
      gateway: "2/2",
      code: null,
    });
  expect(
    status.items.map((item: { cluster: string; exports: number }) => [item.cluster, item.exports]),
  ).toEqual([
    ["ap", 2],
    ["eu", 2],
    ["us", 4],
  ]);
});

it("01: check finds nothing on a sound lab, in every category", async () => {
  const { status, json, stderr } = await lab.hansa("check");
  expect(failures(json), stderr).toEqual([]);
  expect(json.categories).toHaveLength(10);
  expect(status).toBe(0);
});

it.each([
  [["get", "clusters"], 3],
  [["get", "services"], 9],
  [["get", "services", "-n", "shop", "--cluster", "eu"], 2],
  [["get", "endpoints"], 12],
  [["get", "links"], 6],
  [["get", "identities", "--cluster", "us"], 6],
  [["get", "policies"], 11],
  [["cluster", "list"], 3],
  [["proxy", "status"], 17],
  [["events", "--limit", "7"], 7],
] as const)("02: %j lists %i items, the same as table and YAML", async (args, count) => {
  const json = await soon([...args], ({ items }) => items.length === count);
  const table = await lab.run([...args, "-o", "table"]);
  if (args[0] !== "proxy") expect(table.stdout.trim().split("\n")).toHaveLength(count + 1);
  const yaml = await lab.run([...args, "-o", "yaml"]);
  expect(yaml.stdout).toContain(`kind: ${json.kind}\n`);
  expect([table.status, yaml.status]).toEqual([0, 0]);
});

it("03: describe, explain and proxy config agree on one service", async () => {
  const service = await lab.ok("describe", "service", "shop/pay");
  expect(service.exporters.map(({ cluster }: Item) => cluster).sort()).toEqual(["ap", "eu", "us"]);
  const route = await lab.ok("explain", "route", "eu/shop/web", "pay");
  expect(
    route.localities.map(({ cluster, sharePercent }: { cluster: string; sharePercent: number }) => [
      cluster,
      sharePercent,
    ]),
  ).toEqual([
    ["eu", 100],
    ["us", 0],
    ["ap", 0],
  ]);
  const config = await lab.ok("proxy", "config", "eu/shop/web/web-1", "--type", "clusters");
  expect(config.resources.map(({ name }: { name: string }) => name)).toContain(route.sni);
  const allowed = await lab.hansa("explain", "access", "spiffe://eu.lab.hansa/ns/shop/sa/web", "catalog");
  expect([allowed.status, allowed.json.verdict]).toEqual([0, "allow"]);
  const denied = await lab.hansa("explain", "access", "spiffe://eu.lab.hansa/ns/shop/sa/cart", "catalog");
  expect([denied.status, denied.json.verdict, denied.json.code]).toEqual([79, "deny", "HSA4007"]);
});

it("03: proxy diff says whether an Envoy has what it is offered, and what an Envoy that stands still lacks", async () => {
  await soon(["proxy", "diff", "us/gateway/gw"], ({ differences }) => differences.length === 0);
  const same = await soon(
    ["proxy", "diff", "eu/shop/web/web-1"],
    ({ differences }) => differences.length === 0,
  );
  expect(same.compared).toBeGreaterThan(5);
  await lab.ok("lab", "pause", "eu/shop/web/web-1/sidecar");
  const silent = await lab.run(["proxy", "diff", "eu/shop/web/web-1"]);
  expect([silent.status, silent.stderr]).toEqual([69, expect.stringContaining("HSA1012")]);
  await lab.ok("lab", "resume", "eu/shop/web/web-1/sidecar");
  const wrong = await lab.run(["proxy", "diff", "eu"]);
  expect([wrong.status, wrong.stderr]).toEqual([64, expect.stringContaining("which proxy?")]);
});

it("04: --at shows the past by time, by duration and by position, and refuses what is before it", async () => {
  const before = await lab.ok("get", "endpoints");
  await lab.ok("lab", "scale", "us/shop/pay", "3");
  const after = await soon(["get", "endpoints"], ({ items }) => items.length === before.items.length + 1);
  const then = await lab.ok("get", "endpoints", "--at", String(before.position));
  expect(then.items).toEqual(before.items);
  expect(then.position).toBe(before.position);
  const byTime = await lab.ok("explain", "route", "eu/shop/web", "pay", "--at", before.committedAt);
  const us = (json: { localities: { cluster: string; healthy: number }[] }) =>
    json.localities.find(({ cluster }) => cluster === "us")?.healthy;
  expect([byTime.answeredBy, us(byTime)]).toEqual(["hub", 2]);
  expect(
    us(
      await soon(
        ["explain", "route", "eu/shop/web", "pay", "--at", String(after.position)],
        (json) => us(json) === 3,
      ),
    ),
  ).toBe(3);
  const early = await lab.hansa("status", "--at", "2001-01-01T00:00:00Z");
  expect([early.status, early.stdout]).toEqual([65, ""]);
  expect(early.stderr).toContain("HSA1008");
});

it("05: events --follow shows a change as it is committed", async () => {
  const follow = lab.hansa("events", "--follow", "--source", "us", "--limit", "1");
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await lab.ok("lab", "scale", "us/shop/pay", "2");
  const { status, stdout } = await follow;
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    cluster: "us",
    type: expect.stringMatching(/^(Load|Endpoint)Set$/),
  });
});

it("06: want prints a position, and wait returns when all Envoys have acknowledged it", async () => {
  const { position } = await lab.ok("want", "us");
  expect(position).toMatch(/^hub\/sum\/\d+\/\d+$/);
  const waited = await lab.ok("wait", "--position", position, "--timeout", "20s");
  expect(waited.acknowledgedBy).toEqual(["ap", "eu", "us"]);
  const never = await lab.hansa("wait", "--position", "us/sum/4000000000/1", "--timeout", "1s");
  expect([never.status, never.stdout]).toEqual([75, ""]);
  expect(never.stderr).toMatch(/HSA1009.*ap \(at .*eu \(at /);
});

it("07: check and status name a dead gateway, a dead agent and a paused proxy by code", async () => {
  await lab.ok("lab", "kill", "us/gateway");
  const report = await soon(["check", "--category", "gateways"], (json) =>
    failures(json).includes("HSA4001"),
  );
  expect(report.success).toBe(false);
  expect((await lab.hansa("check", "--category", "gateways")).status).toBe(79);
  expect(stateOf(await lab.ok("status"), "us")).toMatchObject({ state: "Unreachable", code: "HSA4001" });
  await lab.ok("lab", "kill", "us/agent");
  await soon(["status"], (json) => stateOf(json, "us")?.code === "HSA4008");
  await soon(["check", "--category", "context"], (json) => failures(json).includes("HSA1012"));
  await lab.ok("lab", "start", "us/agent", "us/gateway");
  await lab.until(["status"], (json) => json.items.every((item: Item) => item.state === "Healthy"), 60_000);
  await lab.until(["check"], (json) => json.success, 60_000);
});

it("08: a fourth cluster joins with one command, which succeeds only after round trips through the data plane", async () => {
  const context = JSON.parse(readFileSync(join(lab.state, "credentials.json"), "utf8"));
  const octet = new URL(context.hub.url).hostname.split(".")[1];
  const subnet = `127.${octet}.9`;
  const token = (flags: readonly string[]) =>
    lab.hansa("cluster", "token", "tokyo", "--region", "ap-northeast-1", ...flags);
  const outside = await token(["--cidrs", "10.0.0.1/8"]);
  expect([outside.status, outside.stdout]).toEqual([65, ""]);
  const made = (await token(["--namespaces", "shop", "--cidrs", `${subnet}.0/24`])).json;
  expect((await lab.ok("cluster", "list")).tokens).toMatchObject([{ cluster: "tokyo" }]);

  const config = join(machine, "agent.yaml");
  const source = join(machine, "services.yaml");
  writeFileSync(source, "services: []\nworkloads: []\n");
  const document = {
    cluster: "tokyo",
    dataDir: join(machine, "data"),
    socketDir: join(machine, "s"),
    source: { file: source },
    region: "ap-northeast-1",
    zones: ["ap-northeast-1"],
    network: "tokyo",
    namespaces: ["shop"],
    cidrs: [`${subnet}.0/24`],
    hub: { url: context.hub.url },
    nats: { servers: [`nats://127.${octet}.0.2:4222`] },
    admin: { host: `${subnet}.2`, port: 15_010 },
    gateway: { name: "gw", address: `${subnet}.1`, port: 15_443 },
  };
  writeFileSync(config, JSON.stringify(document));
  const joined = await lab.ok("cluster", "join", "--token", made.token, "--config", config);
  started.push(...joined.processes.map(({ pid }: { pid: number }) => pid));
  expect(joined.roundTrips).toHaveLength(3);
  for (const trip of joined.roundTrips) expect(trip).toMatchObject({ there: true, back: true, missing: "" });
  expect(stateOf(await soon(["status"], (json) => json.items.length === 4), "tokyo")).toMatchObject({
    state: "Healthy",
  });
  const links = await lab.ok("get", "links");
  expect(links.items.filter(({ to }: { to: string }) => to === "tokyo")).toHaveLength(3);

  const twice = await lab.hansa("cluster", "join", "--token", made.token, "--config", config);
  expect([twice.status, twice.stdout]).toEqual([65, ""]);
  expect(twice.stderr).toContain("runs already");
});

it("09: its used token lets nobody else in, and the failed attempt leaves nothing running", async () => {
  const config = join(machine, "agent.yaml");
  const other = {
    ...JSON.parse(readFileSync(config, "utf8")),
    dataDir: join(machine, "other"),
    socketDir: join(machine, "o"),
  };
  const octet = other.gateway.address.split(".")[1];
  other.admin = { host: `127.${octet}.9.4`, port: 15_010 };
  writeFileSync(join(machine, "other.yaml"), JSON.stringify(other));
  const fresh = (
    await lab.ok("cluster", "token", "tokyo", "--region", "ap-northeast-1", "--cidrs", `127.${octet}.9.0/24`)
  ).token;
  const thief = await lab.hansa("cluster", "join", "--token", fresh, "--config", join(machine, "other.yaml"));
  expect(thief.stderr).toContain("HSA3004");
  expect([thief.status, thief.stdout]).toEqual([77, ""]);
  expect(await processesWith("other.yaml")).toBe("");
});

it("10: it leaves: drained first, then out, and its name stays taken", async () => {
  const left = await lab.ok("cluster", "leave", "tokyo");
  expect(left).toMatchObject({ order: "leave", drained: true, stragglers: [] });
  expect(left.done.sort()).toEqual(["ap", "eu", "us"]);
  expect(stateOf(await lab.ok("get", "clusters"), "tokyo")).toMatchObject({ state: "left" });
  await soon(["check"], (json) => json.success);
});

it("11: without hub and Postgres the agents answer, orders work, and only the past is gone", async () => {
  await lab.ok("lab", "kill", "hub", "postgres");
  const status = await lab.ok("status");
  expect(status).toMatchObject({ answeredBy: "eu's agent", healthy: true });
  for (const args of [
    ["get", "services"],
    ["describe", "service", "shop/pay"],
    ["explain", "access", "spiffe://eu.lab.hansa/ns/shop/sa/web", "pay"],
  ])
    expect((await lab.ok(...args)).answeredBy).toBe("eu's agent");
  for (const args of [
    ["events"],
    ["status", "--at", "5m"],
    ["cluster", "token", "x", "--region", "r", "--cidrs", "10.0.0.0/8"],
  ]) {
    const { status: exit, stdout, stderr } = await lab.hansa(...args);
    expect(stderr).toContain("HSA1012");
    expect([exit, stdout]).toEqual([69, ""]);
  }
  const drained = await lab.ok("cluster", "drain", "us", "--via", "ap");
  expect(drained).toMatchObject({ takenBy: "ap's agent", stragglers: [] });
  expect(stateOf(await lab.ok("status"), "us")).toMatchObject({ state: "Draining" });
  const { position } = await lab.ok("cluster", "undrain", "us");
  await lab.ok("wait", "--position", position, "--timeout", "20s");
  expect(failures((await lab.hansa("check")).json)).toEqual(["HSA1012", "HSA1012"]);
  await lab.ok("lab", "start", "postgres", "hub");
  await lab.until(["check"], (json) => json.success, 60_000);
  expect(stateOf(await lab.ok("status"), "us")).toMatchObject({ state: "Healthy" });
});

it("12: k operators sign one file; too few are refused before anything is sent", async () => {
  const key = join(machine, "other-key.pem");
  const { publicKey } = await lab.ok("operator", "key", "--out", key);
  const file = join(machine, "operators.json");
  const mine = JSON.parse(readFileSync(join(lab.state, "credentials.json"), "utf8")).operatorKeys[0];
  const { keys } = await operatorsNow();
  await lab.ok(
    "operator",
    "sign",
    "--order",
    `operators 2 ${keys[0]} ${publicKey}`,
    "--key",
    mine,
    "--out",
    file,
  );
  await lab.ok("operator", "send", file);
  await expect.poll(async () => (await operatorsNow()).threshold, { timeout: 10_000 }).toBe(2);

  const drain = join(machine, "drain.json");
  await lab.ok("operator", "sign", "--order", "drain us", "--key", mine, "--out", drain);
  const early = await lab.hansa("cluster", "drain", "us", "--signed", drain);
  expect([early.status, early.stdout]).toEqual([77, ""]);
  expect(early.stderr).toMatch(/HSA3007.*1 of 2/);
  await lab.ok("operator", "sign", drain, "--key", key);
  await lab.ok("cluster", "drain", "us", "--signed", drain);
  expect(stateOf(await lab.ok("get", "clusters"), "us")).toMatchObject({ state: "draining" });
});

/** As a tool of one's own would read it. */
async function operatorsNow(): Promise<{ keys: string[]; threshold: number }> {
  const { callApi } = await import("@hansa/identity");
  const { hub } = JSON.parse(readFileSync(join(lab.state, "credentials.json"), "utf8"));
  const answer = (await callApi(hub, { path: "/v1/federation" })) as {
    data: { operators: { keys: string[]; threshold: number } };
  };
  return answer.data.operators;
}

function processesWith(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn("ps", ["-eo", "args"], { cwd: root });
    let out = "";
    child.stdout.on("data", (chunk) => {
      out += String(chunk);
    });
    child.once("error", reject);
    child.once("close", () =>
      resolve(
        out
          .split("\n")
          .filter((line) => line.includes(text))
          .join("\n"),
      ),
    );
  });
}

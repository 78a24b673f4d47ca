/** Shared parts die one after the other; calls go on and changes arrive as soon as there is a way. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startLab, type TestLab } from "./support/lab.ts";

let lab: TestLab;
beforeAll(async () => {
  lab = await startLab();
  await lab.until(["lab", "call", "eu/shop/web", "quote", "-n", "50"], (json) => json.failed === 0);
});
afterAll(() => lab.down());

const replicasOfPay = (json: { replicas: Record<string, number> }) => Object.keys(json.replicas).sort();
const payFromUs = ["lab", "call", "us/shop/web", "pay", "-n", "200", "-c", "32"];

interface Check {
  readonly description: string;
  readonly result: string;
}

/** Warnings too. */
const problems = (json: { categories: { checks: Check[] }[] }): Check[] =>
  json.categories.flatMap(({ checks }) => checks.filter(({ result }) => result !== "success"));

it("00: NATS dies: no call fails, and a local change is still applied locally", async () => {
  const load = lab.hansa("lab", "call", "eu/shop/web", "catalog", "--rate", "100", "--duration", "6");
  await lab.ok("lab", "kill", "nats");
  await lab.ok("lab", "scale", "us/shop/pay", "3");
  await lab.until(payFromUs, (json) => replicasOfPay(json).length === 3 && json.failed === 0);
  expect((await load).json.failed).toBe(0);
});

it("01: an agent restarts while hub and NATS are dead and serves from its disk, also to a new Envoy", async () => {
  await lab.ok("lab", "kill", "hub");
  await lab.ok("lab", "kill", "eu/agent");
  await lab.ok("lab", "start", "eu/agent");
  await lab.ok("lab", "kill", "eu/shop/web/web-1/sidecar");
  await lab.ok("lab", "start", "eu/shop/web/web-1/sidecar");
  const answer = await lab.until(
    ["lab", "call", "eu/shop/web", "catalog", "-n", "20"],
    (json) => json.failed === 0,
  );
  expect(answer.served).toEqual({ "us/catalog": 20 });
});

it("02: NATS and hub return: what happened meanwhile reaches the archive", async () => {
  await lab.ok("lab", "start", "nats", "hub");
  await lab.until(
    ["get", "endpoints"],
    (json) =>
      json.items.filter(
        (item: { cluster: string; service: string }) => item.cluster === "us" && item.service === "shop/pay",
      ).length === 3,
    40_000,
  );
});

it("03: Postgres dies: changes still propagate; it returns and the hub catches up", async () => {
  await lab.ok("lab", "kill", "postgres");
  await lab.ok("lab", "kill", "eu/shop/pay");
  const moved = await lab.until(
    ["lab", "call", "eu/shop/web", "pay", "-n", "50"],
    (json) => json.served["us/pay"] === 50,
  );
  expect(moved.failed).toBe(0);
  const healthOf = (json: { items: { name: string; state: string; health: string }[] }, name: string) =>
    json.items.flatMap((item) => (item.name === name ? [`${item.state} ${item.health}`] : []));
  // The hub's process lives, but it cannot do its work.
  await lab.until(["lab", "status"], (json) => healthOf(json, "hub")[0] === "running failing");
  expect(healthOf((await lab.hansa("lab", "status")).json, "eu/agent")).toEqual(["running ok"]);
  expect(healthOf((await lab.hansa("lab", "status")).json, "postgres")).toEqual(["exited "]);
  await lab.ok("lab", "start", "postgres");
  await lab.until(
    ["get", "endpoints"],
    (json) =>
      json.items.filter(
        (item: { cluster: string; service: string; ready: boolean }) =>
          item.cluster === "eu" && item.service === "shop/pay" && item.ready,
      ).length === 0,
    60_000,
  );
});

it("04: the NATS store is wiped: agents publish snapshots and all digests are equal again", async () => {
  await lab.ok("lab", "kill", "nats");
  for (const folder of ["jetstream", "accounts"])
    rmSync(join(lab.state, "hub", "nats", folder), { recursive: true, force: true });
  await lab.ok("lab", "start", "nats");
  await lab.ok("lab", "scale", "us/shop/pay", "2");
  await lab.until(
    ["lab", "call", "eu/shop/web", "pay", "-n", "100"],
    (json) => replicasOfPay(json).length === 2 && json.served["us/pay"] === 100,
    60_000,
  );
  const check = await lab.until(["check", "--category", "log"], (json) => json.success === true, 60_000);
  expect(check.success).toBe(true);
});

it("05: the NATS store is wiped before the archive had read it: agents bring what left the stream, and nothing is missing", async () => {
  await lab.ok("lab", "kill", "postgres");
  await lab.ok("lab", "scale", "us/shop/pay", "1");
  await lab.ok("lab", "kill", "nats");
  // In flight while there is no bus, and given up with its epoch.
  await lab.ok("lab", "scale", "us/shop/pay", "2");
  for (const folder of ["jetstream", "accounts"])
    rmSync(join(lab.state, "hub", "nats", folder), { recursive: true, force: true });
  await lab.ok("lab", "start", "nats", "postgres");
  await lab.until(
    ["get", "endpoints"],
    (json) =>
      json.items.filter(
        (item: { cluster: string; service: string; ready: boolean }) =>
          item.cluster === "us" && item.service === "shop/pay" && item.ready,
      ).length === 2,
    60_000,
  );
  await lab.until(["check", "--category", "log"], (json) => problems(json).length === 0, 60_000);
});

it("06: an agent that dies with a change in hand while NATS is dead leaves no hole behind", async () => {
  await lab.ok("lab", "kill", "nats");
  await lab.ok("lab", "scale", "us/shop/pay", "3");
  await lab.ok("lab", "kill", "us/agent");
  await lab.ok("lab", "start", "us/agent", "nats");
  await lab.until(
    ["get", "endpoints"],
    (json) =>
      json.items.filter(
        (item: { cluster: string; service: string; ready: boolean }) =>
          item.cluster === "us" && item.service === "shop/pay" && item.ready,
      ).length === 3,
    60_000,
  );
  await lab.until(["check", "--category", "log"], (json) => problems(json).length === 0, 40_000);
});

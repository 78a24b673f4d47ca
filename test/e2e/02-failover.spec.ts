/** Things die, calls do not: the order eu → us → ap of the default topology, with nothing lost. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { startLab, type TestLab } from "./support/lab.ts";

let lab: TestLab;
beforeAll(async () => {
  lab = await startLab();
  await lab.until(["lab", "call", "eu/shop/web", "pay", "-n", "50"], (json) => json.served["eu/pay"] === 50);
});
afterAll(() => lab.down());

const load = (seconds: number) =>
  lab.hansa("lab", "call", "eu/shop/web", "pay", "--rate", "200", "--duration", String(seconds));
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

it("00: all local endpoints die under 200 rps: us answers, 0 lost", async () => {
  const running = load(6);
  await wait(2000);
  await lab.ok("lab", "kill", "eu/shop/pay");
  const { json } = await running;
  expect(json.failed, JSON.stringify(json)).toBe(0);
  expect(json.served["us/pay"]).toBeGreaterThan(100);
  expect((await lab.ok("lab", "call", "eu/shop/web", "pay", "-n", "100")).served).toEqual({ "us/pay": 100 });
});

it("01: us's gateway and agent die as well: ap answers, 0 lost", async () => {
  const running = load(8);
  await wait(2000);
  await lab.ok("lab", "kill", "us/gateway", "us/agent");
  const { json } = await running;
  expect(json.failed, JSON.stringify(json)).toBe(0);
  expect((await lab.ok("lab", "call", "eu/shop/web", "pay", "-n", "100")).served).toEqual({ "ap/pay": 100 });
});

it("02: the dead cluster is withdrawn once its lease is lost too", async () => {
  const route = await lab.until(
    ["explain", "route", "eu/shop/web", "pay"],
    (json) => json.localities.every((locality: { cluster: string }) => locality.cluster !== "us"),
    20_000,
  );
  expect(route.localities.map((locality: { cluster: string }) => locality.cluster)).toContain("ap");
});

it("03: us returns; hub dead, its new replicas answer eu's calls", async () => {
  await lab.ok("lab", "start", "us/agent", "us/gateway");
  await lab.until(
    ["lab", "call", "eu/shop/web", "pay", "-n", "50"],
    (json) => json.served["us/pay"] === 50,
    60_000,
  );
  await lab.ok("lab", "kill", "hub");
  await lab.ok("lab", "scale", "us/shop/pay", "4");
  const answer = await lab.until(
    ["lab", "call", "eu/shop/web", "pay", "-n", "400", "-c", "32"],
    (json) => Object.keys(json.replicas).length === 4,
    5000,
  );
  expect(answer.failed).toBe(0);
});

it("04: the hub's return changes nothing for calls, and it catches up", async () => {
  await lab.ok("lab", "start", "hub");
  await lab.until(
    ["get", "endpoints"],
    (json) =>
      json.items.filter(
        (item: { cluster: string; service: string }) => item.cluster === "us" && item.service === "shop/pay",
      ).length === 4,
  );
});

it("05: one of two pods behind the only gateway dies: no more is lost than was in flight", async () => {
  const quote = ["lab", "call", "eu/shop/web", "quote"];
  await lab.until([...quote, "-n", "20"], (json) => json.failed === 0);
  const running = lab.hansa(...quote, "--rate", "100", "--duration", "5");
  await wait(2000);
  await lab.ok("lab", "kill", "us/shop/quote/quote-1");
  const { json } = await running;
  // With the gateway ejected as a whole it were half a second's worth: 50 and more.
  expect(json.failed, JSON.stringify(json)).toBeLessThanOrEqual(8);
});

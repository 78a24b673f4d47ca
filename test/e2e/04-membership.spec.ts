/** Drain and evict: operator-signed, and in force while the hub and its Postgres are dead. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { startLab, type TestLab } from "./support/lab.ts";

let lab: TestLab;
beforeAll(async () => {
  lab = await startLab();
  await lab.until(["lab", "call", "eu/shop/web", "ledger", "-n", "5"], (json) => json.failed === 0);
});
afterAll(() => lab.down());

it("00: a drained cluster gets no more calls, none is lost, and undrain brings it back", async () => {
  await lab.ok("lab", "kill", "eu/shop/pay");
  await lab.until(["lab", "call", "eu/shop/web", "pay", "-n", "50"], (json) => json.served["us/pay"] === 50);
  const load = lab.hansa("lab", "call", "eu/shop/web", "pay", "--rate", "100", "--duration", "6");
  await lab.ok("cluster", "drain", "us");
  await lab.until(["lab", "call", "eu/shop/web", "pay", "-n", "50"], (json) => json.served["ap/pay"] === 50);
  expect((await load).json.failed).toBe(0);
  await lab.ok("cluster", "undrain", "us");
  await lab.until(
    ["lab", "call", "eu/shop/web", "pay", "-n", "50"],
    (json) => json.served["us/pay"] === 50,
    60_000,
  );
});

it("01: evict works while the hub and Postgres are dead", async () => {
  await lab.ok("lab", "kill", "hub", "postgres");
  await lab.ok("cluster", "evict", "ap");
  await lab.until(["lab", "call", "eu/shop/web", "ledger", "-n", "5"], (json) => json.failed === 5);
  const answer = await lab.hansa("lab", "call", "eu/shop/web", "pay", "-n", "20");
  expect(answer.json.failed).toBe(0);
  // The evicted cluster is a mesh of its own now.
  await lab.until(
    ["lab", "call", "ap/shop/pay", "ledger", "-n", "5"],
    (json) => json.served["ap/ledger"] === 5,
  );
  await lab.until(["lab", "call", "ap/shop/pay", "cart", "-n", "5"], (json) => json.failed === 5);
});

it("02: the hub returns, and the evicted cluster stays out", async () => {
  await lab.ok("lab", "start", "postgres", "hub");
  const clusters = await lab.until(
    ["get", "clusters"],
    (json) =>
      json.items.some(
        (item: { cluster: string; state: string }) => item.cluster === "ap" && item.state === "evicted",
      ),
    40_000,
  );
  expect(clusters.items.find((item: { cluster: string }) => item.cluster === "us").state).toBe("active");
  const { json } = await lab.hansa("lab", "call", "eu/shop/web", "ledger", "-n", "5");
  expect(json.failed).toBe(5);
});

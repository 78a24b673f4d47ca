/** A call across clusters, by every protocol, with the caller's identity; and who is refused. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { startLab, type TestLab } from "./support/lab.ts";

let lab: TestLab;
beforeAll(async () => {
  lab = await startLab();
});
afterAll(() => lab.down());

const WEB = "eu/shop/web";

it("00: serves HTTP/1.1 from the only exporter and shows the caller's SPIFFE ID", async () => {
  const answer = await lab.until(["lab", "call", WEB, "catalog", "-n", "20"], (json) => json.failed === 0);
  expect(answer.served).toEqual({ "us/catalog": 20 });
  expect(answer.callers).toEqual(["spiffe://eu.lab.hansa/ns/shop/sa/web"]);
});

it("01: serves gRPC from another cluster and spreads it over the replicas behind one gateway", async () => {
  const answer = await lab.until(["lab", "call", WEB, "quote", "-n", "400"], (json) => json.failed === 0);
  expect(Object.keys(answer.served)).toEqual(["us/quote"]);
  expect(answer.callers).toEqual(["spiffe://eu.lab.hansa/ns/shop/sa/web"]);
  for (const calls of Object.values(answer.replicas)) expect(calls).toBeGreaterThan(60);
  expect(Object.keys(answer.replicas)).toHaveLength(2);
});

it("02: serves TCP from another cluster", async () => {
  const answer = await lab.until(["lab", "call", WEB, "ledger", "-n", "20"], (json) => json.failed === 0);
  expect(answer.served).toEqual({ "ap/ledger": 20 });
  expect(answer.statuses).toEqual({ "tcp:ok": 20 });
});

it("03: keeps calls in their own cluster while it is healthy", async () => {
  const answer = await lab.until(["lab", "call", WEB, "pay", "-n", "100"], (json) => json.failed === 0);
  expect(answer.served).toEqual({ "eu/pay": 100 });
});

it("04: addresses a service by number and name of its port, and passes the path on", async () => {
  for (const target of ["pay:80", "pay:http", "pay.shop:80/slow?ms=5"])
    expect((await lab.ok("lab", "call", WEB, target)).statuses, target).toEqual({ "200": 1 });
  const failing = await lab.hansa("lab", "call", WEB, "pay/status/404");
  expect(failing.status).toBe(79);
  expect(failing.json.firstFailure).toMatchObject({ number: 1, status: "404" });
});

it("05: refuses a service that is not exported", async () => {
  const { json } = await lab.hansa("lab", "call", WEB, "vault", "-n", "5");
  expect(json.failed).toBe(5);
  expect(json.served).toEqual({});
});

it("06: serves the same service inside its own cluster", async () => {
  expect((await lab.ok("lab", "call", "us/shop/web", "vault", "-n", "5")).served).toEqual({ "us/vault": 5 });
});

it("07: refuses a caller of another cluster whom no allow names, and says so", async () => {
  const { json } = await lab.hansa("lab", "call", "eu/shop/cart", "catalog", "-n", "5");
  expect(json.statuses).toEqual({ "403": 5 });
});

it.each([
  [["lab", "call"], 64],
  [["lab", "call", "eu/web", "pay"], 64],
  [["lab", "call", "eu/shop/nobody", "pay"], 65],
  [["lab", "call", WEB, "UPPER"], 64],
  [["lab", "call", WEB, "pay", "-n", "many"], 64],
  [["lab", "call", WEB, "pay:nosuch"], 65],
  [["lab", "kill", "nowhere"], 65],
  [["lab", "resume", "hub"], 65],
  [["lab", "scale", "eu/shop/pay", "-1"], 64],
  [["lab", "scale", "eu/shop/none", "1"], 65],
  [["lab", "creds", "eu/shop/web"], 64],
  [["lab", "up", "--detach"], 65],
  [["lab", "up", "-f", "no-such-file.yaml"], 65],
])("08: %j is refused with status %i and an HSA code", async (args, status) => {
  const answer = await lab.run(args);
  expect(answer.stderr).toMatch(/error HSA\d{4} \(/);
  expect(answer.stdout).toBe("");
  expect(answer.status).toBe(status);
});

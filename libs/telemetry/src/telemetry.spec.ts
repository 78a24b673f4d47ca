import { expect, test } from "vitest";
import { METRICS } from "./catalogue.ts";
import { createLog } from "./log.ts";
import { createMetrics } from "./metrics.ts";

test("a log line is JSON with component, level, message and fields", () => {
  const lines: string[] = [];
  const log = createLog({ component: "agent", stream: { write: (line) => void lines.push(line) } });
  log.with({ cluster: "eu" }).warn("late", { seconds: 3 });
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({
    component: "agent",
    level: "warn",
    message: "late",
    cluster: "eu",
    seconds: 3,
  });
});

test("fields that could carry a secret are masked", () => {
  const lines: string[] = [];
  const log = createLog({ component: "agent", stream: { write: (line) => void lines.push(line) } });
  log.info("joined", { token: "t0p", seed: "s33d", keyPem: "k3y" });
  log.with({ secret: "h1dden" }).info("again");
  expect(lines.join("")).not.toMatch(/t0p|s33d|k3y|h1dden/);
});

test("metrics appear with help, labels and values", async () => {
  const metrics = createMetrics();
  metrics.count("hansa_xds_nacks_total", { proxy: "shop/pay/pay-1", type: "lds" });
  metrics.gauge("hansa_queue_depth", 7, { queue: "outbox" });
  metrics.observe("federation_propagation_seconds", 0.004, { source: "us", importer: "eu" });
  const text = await metrics.text();
  expect(text).toContain('hansa_xds_nacks_total{proxy="shop/pay/pay-1",type="lds"} 1');
  expect(text).toContain('hansa_queue_depth{queue="outbox"} 7');
  expect(text).toContain('federation_propagation_seconds_bucket{le="0.005",source="us",importer="eu"} 1');
  expect(text).toContain(`# HELP hansa_queue_depth ${METRICS.hansa_queue_depth?.help}`);
});

test("a removed series is gone, an undefined name still works", async () => {
  const metrics = createMetrics();
  metrics.gauge("hansa_link_state", 3, { peer: "us" });
  metrics.remove("hansa_link_state", { peer: "us" });
  metrics.count("hansa_new_total", { way: "a" });
  const text = await metrics.text();
  expect(text).not.toContain('peer="us"');
  expect(text).toContain('hansa_new_total{way="a"} 1');
});

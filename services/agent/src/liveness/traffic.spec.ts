import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@hansa/core";
import type { AdminPlace } from "@hansa/xds";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { successesAt, TrafficEvidence } from "./traffic.ts";

const GATEWAY = { address: "127.16.2.1", port: 15_443 };

/** As Envoy 1.40 answers `/clusters?format=json`; zero counters have no value. */
const clusters = (successes: number, at = GATEWAY) => ({
  cluster_statuses: [
    { name: "agent", host_statuses: [{ address: { pipe: { path: "/run/x.sock" } }, stats: [] }] },
    {
      name: "http.pay.shop.svc.lab.hansa",
      host_statuses: [
        {
          address: { socket_address: { address: at.address, port_value: at.port } },
          stats: [
            { name: "cx_total", value: "7" },
            { name: "rq_success", ...(successes === 0 ? {} : { value: String(successes) }) },
          ],
          health_status: { eds_health_status: "HEALTHY" },
        },
      ],
    },
  ],
});

let folder: string;
let server: Server;
let envoy: AdminPlace;
let answer: unknown;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "hansa-traffic-"));
  const path = join(folder, "e.admin");
  envoy = { path };
  server = createServer((_request, response) => void response.end(JSON.stringify(answer)));
  await new Promise<void>((resolve) => server.listen(path, resolve));
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

test("calls that succeed between two looks reach the peer", async () => {
  const traffic = new TrafficEvidence(systemClock, () => [envoy]);
  answer = clusters(5);
  expect(await traffic.reaches("us", [GATEWAY])).toBe(false);
  expect(await traffic.reaches("us", [GATEWAY])).toBe(false);
  answer = clusters(6);
  expect(await traffic.reaches("us", [GATEWAY])).toBe(true);
  expect(await traffic.reaches("us", [GATEWAY])).toBe(false);
});

test("calls of before the trouble, to others, or of an Envoy that began anew tell nothing", async () => {
  let nowMs = 0;
  const clock = { ...systemClock, monotonicMs: () => nowMs };
  const traffic = new TrafficEvidence(clock, () => [envoy]);
  answer = clusters(5);
  await traffic.reaches("us", [GATEWAY]);
  nowMs += 60_000;
  answer = clusters(500);
  expect(await traffic.reaches("us", [GATEWAY])).toBe(false);
  answer = clusters(900, { ...GATEWAY, port: 1 });
  expect(await traffic.reaches("us", [GATEWAY])).toBe(false);
  answer = clusters(1);
  expect(await traffic.reaches("us", [GATEWAY])).toBe(true);
  answer = clusters(0);
  expect(await traffic.reaches("us", [GATEWAY])).toBe(false);
});

test("an Envoy that is not there, hangs or talks nonsense holds nothing up", async () => {
  const hanging = createServer(() => {});
  const path = join(folder, "h.admin");
  await new Promise<void>((resolve) => hanging.listen(path, resolve));
  answer = "nonsense";
  const places = [{ path }, { path: join(folder, "none") }, { address: "127.0.0.1", port: 1 }, envoy];
  const startedMs = performance.now();
  expect(await new TrafficEvidence(systemClock, () => places).reaches("us", [GATEWAY])).toBe(false);
  expect(performance.now() - startedMs).toBeLessThan(2000);
  hanging.closeAllConnections();
  hanging.close();
});

test("counting is total", () => {
  fc.assert(
    fc.property(fc.anything(), (value) => {
      expect(successesAt([GATEWAY], value)).toBeGreaterThanOrEqual(0);
    }),
  );
});

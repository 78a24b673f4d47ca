/**
 * The server under test as a process of its own: the ADS server of @hansa/ads over a layer of @hansa/xds, exactly as an agent
 * runs it, behind the same control API as the Go peer:
 *   POST /step   changes the weight of the first endpoint of the next assignment; the server makes and encodes it itself
 *   GET /usage   {cpuUs}: user and system time of the whole process
 * So no side pays for a control plane that the other has not: a round costs one small HTTP request on either.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";
import { serveAds } from "@hansa/ads";
import { noMetrics, silentLog, systemClock, systemTimers } from "@hansa/core";
import { encodeClusterLoadAssignment, ResourceLayer, TYPE_URL } from "@hansa/xds";
import { assignment, nameOf } from "./assignments.ts";

const text = { type: "string" } as const;
const { values } = parseArgs({
  options: { names: text, endpoints: text, cert: text, key: text, ca: text },
});
const names = Number(values.names);
const endpoints = Number(values.endpoints);
const pem = (file: string | undefined): string => readFileSync(file ?? "", "utf8");

const layer = new ResourceLayer({ sha256: (data) => createHash("sha256").update(data).digest() });
const encoded = (index: number, weight: number) =>
  [nameOf(index), encodeClusterLoadAssignment(assignment(index, endpoints, weight))] as const;
layer.update(
  TYPE_URL.endpoint,
  Array.from({ length: names }, (_, index) => encoded(index, 1)),
);

let steps = 0;
function step(): void {
  const index = steps % names;
  steps += 1;
  layer.update(TYPE_URL.endpoint, [encoded(index, 1 + steps)]);
}

function cpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

const tls =
  values.cert === undefined
    ? {}
    : { tls: { certPem: pem(values.cert), keyPem: pem(values.key), clientCaPem: pem(values.ca) } };
const ads = await serveAds({
  listen: { host: "127.0.0.1", port: 0, ...tls },
  layers: [layer],
  clock: systemClock,
  timers: systemTimers,
  log: silentLog,
  metrics: noMetrics,
});
const control = createServer((request, response) => {
  const route = `${request.method} ${request.url}`;
  if (route === "GET /usage") response.end(JSON.stringify({ cpuUs: cpuUs() }));
  else if (route === "POST /step") {
    step();
    response.writeHead(204).end();
  } else response.writeHead(404).end();
});
control.listen(0, "127.0.0.1", () => {
  const { port } = control.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ address: ads.address, control: `http://127.0.0.1:${port}` })}\n`);
});
process.stdin.resume().on("end", () => process.exit(0));

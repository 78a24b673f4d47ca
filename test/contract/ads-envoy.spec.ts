// The ADS server against a real Envoy over the unix socket that was made for it.
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Acked, type AdsServer, type Refused, serveAds } from "@hansa/ads";
import { noMetrics, silentLog, systemClock, systemTimers } from "@hansa/core";
import {
  encodeClusterLoadAssignment,
  envoyArguments,
  envoyBootstrap,
  proto,
  ResourceLayer,
  shortType,
  TYPE_URL,
} from "@hansa/xds";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Child, freePort, startChild } from "../../deploy/tools/child.ts";
import { envoyBinary } from "../../deploy/tools/paths.mjs";
import { type App, httpApp } from "./envoy/apps.ts";

const HOST = "127.78.0.1";
const OWNER = "shop/web/web-1";
const { cluster, endpoint, listener, route } = TYPE_URL;
const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest();

let dir: string;
let layer: ResourceLayer;
let server: AdsServer | undefined;
let envoy: Child | undefined;
let adminPort: number;
let acks: Acked[];
let nacks: Refused[];
const apps: App[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hansa-ads-"));
  layer = new ResourceLayer({ sha256 });
  acks = [];
  nacks = [];
});

afterEach(async () => {
  await envoy?.kill();
  await server?.close();
  for (const app of apps.splice(0)) await app.close();
  envoy = undefined;
  server = undefined;
  rmSync(dir, { recursive: true, force: true });
});

const path = () => join(dir, "s", "web-1.sock");

async function serve(owner = OWNER, layers = [layer]): Promise<void> {
  server = await serveAds({
    listen: { path: path() },
    layers,
    owner,
    clock: systemClock,
    timers: systemTimers,
    log: silentLog,
    metrics: noMetrics,
    onAck: (acked) => acks.push(acked),
    onNack: (refused) => nacks.push(refused),
  });
}

async function startEnvoy(isReady: () => Promise<boolean> = isLive): Promise<void> {
  adminPort = await freePort(HOST);
  const bootstrap = envoyBootstrap({
    nodeId: OWNER,
    cluster: "test",
    adsSocketPath: path(),
    admin: { address: HOST, port: adminPort },
    locality: { region: "r", zone: "z" },
  });
  const bootstrapPath = join(dir, "envoy.json");
  writeFileSync(bootstrapPath, JSON.stringify(bootstrap));
  envoy = await startChild({
    argv: [envoyBinary(), ...envoyArguments({ bootstrapPath, drainSeconds: 1 })],
    log: join(dir, "envoy.log"),
    stopSignal: "SIGTERM",
    isReady,
  });
}

const admin = async (query: string): Promise<string> =>
  await (await fetch(`http://${HOST}:${adminPort}${query}`)).text();
const isLive = async (): Promise<boolean> => (await admin("/ready").catch(() => "")).startsWith("LIVE");

async function stat(name: string): Promise<number> {
  const line = (await admin(`/stats?filter=${encodeURIComponent(`^${name}$`)}`)).trim();
  return line === "" ? 0 : Number(line.slice(line.lastIndexOf(":") + 1));
}

async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  withinMs = 5000,
): Promise<void> {
  const untilMs = Date.now() + withinMs;
  while (!(await holds())) {
    if (Date.now() > untilMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await sleep(5);
  }
}

const acked = (typeUrl: string, revision: number) =>
  eventually(`ACK of ${shortType(typeUrl)} ${revision}`, () =>
    acks.some((one) => one.typeUrl === typeUrl && one.revision >= revision),
  );

const json = <Desc extends proto.DescMessage>(schema: Desc, value: proto.JsonValue): Uint8Array =>
  proto.toBinary(schema, proto.fromJson(schema, value, { registry: proto.registry }));

const ads = { ads: {}, resourceApiVersion: "V3" };
const clusterOf = (name: string, timeoutMs = 1000) =>
  json(proto.ClusterSchema, {
    name,
    type: "EDS",
    connectTimeout: `${timeoutMs / 1000}s`,
    edsClusterConfig: { edsConfig: ads },
  });
const endpointsOf = (name: string, ...ports: number[]) =>
  encodeClusterLoadAssignment({
    clusterName: name,
    localities: [{ region: "r", priority: 0, endpoints: ports.map((port) => ({ address: HOST, port })) }],
  });
const routeOf = (name: string, to: string) =>
  json(proto.RouteConfigurationSchema, {
    name,
    virtualHosts: [
      { name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster: to } }] },
    ],
  });
const type = (name: string) => `type.googleapis.com/envoy.extensions.filters.${name}`;
const listenerOf = (port: number, filter = "envoy.filters.http.router") =>
  json(proto.ListenerSchema, {
    name: "web",
    address: { socketAddress: { address: HOST, portValue: port } },
    filterChains: [
      {
        filters: [
          {
            name: "http",
            typedConfig: {
              "@type": type("network.http_connection_manager.v3.HttpConnectionManager"),
              statPrefix: "web",
              rds: { routeConfigName: "web", configSource: ads },
              httpFilters: [
                filter === "envoy.filters.http.router"
                  ? { name: filter, typedConfig: { "@type": type("http.router.v3.Router") } }
                  : { name: filter },
              ],
            },
          },
        ],
      },
    ],
  });

async function app(name: string): Promise<number> {
  const port = await freePort(HOST);
  apps.push(await httpApp(name, HOST, port));
  return port;
}

/** A listener on a free port whose route leads to `name`. */
async function web(name: string, appPort: number): Promise<string> {
  const port = await freePort(HOST);
  layer.commit([
    [cluster, [[name, clusterOf(name)]]],
    [endpoint, [[name, endpointsOf(name, appPort)]]],
    [listener, [["web", listenerOf(port)]]],
    [route, [["web", routeOf("web", name)]]],
  ]);
  return `http://${HOST}:${port}/`;
}

const nameOf = async (url: string): Promise<string> =>
  ((await (await fetch(url)).json()) as { name: string }).name;

test("an Envoy with a cluster without endpoints is LIVE within a second of its first request", async () => {
  layer.update(cluster, [
    ["empty", clusterOf("empty")],
    ["also-empty", clusterOf("also-empty")],
  ]);
  await serve();
  await startEnvoy(async () => (server?.status().streams ?? 0) > 0);
  const startMs = performance.now();
  await eventually("LIVE", isLive, 1000);
  expect(performance.now() - startMs).toBeLessThan(1000);
  expect(await stat("cluster_manager.warming_clusters")).toBe(0);
  expect(await stat("cluster.empty.init_fetch_timeout")).toBe(0);
  const appPort = await app("late");
  const revision = layer.update(endpoint, [["empty", endpointsOf("empty", appPort)]]);
  await acked(endpoint, revision);
  expect(await stat("cluster.empty.membership_total")).toBe(1);
});

test("changes of endpoints are acknowledged by revision and take effect", async () => {
  const [a, b] = [await app("a"), await app("b")];
  await serve();
  const url = await web("pay", a);
  await startEnvoy();
  await eventually("an answer", async () => (await nameOf(url).catch(() => "")) === "a");
  const tookMs: number[] = [];
  for (let round = 0; round < 20; round += 1) {
    const startMs = performance.now();
    const revision = layer.update(endpoint, [["pay", endpointsOf("pay", round % 2 === 0 ? b : a)]]);
    while (!acks.some((one) => one.typeUrl === endpoint && one.revision >= revision)) await sleep(1);
    tookMs.push(performance.now() - startMs);
    expect(await nameOf(url)).toBe(round % 2 === 0 ? "b" : "a");
  }
  expect(tookMs.sort((x, y) => x - y)[10]).toBeLessThan(100);
  expect(nacks).toEqual([]);
});

test("a changed cluster does not stay warming although its endpoints are the same", async () => {
  const appPort = await app("a");
  await serve();
  const url = await web("pay", appPort);
  await startEnvoy();
  for (let timeoutMs = 1001; timeoutMs < 1006; timeoutMs += 1) {
    await acked(cluster, layer.update(cluster, [["pay", clusterOf("pay", timeoutMs)]]));
    await eventually(
      "no warming cluster",
      async () => (await stat("cluster_manager.warming_clusters")) === 0,
      1000,
    );
    expect(await nameOf(url)).toBe("a");
  }
  const dump = await admin("/config_dump?resource=dynamic_active_clusters");
  expect(dump).toContain("1.005s");
  expect(await stat("cluster.pay.init_fetch_timeout")).toBe(0);
});

test("one commit swaps cluster, endpoints and route: no request fails", { timeout: 30_000 }, async () => {
  const appPort = await app("a");
  await serve();
  const url = await web("pay-0", appPort);
  await startEnvoy();
  await eventually("an answer", async () => (await nameOf(url).catch(() => "")) === "a");
  let done = false;
  const statuses = new Map<number, number>();
  const caller = async () => {
    while (!done) {
      const response = await fetch(url);
      await response.arrayBuffer();
      statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
    }
  };
  const callers = [caller(), caller(), caller()];
  for (let round = 1; round <= 40; round += 1) {
    const [before, after] = [`pay-${round - 1}`, `pay-${round}`];
    const revision = layer.commit([
      [
        cluster,
        [
          [after, clusterOf(after)],
          [before, null],
        ],
      ],
      [
        endpoint,
        [
          [after, endpointsOf(after, appPort)],
          [before, null],
        ],
      ],
      [route, [["web", routeOf("web", after)]]],
    ]);
    if (round % 2 === 0) await acked(cluster, revision);
    else await sleep(5);
  }
  await acked(cluster, layer.revision);
  done = true;
  await Promise.all(callers);
  expect([...statuses.keys()]).toEqual([200]);
  expect(await stat("cluster_manager.warming_clusters")).toBe(0);
  expect(await stat("cluster_manager.active_clusters")).toBe(2);
});

test("a refused listener leaves the last good one in force, for a restarted Envoy too", async () => {
  const appPort = await app("a");
  await serve();
  const url = await web("pay", appPort);
  await startEnvoy();
  const port = Number(new URL(url).port);
  layer.update(listener, [["web", listenerOf(port, "hansa.no.such.filter")]]);
  await eventually("a NACK", () => nacks.length > 0);
  expect(nacks[0]).toMatchObject({ typeUrl: listener, blamed: ["web"] });
  expect(nacks[0]?.nack.message).toContain("hansa.no.such.filter");
  expect(await nameOf(url)).toBe("a");
  const status = () => server?.status().types.find(({ typeUrl }) => typeUrl === listener);
  expect(status()?.nack?.message).toContain("hansa.no.such.filter");
  await envoy?.kill();
  await startEnvoy();
  expect(await nameOf(url)).toBe("a");
  expect(status()?.nack?.message).toContain("hansa.no.such.filter");
  // The content that Envoy has already: nothing needs to be sent, and nothing is refused any more.
  const revision = layer.update(listener, [["web", listenerOf(port)]]);
  expect(status()).toMatchObject({ nack: undefined, acked: revision });
});

test("a server that comes back with the same content sends nothing; a crashed one's socket is no obstacle", async () => {
  const appPort = await app("a");
  await serve();
  const url = await web("pay", appPort);
  await startEnvoy();
  await eventually("an answer", async () => (await nameOf(url).catch(() => "")) === "a");
  const before = await stat("cluster.pay.update_success");
  const entries = [cluster, endpoint, listener, route].map(
    (typeUrl) =>
      [
        typeUrl,
        [...layer.names(typeUrl)].map((name) => [name, layer.get(typeUrl, name)?.message ?? null] as const),
      ] as const,
  );
  await server?.close();
  expect(existsSync(path())).toBe(false);
  layer = new ResourceLayer({ sha256 });
  layer.commit(entries);
  await serve();
  await eventually("a stream", () => (server?.status().streams ?? 0) > 0);
  await acked(cluster, 0);
  await sleep(200);
  expect(await stat("cluster.pay.update_success")).toBe(before);
  expect(await nameOf(url)).toBe("a");
  const other = await app("b");
  await acked(endpoint, layer.update(endpoint, [["pay", endpointsOf("pay", other)]]));
  expect(await nameOf(url)).toBe("b");
});

test("an Envoy on a socket that was made for another gets nothing", async () => {
  layer.update(cluster, [["secret-cluster", clusterOf("secret-cluster")]]);
  await serve("shop/pay/pay-1");
  await startEnvoy(async () => (await stat("control_plane.connected_state").catch(() => -1)) >= 0);
  await sleep(500);
  expect(await isLive()).toBe(false);
  expect(await admin("/clusters")).not.toContain("secret-cluster");
  expect(acks).toEqual([]);
});

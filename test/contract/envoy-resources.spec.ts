/**
 * What the generator makes, on real Envoys: client sidecar (us) → gateway (eu) → server sidecars (eu) → applications,
 * two trust domains, every resource by ADS. Each test states a fact that a user sees.
 */
import { connect as connectTls } from "node:tls";
import { agentId, gatewayId, systemClock, systemTimers } from "@hansa/core";
import { newSvid, probeGateway } from "@hansa/identity";
import { gatewayResources, type Resources, type SidecarInput, sidecarResources } from "@hansa/xds";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type App, grpcApp, httpApp, tcpApp } from "./envoy/apps.ts";
import { call, grpcCall, h2, keepAlive, tcpLine } from "./envoy/calls.ts";
import {
  cluster,
  domain,
  FEDERATION,
  GRPC,
  HTTP,
  healthy,
  hostOf,
  id,
  locality,
  type RunningProxy,
  servingOf,
  sniOf,
  TCP,
  viewOf,
  World,
} from "./envoy/world.ts";

const world = new World(20 + (process.pid % 200), ["eu", "us", "ap"]);
const CLIENT = world.address(2, 10);
const GATEWAY = world.address(1, 1);
const SERVERS = [world.address(1, 10), world.address(1, 11)];
const gatewayAt = healthy(GATEWAY, 15_443, 2);
const sidecars = SERVERS.map((address) => healthy(address, 15_006));
const callers = [{ kind: "exact", value: id("us", "web") }] as const;
const PORTS = [HTTP, GRPC, TCP];
const TCP_PORT = 16_000;

const serving = PORTS.map((port) => servingOf("pay", port, sidecars, callers));
const views = PORTS.map((port) => viewOf("pay", port, ["eu"], [locality("eu", 0, "gateway", [gatewayAt])]));

const clientInput = (more: Partial<SidecarInput> = {}): SidecarInput => ({
  federation: FEDERATION,
  self: { cluster: cluster("us"), region: "us-1", zone: "" },
  proxy: {
    id: "shop/web/web-1",
    trustDomain: domain("us"),
    spiffeId: id("us", "web"),
    listen: { address: CLIENT, outboundPort: 15_001, inboundPort: 15_006 },
    apps: new Map(),
  },
  views,
  serving: [],
  tcpPorts: new Map([[sniOf("pay", TCP), TCP_PORT]]),
  svid: world.svid("us", "web"),
  bundles: world.bundles("us", "eu"),
  ...more,
});

const serverInput = (address: string, more: Partial<SidecarInput> = {}): SidecarInput => ({
  federation: FEDERATION,
  self: { cluster: cluster("eu"), region: "eu-1", zone: "" },
  proxy: {
    id: "shop/pay/pay-1",
    trustDomain: domain("eu"),
    spiffeId: id("eu", "pay"),
    listen: { address, outboundPort: 15_001, inboundPort: 15_006 },
    apps: new Map([
      [sniOf("pay", HTTP), { address, port: 8080, protocol: "http" }],
      [sniOf("pay", GRPC), { address, port: 9090, protocol: "grpc" }],
      [sniOf("pay", TCP), { address, port: 5432, protocol: "tcp" }],
    ]),
  },
  views: [],
  serving,
  tcpPorts: new Map(),
  svid: world.svid("eu", "pay"),
  bundles: world.bundles("eu", "us"),
  ...more,
});

const gatewayInput = {
  federation: FEDERATION,
  cluster: cluster("eu"),
  listen: { address: GATEWAY, port: 15_443 },
  serving: [...serving, servingOf("secret", HTTP, sidecars, callers, false)],
  members: [cluster("eu"), cluster("us")],
  svid: newSvid(world.authority("eu"), gatewayId(domain("eu"))),
  bundles: world.bundles(),
};

let client: RunningProxy;
let gateway: RunningProxy;
let servers: RunningProxy[];
const apps: App[] = [];

const pay = (options: Parameters<typeof call>[3] = {}) => call(CLIENT, 15_001, hostOf("pay"), options);
const restore = async (): Promise<void> => {
  await client.ads.push(sidecarResources(clientInput()));
  for (const [index, server] of servers.entries())
    await server.ads.push(sidecarResources(serverInput(SERVERS[index] as string)));
};

beforeAll(async () => {
  for (const [index, address] of SERVERS.entries()) {
    const name = `pay-${index + 1}`;
    apps.push(
      await httpApp(name, address, 8080),
      await grpcApp(name, address, 9090),
      await tcpApp(name, address, 5432),
    );
  }
  for (const app of apps) world.onClose(() => app.close());
  [client, gateway, ...servers] = (await Promise.all([
    world.proxy("client", CLIENT, sidecarResources(clientInput())),
    world.proxy("gateway", GATEWAY, gatewayResources(gatewayInput)),
    ...SERVERS.map((address, index) =>
      world.proxy(`server-${index + 1}`, address, sidecarResources(serverInput(address))),
    ),
  ])) as [RunningProxy, RunningProxy, ...RunningProxy[]];
});
afterAll(() => world.close());

test("no Envoy refused anything of what the generator made", () => {
  expect([client, gateway, ...servers].flatMap((proxy) => proxy.ads.nacks)).toEqual([]);
});

test("a call across clusters arrives with the caller's verified identity", async () => {
  const forged = {
    "x-forwarded-client-cert": `URI=${id("eu", "admin")}`,
    "x-envoy-upstream-rq-timeout-ms": "1",
  };
  const answer = await pay({ headers: forged });
  expect(answer.status, answer.body + client.log()).toBe(200);
  const seen = JSON.parse(answer.body);
  expect(seen.headers["x-forwarded-client-cert"]).toMatch(
    new RegExp(`^By=${id("eu", "pay")};Hash=[0-9a-f]{64};URI=${id("us", "web")}$`),
  );
  expect(answer.headers).not.toHaveProperty("x-hansa-unsent");
  expect(answer.headers).not.toHaveProperty("x-envoy-upstream-service-time");
});

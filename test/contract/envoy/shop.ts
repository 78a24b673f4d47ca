/**
 * A small shop on real Envoys: client sidecar (us) → gateway (eu) → two server sidecars (eu) → applications. Two trust
 * domains, every resource made by the generator and served by ADS.
 */
import { gatewayId } from "@hansa/core";
import { newSvid } from "@hansa/identity";
import { gatewayResources, type SidecarInput, sidecarResources } from "@hansa/xds";
import { type App, grpcApp, httpApp, tcpApp } from "./apps.ts";
import { call } from "./calls.ts";
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
  MAIL,
  type RunningProxy,
  servingOf,
  sniOf,
  TCP,
  viewOf,
  World,
} from "./world.ts";

export const world = await World.create(["eu", "us", "ap"]);
export const CLIENT = world.address(2, 10);
export const GATEWAY = world.address(1, 1);
export const SERVERS = [world.address(1, 10), world.address(1, 11)];
export const gatewayAt = healthy(GATEWAY, 15_443, 2);
export const sidecars = SERVERS.map((address) => healthy(address, 15_006));
export const callers = [{ kind: "exact", value: id("us", "web") }] as const;
export const PORTS = [HTTP, GRPC, TCP, MAIL];
export const TCP_PORT = 16_000;

export const serving = PORTS.map((port) => servingOf("pay", port, sidecars, callers));
export const views = PORTS.map((port) =>
  viewOf("pay", port, ["eu"], [locality("eu", 0, "gateway", [gatewayAt])]),
);

export const clientInput = (more: Partial<SidecarInput> = {}): SidecarInput => ({
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

export const serverInput = (address: string, more: Partial<SidecarInput> = {}): SidecarInput => ({
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
      [sniOf("pay", MAIL), { address, port: 2525, protocol: "tcp" }],
    ]),
  },
  views: [],
  serving,
  tcpPorts: new Map(),
  svid: world.svid("eu", "pay"),
  bundles: world.bundles("eu", "us"),
  ...more,
});

export const gatewayInput = {
  federation: FEDERATION,
  cluster: cluster("eu"),
  listen: { address: GATEWAY, port: 15_443 },
  serving: [...serving, servingOf("secret", HTTP, sidecars, callers, false)],
  members: [cluster("eu"), cluster("us")],
  svid: newSvid(world.authority("eu"), gatewayId(domain("eu"))),
  bundles: world.bundles(),
};

export const apps: App[] = [];
for (const [index, address] of SERVERS.entries()) {
  const name = `pay-${index + 1}`;
  apps.push(
    await httpApp(name, address, 8080),
    await grpcApp(name, address, 9090),
    await tcpApp(name, address, 5432),
    await tcpApp(name, address, 2525, "welcome"),
  );
}
for (const app of apps) world.onClose(() => app.close());

export const [client, gateway, ...servers] = (await Promise.all([
  world.proxy("client", CLIENT, sidecarResources(clientInput())),
  world.proxy("gateway", GATEWAY, gatewayResources(gatewayInput)),
  ...SERVERS.map((address, index) =>
    world.proxy(`server-${index + 1}`, address, sidecarResources(serverInput(address))),
  ),
])) as [RunningProxy, RunningProxy, ...RunningProxy[]];

export const pay = (options: Parameters<typeof call>[3] = {}) => call(CLIENT, 15_001, hostOf("pay"), options);

/** Everything as it was at the start. */
export async function restore(): Promise<void> {
  await client.ads.push(sidecarResources(clientInput()));
  for (const [index, server] of servers.entries())
    await server.ads.push(sidecarResources(serverInput(SERVERS[index] as string)));
}

/** What reached an application: requests, lines, greeted connections. */
export const reached = (): number[] => apps.map((app) => app.served.count);

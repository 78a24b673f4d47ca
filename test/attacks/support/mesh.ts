/**
 * The smallest mesh that can be attacked: us's client sidecar → eu's gateway → eu's server sidecar → application, and a
 * hostile cluster that is a member with a CA of its own. Real Envoys; everything they get is made by the generator.
 */
import { gatewayId } from "@hansa/core";
import { newSvid, toPem } from "@hansa/identity";
import { gatewayResources, type Resources, type SidecarInput, sidecarResources } from "@hansa/xds";
import { httpApp } from "../../contract/envoy/apps.ts";
import { call } from "../../contract/envoy/calls.ts";
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
  viewOf,
  World,
} from "../../contract/envoy/world.ts";

export const world = await World.create(["eu", "us", "evil"]);
export const SERVER = world.address(1, 10);
export const GATEWAY = world.address(1, 1);
export const CLIENT = world.address(2, 10);
/** Where the attacker's own servers stand. */
export const EVIL = world.address(3, 66);

/** eu's `pay` may be called by us's `web`; `quote`, beside it on the same sidecar, by everybody of evil's. */
export const serving = [
  servingOf("pay", HTTP, [healthy(SERVER, 15_006)], [{ kind: "exact", value: id("us", "web") }]),
  servingOf(
    "quote",
    GRPC,
    [healthy(SERVER, 15_006)],
    [{ kind: "prefix", value: `spiffe://${domain("evil")}/` }],
  ),
];
export const payFrom = (address: string, port: number) =>
  viewOf("pay", HTTP, ["eu"], [locality("eu", 0, "gateway", [healthy(address, port)])]);

export const clientResources = (more: Partial<SidecarInput> = {}): Resources =>
  sidecarResources({
    federation: FEDERATION,
    self: { cluster: cluster("us"), region: "us-1", zone: "" },
    proxy: {
      id: "shop/web/web-1",
      trustDomain: domain("us"),
      spiffeId: id("us", "web"),
      listen: { address: CLIENT, outboundPort: 15_001, inboundPort: 15_006 },
      apps: new Map(),
    },
    views: [payFrom(GATEWAY, 15_443)],
    serving: [],
    tcpPorts: new Map(),
    svid: world.svid("us", "web"),
    bundles: world.bundles(),
    ...more,
  });

export const serverResources = (): Resources =>
  sidecarResources({
    federation: FEDERATION,
    self: { cluster: cluster("eu"), region: "eu-1", zone: "" },
    proxy: {
      id: "shop/pay/pay-1",
      trustDomain: domain("eu"),
      spiffeId: id("eu", "pay"),
      listen: { address: SERVER, outboundPort: 15_001, inboundPort: 15_006 },
      apps: new Map([
        [sniOf("pay", HTTP), { address: SERVER, port: 8080, protocol: "http" }],
        [sniOf("quote", GRPC), { address: SERVER, port: 8080, protocol: "http" }],
      ]),
    },
    views: [],
    serving,
    tcpPorts: new Map(),
    svid: world.svid("eu", "pay"),
    bundles: world.bundles(),
  });

/** `exported`: whether `vault`, which runs behind the same sidecars, is exported too. */
export const gatewayOf = (exported: boolean): Resources =>
  gatewayResources({
    federation: FEDERATION,
    cluster: cluster("eu"),
    listen: { address: GATEWAY, port: 15_443 },
    serving: [...serving, servingOf("vault", HTTP, [healthy(SERVER, 15_006)], [], exported)],
    members: [cluster("eu"), cluster("us"), cluster("evil")],
    svid: newSvid(world.authority("eu"), gatewayId(domain("eu"))),
    bundles: world.bundles(),
  });

export const app = await httpApp("pay", SERVER, 8080);
world.onClose(() => app.close());

export const [client, gateway, server] = (await Promise.all([
  world.proxy("client", CLIENT, clientResources()),
  world.proxy("gateway", GATEWAY, gatewayOf(false)),
  world.proxy("server", SERVER, serverResources()),
])) as [RunningProxy, RunningProxy, RunningProxy];

export const rootsPem = ["eu", "us", "evil"].map((name) => toPem(world.authority(name).rootDer));

/** What us's application gets when it calls `pay`. */
export const pay = (headers: Record<string, string> = {}) =>
  call(CLIENT, 15_001, hostOf("pay"), { headers, method: "POST", body: "card 4711" });

/** New connections see what was pushed; old ones were judged before. */
export async function pushClient(resources: Resources): Promise<void> {
  await client.ads.push(clientResources({ views: [] }));
  await client.ads.push(resources);
}

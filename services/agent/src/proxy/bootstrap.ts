/** What an Envoy of this cluster is started with. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { envoyBootstrap } from "@hansa/xds";
import type { AgentConfig } from "../config.ts";
import { adminPlaceOf } from "./admin-place.ts";
import type { LocalProxy } from "./inventory.ts";
import type { ProxySockets } from "./sockets.ts";

export interface BootstrapContext {
  readonly config: AgentConfig;
  readonly sockets: ProxySockets;
}

export const bootstrapOf = ({ config, sockets }: BootstrapContext, proxy: LocalProxy): object =>
  envoyBootstrap({
    nodeId: proxy.id,
    cluster: config.cluster,
    adsSocketPath: sockets.path(proxy.id),
    admin: adminPlaceOf(proxy, sockets, config.sidecar.adminPort),
    locality: { region: config.region, zone: proxy.zone },
  });

/** `gateway-<name>.json` beside the sockets: a gateway in the agent's own pod starts with it and asks nobody. */
export function writeGatewayBootstraps(context: BootstrapContext, proxies: Iterable<LocalProxy>): void {
  mkdirSync(context.config.socketDir, { recursive: true, mode: 0o700 });
  for (const proxy of proxies)
    if (proxy.kind === "gateway")
      writeFileSync(
        join(context.config.socketDir, `${proxy.id.replaceAll("/", "-")}.json`),
        JSON.stringify(bootstrapOf(context, proxy)),
        { mode: 0o600 },
      );
}

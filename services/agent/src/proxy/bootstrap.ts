/** What an Envoy of this cluster is started with. */
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

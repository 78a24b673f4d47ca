/** Where a proxy's own admin interface is. */
import { agentId, type SpiffeId, type TrustDomain } from "@hansa/core";
import type { BundleValue } from "@hansa/events";
import { rootsPem, type Svid } from "@hansa/identity";
import { type AdminPlace, inspectSni } from "@hansa/xds";
import type { AgentConfig } from "../config.ts";
import type { EnvoyPlace } from "./envoy-admin.ts";
import type { LocalProxy } from "./inventory.ts";
import type { ProxySockets } from "./sockets.ts";

/**
 * A loopback address is one proxy's alone. Proxies on other addresses may share a machine, where they would contend for
 * one loopback port, and theirs is nobody else's business: a socket in the agent's own folder.
 */
export const adminPlaceOf = (
  { id, address }: Pick<LocalProxy, "id" | "address">,
  sockets: Pick<ProxySockets, "adminPath">,
  port: number,
): AdminPlace => (address.startsWith("127.") ? { address, port } : { path: sockets.adminPath(id) });

export interface Looker {
  readonly config: Pick<AgentConfig, "sidecar">;
  readonly trustDomain: TrustDomain;
  readonly sockets: Pick<ProxySockets, "adminPath">;
  readonly svids: { get(id: SpiffeId): Svid };
  bundle(): BundleValue;
}

/** Where the agent itself asks; undefined where a pod has no address yet. */
export function envoyPlaceOf(proxy: LocalProxy, agent: Looker): EnvoyPlace | undefined {
  const { config, trustDomain, sockets, svids } = agent;
  if (proxy.kind !== "sidecar" || proxy.pod === undefined)
    return adminPlaceOf(proxy, sockets, config.sidecar.adminPort);
  if (proxy.address === "") return undefined;
  return {
    address: proxy.address,
    port: proxy.inboundPort,
    sni: inspectSni(trustDomain),
    roots: rootsPem(agent.bundle()),
    expectedId: proxy.spiffeId,
    svid: svids.get(agentId(trustDomain)),
  };
}

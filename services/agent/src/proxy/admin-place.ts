/** Where a proxy's own admin interface is. */
import type { AdminPlace } from "@hansa/xds";
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

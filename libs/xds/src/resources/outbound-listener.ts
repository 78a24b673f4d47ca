/** What the application dials: one HTTP listener for all services, and one TCP listener per plain TCP service port. */

import type { ServicePortView } from "@hansa/model";
import { ListenerSchema } from "../../gen/index.ts";
import { listenerLog } from "./access-log.ts";
import { entryManager, outboundManager } from "./http-manager.ts";
import { isHttp } from "./http-protocol.ts";
import { listenerFrame } from "./listener-frame.ts";
import { encoded } from "./message.ts";
import { entryListenerName, OUTBOUND_LISTENER, tcpListenerName } from "./names.ts";
import { entryRoutes } from "./outbound-routes.ts";
import { connectingTcpProxy } from "./tcp-proxy.ts";

/** Does not depend on the services: they come by RDS. */
export const outboundListenerFor = (address: string, port: number): Uint8Array =>
  encoded(ListenerSchema, {
    ...listenerFrame({
      name: OUTBOUND_LISTENER,
      address,
      port,
      direction: "outbound",
      log: listenerLog("outbound_cx"),
    }),
    filterChains: [{ name: "http", filters: [outboundManager()] }],
  });

/** Where pods without a proxy come in that call an import by its cluster-set address (gateway mode). */
export const entryListenerFor = (view: ServicePortView, address: string, port: number): Uint8Array =>
  encoded(ListenerSchema, {
    ...listenerFrame({
      name: entryListenerName(view.sni),
      address,
      port,
      direction: "outbound",
      log: listenerLog("outbound_cx"),
    }),
    filterChains: [
      isHttp(view.port.protocol)
        ? { name: "http", filters: [entryManager(entryRoutes(view))] }
        : { name: "tcp", filters: [connectingTcpProxy("entry", view.sni)] },
    ],
  });

export const tcpListenerFor = (sni: string, address: string, port: number): Uint8Array =>
  encoded(ListenerSchema, {
    ...listenerFrame({
      name: tcpListenerName(sni),
      address,
      port,
      direction: "outbound",
      log: listenerLog("outbound_cx"),
    }),
    filterChains: [{ name: "tcp", filters: [connectingTcpProxy("outbound_tcp", sni)] }],
  });

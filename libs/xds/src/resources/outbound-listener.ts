/** What the application dials: one HTTP listener for all services, and one TCP listener per plain TCP service port. */
import { ListenerSchema } from "../../gen/index.ts";
import { listenerLog } from "./access-log.ts";
import { outboundManager } from "./http-manager.ts";
import { listenerFrame } from "./listener-frame.ts";
import { encoded } from "./message.ts";
import { OUTBOUND_LISTENER, tcpListenerName } from "./names.ts";
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

/** What the application dials: one HTTP listener for all services, and one TCP listener per plain TCP service port. */

import type { ServicePortView } from "@hansa/model";
import { ListenerSchema } from "../../gen/index.ts";
import { listenerLog } from "./access-log.ts";
import { entryManager, outboundManager } from "./http-manager.ts";
import { isHttp } from "./http-protocol.ts";
import { listenerFrame } from "./listener-frame.ts";
import { cidrRange, encoded } from "./message.ts";
import { entryListenerName, OUTBOUND_LISTENER, tcpListenerName, vipListenerName } from "./names.ts";
import { anyHostRoutes } from "./outbound-routes.ts";
import { connectingTcpProxy, passingTcpProxy, refusingTcpProxy } from "./tcp-proxy.ts";

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
        ? { name: "http", filters: [entryManager(anyHostRoutes(view))] }
        : { name: "tcp", filters: [connectingTcpProxy("entry", view.sni)] },
    ],
  });

/**
 * Where connections are taken (envoy-dataplane §10): hands each to the listener of its destination. What has none goes
 * where it was meant for, but never back here (one connection became 1028), nor on to an address of the mesh that stands
 * for nothing.
 */
export const takingListenerFor = (address: string, port: number, vipRanges: readonly string[]): Uint8Array =>
  encoded(ListenerSchema, {
    ...listenerFrame({
      name: OUTBOUND_LISTENER,
      address,
      port,
      direction: "outbound",
      log: listenerLog("outbound_cx"),
      intercepts: "taken",
    }),
    filterChains: [
      {
        name: "loop",
        filterChainMatch: { destinationPort: port },
        filters: [refusingTcpProxy("loop")],
      },
      {
        name: "unknown-vip",
        filterChainMatch: { prefixRanges: vipRanges.map(cidrRange) },
        filters: [refusingTcpProxy("unknown_vip")],
      },
    ].filter(({ filterChainMatch }) => filterChainMatch.prefixRanges?.length !== 0),
    defaultFilterChain: { name: "pass", filters: [passingTcpProxy("outbound_pass")] },
  });

/**
 * One address and port of a service: the same on every proxy of the cluster. `usable`: somebody can be called, by way of
 * `cluster`.
 */
export const vipListenerFor = (
  view: ServicePortView,
  ip: string,
  usable: boolean,
  cluster: string = view.sni,
): Uint8Array =>
  encoded(ListenerSchema, {
    ...listenerFrame({
      name: vipListenerName(ip, view.port.port),
      address: ip,
      port: view.port.port,
      direction: "outbound",
      log: listenerLog("outbound_cx"),
      intercepts: "handed",
    }),
    filterChains: [{ name: view.sni, filters: [vipFilter(view, usable, cluster)] }],
  });

function vipFilter(
  view: ServicePortView,
  usable: boolean,
  cluster: string,
): ReturnType<typeof refusingTcpProxy> {
  if (isHttp(view.port.protocol))
    return outboundManager(anyHostRoutes(usable ? view : { ...view, exporters: [] }, cluster));
  return usable ? connectingTcpProxy("outbound_tcp", cluster) : refusingTcpProxy("no_exporter");
}

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

/**
 * The server side of a sidecar: one named filter chain per served SNI. Every chain is mTLS, then the one-URI guard,
 * then the port's access policy, then the application. What no chain serves is counted, logged and reset.
 */
import type { TrustDomain } from "@hansa/core";
import type { ServingPort } from "@hansa/model";
import { type FilterChainSchema, ListenerSchema, type RouteConfigurationSchema } from "../../gen/index.ts";
import { listenerLog } from "./access-log.ts";
import { accessFilter, accessRules, admittedCallers, tcpAccessFilter } from "./access-policy.ts";
import { ANY_SPIFFE_ID, downstreamTls } from "./downstream-tls.ts";
import { oneUriGuard } from "./guard.ts";
import { inboundManager } from "./http-manager.ts";
import { isHttp } from "./http-protocol.ts";
import { listenerFrame } from "./listener-frame.ts";
import { UNSENT_HEADER } from "./local-reply.ts";
import { byText, encoded, type Init } from "./message.ts";
import {
  accessPolicyName,
  appClusterName,
  CALLERS_SECRET,
  INBOUND_LISTENER,
  tcpCallersSecretName,
} from "./names.ts";
import { streamTimeouts } from "./outbound-routes.ts";
import { passingTcpProxy, refusingTcpProxy, servingTcpProxy, unknownSniProxy } from "./tcp-proxy.ts";

type FilterChain = Init<typeof FilterChainSchema>;

export const ALPN_HTTP: readonly string[] = ["h2", "http/1.1"];

/** `tls` only: plaintext never matches. */
export const sniMatch = (sni: string): NonNullable<FilterChain["filterChainMatch"]> => ({
  serverNames: [sni],
  transportProtocol: "tls",
});

export const defaultChain = (): FilterChain => ({ name: "unknown-sni", filters: [unknownSniProxy()] });

const appRoutes = (serving: ServingPort): Init<typeof RouteConfigurationSchema> => ({
  name: serving.sni,
  virtualHosts: [
    {
      name: "app",
      domains: ["*"],
      routes: [
        {
          match: { pathSpecifier: { case: "prefix", value: "/" } },
          action: {
            case: "route",
            value: {
              clusterSpecifier: { case: "cluster", value: appClusterName(serving.sni) },
              ...streamTimeouts(serving),
            },
          },
        },
      ],
    },
  ],
  // Only this sidecar may say that the application saw nothing.
  responseHeadersToRemove: [UNSENT_HEADER],
});

/** A policy change reaches the next request by ECDS. */
const httpChain = (serving: ServingPort, ownDomain: TrustDomain, svidSecret?: string): FilterChain => ({
  name: serving.sni,
  filterChainMatch: sniMatch(serving.sni),
  transportSocket: downstreamTls(CALLERS_SECRET, ALPN_HTTP, ANY_SPIFFE_ID, svidSecret),
  filters: [
    oneUriGuard(),
    inboundManager(accessFilter(accessPolicyName(serving.sni)), appRoutes(serving), ownDomain),
  ],
});

/**
 * Network filters judge a caller at its first byte, and a server-first protocol has spoken by then (measured: a denied
 * caller read the greeting). So the handshake itself admits the port's callers only, from their trust domains only,
 * and the application is dialled after it.
 */
const tcpChain = (serving: ServingPort, ownDomain: TrustDomain, svidSecret?: string): FilterChain => ({
  name: serving.sni,
  filterChainMatch: sniMatch(serving.sni),
  transportSocket: downstreamTls(
    tcpCallersSecretName(serving.sni),
    [],
    admittedCallers(ownDomain, serving.callers),
    svidSecret,
  ),
  filters: [
    oneUriGuard(),
    tcpAccessFilter(accessRules(ownDomain, serving.callers)),
    servingTcpProxy(appClusterName(serving.sni)),
  ],
});

/** `svidSecret`: whose certificate it shows; default: the proxy's own. */
export const servedChain = (serving: ServingPort, ownDomain: TrustDomain, svidSecret?: string): FilterChain =>
  (isHttp(serving.port.protocol) ? httpChain : tcpChain)(serving, ownDomain, svidSecret);

/**
 * Where connections are taken, those made for the mesh's own port are the chains of above; a port that the mesh serves
 * takes nothing past them, and any other port of the application is as it was without a proxy.
 */
function takenChains(
  port: number,
  chains: readonly FilterChain[],
  appPorts: readonly number[],
): FilterChain[] {
  const refused = (name: string, destinationPort: number): FilterChain => ({
    name,
    filterChainMatch: { destinationPort },
    filters: [name === "unknown-sni" ? unknownSniProxy() : refusingTcpProxy("plaintext")],
  });
  const guarded = [...new Set(appPorts)].filter((own) => own !== port).sort((a, b) => a - b);
  return [
    ...chains.map((chain) => ({
      ...chain,
      filterChainMatch: { ...chain.filterChainMatch, destinationPort: port },
    })),
    refused("unknown-sni", port),
    ...guarded.map((own) => refused(`plain/${own}`, own)),
  ];
}

export interface InboundInput {
  readonly address: string;
  readonly port: number;
  readonly trustDomain: TrustDomain;
  /** Served ports, each with an application behind it; SNIs are unique. */
  readonly serving: readonly ServingPort[];
  /** Ports that take plain text from nobody; present where connections to the application are taken. */
  readonly guardedPorts?: readonly number[];
}

export function inboundListenerFor(input: InboundInput): Uint8Array {
  const { guardedPorts, port, trustDomain } = input;
  const chains = [...input.serving]
    .sort((a, b) => byText(a.sni, b.sni))
    .map((serving) => servedChain(serving, trustDomain));
  return encoded(ListenerSchema, {
    ...listenerFrame({
      name: INBOUND_LISTENER,
      address: input.address,
      port,
      direction: "inbound",
      log: listenerLog("inbound_cx"),
      ...(guardedPorts === undefined ? {} : { intercepts: "taken" }),
    }),
    filterChains: guardedPorts === undefined ? chains : takenChains(port, chains, guardedPorts),
    defaultFilterChain:
      guardedPorts === undefined
        ? defaultChain()
        : { name: "pass", filters: [passingTcpProxy("inbound_pass")] },
  });
}

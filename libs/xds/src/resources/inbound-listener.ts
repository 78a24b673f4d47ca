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
import { inboundManager, neighbourManager } from "./http-manager.ts";
import { isHttp } from "./http-protocol.ts";
import { inspectChain } from "./inspect.ts";
import { listenerFrame } from "./listener-frame.ts";
import { UNSENT_HEADER } from "./local-reply.ts";
import { byText, cidrRange, encoded, type Init } from "./message.ts";
import {
  accessPolicyName,
  appClusterName,
  CALLERS_SECRET,
  INBOUND_LISTENER,
  tcpCallersSecretName,
} from "./names.ts";
import { streamTimeouts } from "./outbound-routes.ts";
import {
  neighbourTcpProxy,
  passingTcpProxy,
  refusingTcpProxy,
  servingTcpProxy,
  unknownSniProxy,
} from "./tcp-proxy.ts";

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

/** Connections to the application are taken: what comes past the mesh's own port. */
export interface TakenInput {
  /** Port of an application → the served port that it is; HTTP where it is several. */
  readonly apps: ReadonlyMap<number, ServingPort>;
  /** Ports that take plain text from nobody. */
  readonly guardedPorts: readonly number[];
  /** Ranges (CIDR) from which the applications take plain text. Empty: from nobody. */
  readonly neighbours: readonly string[];
}

/**
 * Who has no identity to show, in plain text, by his address. Headers that would say who he is go: the application has
 * learnt to believe them.
 */
const neighbourChain = (port: number, serving: ServingPort, neighbours: readonly string[]): FilterChain => ({
  name: `neighbour/${port}`,
  filterChainMatch: { destinationPort: port, sourcePrefixRanges: neighbours.map(cidrRange) },
  filters: [
    isHttp(serving.port.protocol)
      ? neighbourManager(appRoutes(serving))
      : neighbourTcpProxy(appClusterName(serving.sni)),
  ],
});

/**
 * Where connections are taken, those made for the mesh's own port are the chains of above; a port that the mesh serves
 * takes nothing past them but from neighbours, and any other port of the application is as it was without a proxy.
 */
function takenChains(
  port: number,
  chains: readonly FilterChain[],
  { apps, guardedPorts, neighbours }: TakenInput,
): FilterChain[] {
  const refused = (name: string, destinationPort: number): FilterChain => ({
    name,
    filterChainMatch: { destinationPort },
    filters: [name === "unknown-sni" ? unknownSniProxy() : refusingTcpProxy("plaintext")],
  });
  const guarded = [...new Set([...apps.keys(), ...guardedPorts])]
    .filter((own) => own !== port)
    .sort((a, b) => a - b);
  return [
    ...chains.map((chain) => ({
      ...chain,
      filterChainMatch: { ...chain.filterChainMatch, destinationPort: port },
    })),
    refused("unknown-sni", port),
    ...guarded.flatMap((own) => {
      const serving = neighbours.length === 0 ? undefined : apps.get(own);
      const refusal = refused(`plain/${own}`, own);
      return serving === undefined ? [refusal] : [neighbourChain(own, serving, neighbours), refusal];
    }),
  ];
}

export interface InboundInput {
  readonly address: string;
  readonly port: number;
  readonly trustDomain: TrustDomain;
  /** Served ports, each with an application behind it; SNIs are unique. */
  readonly serving: readonly ServingPort[];
  /** Present where connections to the application are taken. */
  readonly taken?: TakenInput;
}

export function inboundListenerFor(input: InboundInput): Uint8Array {
  const { taken, port, trustDomain } = input;
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
      ...(taken === undefined ? {} : { intercepts: "taken" }),
    }),
    filterChains:
      taken === undefined ? chains : takenChains(port, [inspectChain(trustDomain), ...chains], taken),
    defaultFilterChain:
      taken === undefined ? defaultChain() : { name: "pass", filters: [passingTcpProxy("inbound_pass")] },
  });
}

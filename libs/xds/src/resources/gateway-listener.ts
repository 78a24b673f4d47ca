/**
 * The gateway: passthrough by SNI, one chain per exported service port and nothing else (federation §1.2 rule 3), plus
 * one chain that ends mTLS for members' probes. It sees no request of a service and holds no route to one.
 */
import type { SpiffeId } from "@hansa/core";
import type { ServingPort } from "@hansa/model";
import { type FilterChainSchema, ListenerSchema, type RouteConfigurationSchema } from "../../gen/index.ts";
import { listenerLog } from "./access-log.ts";
import { accessFilter } from "./access-policy.ts";
import { ANY_SPIFFE_ID, downstreamTls } from "./downstream-tls.ts";
import { oneUriGuard } from "./guard.ts";
import { probeManager } from "./http-manager.ts";
import { ALPN_HTTP, defaultChain, sniMatch } from "./inbound-listener.ts";
import { listenerFrame } from "./listener-frame.ts";
import { byText, encoded, type Init } from "./message.ts";
import { accessPolicyName, GATEWAY_LISTENER, MEMBERS_SECRET, passthroughClusterName } from "./names.ts";
import { refusal } from "./outbound-routes.ts";
import { connectingTcpProxy } from "./tcp-proxy.ts";
import type { Rule } from "./uri-matcher.ts";

type FilterChain = Init<typeof FilterChainSchema>;

/** Exact path that the probe asks (identity's probe client). */
export const PROBE_PATH = "/probe";

const exportChain = (serving: ServingPort): FilterChain => ({
  name: serving.sni,
  filterChainMatch: sniMatch(serving.sni),
  filters: [connectingTcpProxy("gateway", passthroughClusterName(serving.sni))],
});

const probeRoutes = (sni: string): Init<typeof RouteConfigurationSchema> => ({
  name: sni,
  virtualHosts: [
    {
      name: "probe",
      domains: ["*"],
      routes: [
        {
          match: { pathSpecifier: { case: "path", value: PROBE_PATH } },
          action: {
            case: "directResponse",
            value: { status: 200, body: { specifier: { case: "inlineString", value: "ok\n" } } },
          },
        },
        refusal(404, "HSA1005", "the probe answers one path only"),
      ],
    },
  ],
});

const probeChain = (sni: string): FilterChain => ({
  name: sni,
  filterChainMatch: sniMatch(sni),
  transportSocket: downstreamTls(MEMBERS_SECRET, ALPN_HTTP, ANY_SPIFFE_ID),
  filters: [oneUriGuard(), probeManager(accessFilter(accessPolicyName(sni)), probeRoutes(sni))],
});

/** Members' agents, by exact id. */
export const probeRules = (agents: readonly SpiffeId[]): readonly Rule[] =>
  [...new Set(agents)]
    .sort(byText)
    .map((id) => ({ match: "exact", value: id, verdict: "allow", name: `allow:${id}` }));

export interface GatewayListenerInput {
  readonly address: string;
  readonly port: number;
  readonly probeSni: string;
  /** Ports that are not exported get no chain. */
  readonly serving: readonly ServingPort[];
  /** Chain of a port that is not passed but ended here. */
  readonly endedChain?: (serving: ServingPort) => FilterChain | undefined;
}

export const exportedOnly = (serving: readonly ServingPort[]): readonly ServingPort[] =>
  serving.filter((port) => port.exported).sort((a, b) => byText(a.sni, b.sni));

export const gatewayListenerFor = (input: GatewayListenerInput): Uint8Array =>
  encoded(ListenerSchema, {
    ...listenerFrame({
      name: GATEWAY_LISTENER,
      address: input.address,
      port: input.port,
      direction: "inbound",
      log: listenerLog("gateway_cx"),
    }),
    filterChains: [
      probeChain(input.probeSni),
      ...exportedOnly(input.serving).map((serving) => input.endedChain?.(serving) ?? exportChain(serving)),
    ],
    defaultFilterChain: defaultChain(),
  });

/**
 * How an agent looks at the Envoy of a pod, whose admin interface its pod alone can reach: over mTLS, by a server name of its
 * own, as itself and nobody else, and only what changes nothing and tells no secret (Envoy leaves keys out of its dumps).
 */
import { agentId, type TrustDomain } from "@hansa/core";
import {
  Cluster_DiscoveryType,
  ClusterSchema,
  type FilterChainSchema,
  type RouteConfigurationSchema,
  type RouteSchema,
} from "../../gen/index.ts";
import { accessFilter, accessPolicyFor } from "./access-policy.ts";
import { downstreamTls } from "./downstream-tls.ts";
import { oneUriGuard } from "./guard.ts";
import { inspectManager } from "./http-manager.ts";
import { CONNECT_TIMEOUT_MS } from "./limits.ts";
import { duration, encoded, type Init, socketAddress } from "./message.ts";
import { accessPolicyName, CALLERS_SECRET, INSPECT, inspectSni } from "./names.ts";
import { refusal } from "./outbound-routes.ts";

type FilterChain = Init<typeof FilterChainSchema>;

/** Without their queries. */
export const INSPECTED_PATHS = ["/clusters", "/config_dump"] as const;

const routeTo = (path: string): Init<typeof RouteSchema> => ({
  match: {
    pathSpecifier: { case: "path", value: path },
    headers: [
      {
        name: ":method",
        headerMatchSpecifier: {
          case: "stringMatch",
          value: { matchPattern: { case: "exact", value: "GET" } },
        },
      },
    ],
  },
  action: { case: "route", value: { clusterSpecifier: { case: "cluster", value: INSPECT } } },
});

const routes = (sni: string): Init<typeof RouteConfigurationSchema> => ({
  name: sni,
  virtualHosts: [
    {
      name: INSPECT,
      domains: ["*"],
      routes: [
        ...INSPECTED_PATHS.map(routeTo),
        refusal(404, "HSA1005", "an agent looks at its clusters and its configuration only"),
      ],
    },
  ],
});

export const inspectChain = (ownDomain: TrustDomain): FilterChain => {
  const sni = inspectSni(ownDomain);
  return {
    name: sni,
    filterChainMatch: { serverNames: [sni], transportProtocol: "tls" },
    transportSocket: downstreamTls(
      CALLERS_SECRET,
      ["http/1.1"],
      [{ kind: "exact", value: agentId(ownDomain) }],
    ),
    filters: [oneUriGuard(), inspectManager(accessFilter(accessPolicyName(sni)), routes(sni))],
  };
};

export const inspectPolicy = (ownDomain: TrustDomain): readonly [string, Uint8Array] => {
  const name = accessPolicyName(inspectSni(ownDomain));
  const id = agentId(ownDomain);
  return [
    name,
    accessPolicyFor(name, [{ match: "exact", value: id, verdict: "allow", name: `allow:${id}` }]),
  ];
};

export const inspectCluster = (port: number): Uint8Array =>
  encoded(ClusterSchema, {
    name: INSPECT,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.STATIC },
    connectTimeout: duration(CONNECT_TIMEOUT_MS),
    loadAssignment: {
      clusterName: INSPECT,
      endpoints: [
        {
          lbEndpoints: [
            {
              hostIdentifier: {
                case: "endpoint",
                value: { address: socketAddress("127.0.0.1", port) },
              },
            },
          ],
        },
      ],
    },
  });

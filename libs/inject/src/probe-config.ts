/** Static part of the proxy's bootstrap that answers kubelets: its own readiness, and the applications' probes. */
import { ADMIN_PORT, PROBE_PORT } from "./names.ts";
import type { AppProbe } from "./probes.ts";

/** Of the proxy: true from its first complete configuration on. */
export const READY_PATH = "/ready";
/** A kubelet asks at most once a second. */
const CHECK_INTERVAL = "1s";
const ADMIN = "admin";

const extension = (name: string, type: string, config: object = {}): object => ({
  name,
  typed_config: { "@type": `type.googleapis.com/envoy.extensions.${type}`, ...config },
});

const HTTP2 = {
  "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
    explicit_http_config: { http2_protocol_options: {} },
  },
};

const clusterOf = (name: string, address: string, port: number, more: object = {}): object => ({
  name,
  type: "STATIC",
  connect_timeout: "1s",
  load_assignment: {
    cluster_name: name,
    endpoints: [
      { lb_endpoints: [{ endpoint: { address: { socket_address: { address, port_value: port } } } }] },
    ],
  },
  ...more,
});

const healthCheck = (how: object): object => ({
  timeout: "1s",
  interval: CHECK_INTERVAL,
  no_traffic_interval: CHECK_INTERVAL,
  unhealthy_threshold: 1,
  healthy_threshold: 1,
  ...how,
});

/** A certificate that the kubelet does not check either. */
const ANY_TLS = extension("tls", "transport_sockets.tls.v3.UpstreamTlsContext");

function appCluster({ path, port, asks }: AppProbe, address: string): object {
  if (asks.kind === "http")
    return clusterOf(path, address, port, asks.tls ? { transport_socket: ANY_TLS } : {});
  if (asks.kind === "tcp")
    return clusterOf(path, address, port, { health_checks: [healthCheck({ tcp_health_check: {} })] });
  const how = { grpc_health_check: { service_name: asks.service } };
  return clusterOf(path, address, port, {
    typed_extension_protocol_options: HTTP2,
    health_checks: [healthCheck(how)],
  });
}

const routeTo = (path: string, cluster: string, more: object = {}): object => ({
  match: { path },
  route: { cluster, timeout: "0s", ...more },
});

function appRoutes({ path, port, asks }: AppProbe, address: string): object[] {
  if (asks.kind !== "http") return [];
  const host = asks.ownHost ? {} : { host_rewrite_literal: `${address}:${port}` };
  return [routeTo(path, path, { prefix_rewrite: asks.path, ...host })];
}

function healthFilter({ path, asks }: AppProbe): object[] {
  if (asks.kind === "http") return [];
  return [
    extension("envoy.filters.http.health_check", "filters.http.health_check.v3.HealthCheck", {
      pass_through_mode: false,
      headers: [{ name: ":path", string_match: { exact: path } }],
      cluster_min_healthy_percentages: { [path]: { value: 100 } },
    }),
  ];
}

/** `address` = the pod's. */
export function probeConfig(
  probes: readonly AppProbe[],
  address: string,
): { readonly listeners: readonly object[]; readonly clusters: readonly object[] } {
  const manager = extension(
    "envoy.filters.network.http_connection_manager",
    "filters.network.http_connection_manager.v3.HttpConnectionManager",
    {
      stat_prefix: "probes",
      route_config: {
        virtual_hosts: [
          {
            name: "probes",
            domains: ["*"],
            routes: [routeTo(READY_PATH, ADMIN), ...probes.flatMap((probe) => appRoutes(probe, address))],
          },
        ],
      },
      http_filters: [
        ...probes.flatMap(healthFilter),
        extension("envoy.filters.http.router", "filters.http.router.v3.Router"),
      ],
    },
  );
  const listener = {
    name: "probes",
    address: { socket_address: { address: "0.0.0.0", port_value: PROBE_PORT } },
    // Its worth is that it answers when the proxy is full.
    ignore_global_conn_limit: true,
    filter_chains: [{ filters: [manager] }],
  };
  const clusters = [
    clusterOf(ADMIN, "127.0.0.1", ADMIN_PORT),
    ...probes.map((probe) => appCluster(probe, address)),
  ];
  return { listeners: [listener], clusters };
}

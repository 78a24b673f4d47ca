/**
 * What an Envoy is started with: its name, its one way to the agent, its admin interface. Everything else comes by
 * delta ADS. `envoyArguments` are the command-line settings that no API can change later.
 */
import { type AgentDoor, doorCluster } from "./bootstrap-door.ts";

/** Envoy's admin interface asks nobody who he is: loopback, or a unix socket in a folder of its owner's alone. */
export type AdminPlace = { readonly address: string; readonly port: number } | { readonly path: string };

/** By the socket that the agent made for this proxy, or by TLS with a token of its pod. */
export type AgentPlace = { readonly adsSocketPath: string } | { readonly agent: AgentDoor };

export type BootstrapInput = AgentPlace & {
  /** The proxy's id; the agent ends the stream of any other. */
  readonly nodeId: string;
  readonly cluster: string;
  readonly admin: AdminPlace;
  readonly locality?: { readonly region: string; readonly zone: string };
  /** Active downstream connections after which new ones are refused. */
  readonly connectionsMax?: number;
  /** Resources that are there before the agent is asked. */
  readonly static?: { readonly listeners: readonly object[]; readonly clusters: readonly object[] };
};

const CONNECTIONS_MAX = 20_000;
const SOCKET_PATH_MAX = 107;

const ADS_CLUSTER = "agent";

const HTTP2 = {
  explicit_http_config: {
    http2_protocol_options: { connection_keepalive: { interval: "30s", timeout: "5s" } },
  },
};

const adsCluster = (path: string): object => ({
  name: ADS_CLUSTER,
  type: "STATIC",
  connect_timeout: "1s",
  typed_extension_protocol_options: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
      "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
      ...HTTP2,
    },
  },
  load_assignment: {
    cluster_name: ADS_CLUSTER,
    endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path } } } }] }],
  },
});

/**
 * A reset by the application must not overtake its answer: Envoy from 1.38 on passes it on at once and throws away what the
 * other side has not got yet (envoyproxy/envoy#44148), e.g. of a server that answers and closes without having read everything.
 */
const RUNTIME = {
  "envoy.reloadable_features.propagate_upstream_rst_through_tunneled_tcp_proxy": false,
};

const ads = { ads: {}, resource_api_version: "V3" };
/** Without a limit: a pod's Envoy that never had all of its clusters and listeners never counts as ready. */
const adsAwaited = { ...ads, initial_fetch_timeout: "0s" };

const service = {
  envoy_grpc: {
    cluster_name: ADS_CLUSTER,
    // An agent that restarts is found again at once, not after up to 30 s.
    retry_policy: { retry_back_off: { base_interval: "0.1s", max_interval: "1s" } },
  },
};

const adminAddress = (place: AdminPlace): object =>
  "path" in place
    ? { pipe: { path: place.path } }
    : { socket_address: { address: place.address, port_value: place.port } };

/** JSON for `envoy -c`. Throws RangeError for a socket path that the kernel would cut. */
export function envoyBootstrap(input: BootstrapInput): object {
  const socketPath = "adsSocketPath" in input ? input.adsSocketPath : undefined;
  if (socketPath !== undefined) checkPath("adsSocketPath", socketPath);
  if ("path" in input.admin) checkPath("admin.path", input.admin.path);
  return {
    node: {
      id: input.nodeId,
      cluster: input.cluster,
      ...(input.locality === undefined ? {} : { locality: input.locality }),
    },
    admin: { address: adminAddress(input.admin) },
    dynamic_resources: {
      ads_config: {
        api_type: "DELTA_GRPC",
        transport_api_version: "V3",
        // Else every ACK repeats the node: 60 KB, most of it the names of what this Envoy was compiled with.
        set_node_on_first_message_only: true,
        grpc_services: [service],
      },
      lds_config: socketPath === undefined ? adsAwaited : ads,
      cds_config: socketPath === undefined ? adsAwaited : ads,
    },
    static_resources: {
      ...(input.static === undefined ? {} : { listeners: input.static.listeners }),
      clusters: [
        "agent" in input ? doorCluster(ADS_CLUSTER, input.agent, HTTP2) : adsCluster(input.adsSocketPath),
        ...(input.static?.clusters ?? []),
      ],
    },
    overload_manager: {
      resource_monitors: [
        {
          name: "envoy.resource_monitors.global_downstream_max_connections",
          typed_config: {
            "@type":
              "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
            max_active_downstream_connections: input.connectionsMax ?? CONNECTIONS_MAX,
          },
        },
      ],
    },
    layered_runtime: { layers: [{ name: "hansa", static_layer: RUNTIME }] },
    // At each flush the main thread goes through all statistics: of 5000 clusters 140 ms in which it takes in nothing,
    // by default every 5 s. Nobody is sent them; counters are read as they are, histograms as of the last flush.
    stats_flush_interval: "60s",
    stats_config: { use_all_default_tags: false },
  };
}

function checkPath(what: string, path: string): void {
  if (new TextEncoder().encode(path).length > SOCKET_PATH_MAX)
    throw new RangeError(`${what}: longer than ${SOCKET_PATH_MAX} bytes: ${path}`);
}

/** A bootstrap in the arguments themselves is a pod's: alone in its file system, and without shared memory. */
export type EnvoyArgumentsInput = ({ readonly bootstrapPath: string } | { readonly bootstrap: object }) & {
  /** Eviction needs a short drain: a removed chain serves its old connections until then. At most 60. */
  readonly drainSeconds: number;
};

export function envoyArguments(input: EnvoyArgumentsInput): readonly string[] {
  if (!(input.drainSeconds > 0 && input.drainSeconds <= 60))
    throw new RangeError(`drainSeconds: ${input.drainSeconds} is not in 1..60`);
  return [
    ...("bootstrap" in input
      ? ["--config-yaml", JSON.stringify(input.bootstrap), "--disable-hot-restart"]
      : ["-c", input.bootstrapPath, "--use-dynamic-base-id"]),
    "--concurrency",
    "1",
    "--drain-time-s",
    String(input.drainSeconds),
    "--parent-shutdown-time-s",
    String(input.drainSeconds + 5),
    // Access logs: the default of 10 s hides a refusal from whoever looks for it now.
    "--file-flush-interval-msec",
    "500",
    "--log-level",
    "warn",
  ];
}

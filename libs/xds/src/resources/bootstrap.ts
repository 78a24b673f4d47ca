/**
 * What an Envoy is started with: its name, its one socket to the agent, its admin interface. Everything else comes by
 * delta ADS. `envoyArguments` are the command-line settings that no API can change later.
 */
/** Envoy's admin interface asks nobody who he is: loopback, or a unix socket in a folder of its owner's alone. */
export type AdminPlace = { readonly address: string; readonly port: number } | { readonly path: string };

export interface BootstrapInput {
  /** The proxy's id; the agent ends the stream of any other. */
  readonly nodeId: string;
  readonly cluster: string;
  readonly adsSocketPath: string;
  readonly admin: AdminPlace;
  readonly locality: { readonly region: string; readonly zone: string };
  /** Active downstream connections after which new ones are refused. */
  readonly connectionsMax?: number;
}

const CONNECTIONS_MAX = 20_000;
const SOCKET_PATH_MAX = 107;

const ADS_CLUSTER = "agent";

const http2 = {
  "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
    explicit_http_config: {
      http2_protocol_options: { connection_keepalive: { interval: "30s", timeout: "5s" } },
    },
  },
};

const adsCluster = (path: string): object => ({
  name: ADS_CLUSTER,
  type: "STATIC",
  connect_timeout: "1s",
  typed_extension_protocol_options: http2,
  load_assignment: {
    cluster_name: ADS_CLUSTER,
    endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path } } } }] }],
  },
});

const ads = { ads: {}, resource_api_version: "V3" };

const adminAddress = (place: AdminPlace): object =>
  "path" in place
    ? { pipe: { path: place.path } }
    : { socket_address: { address: place.address, port_value: place.port } };

/** JSON for `envoy -c`. Throws RangeError for a socket path that the kernel would cut. */
export function envoyBootstrap(input: BootstrapInput): object {
  checkPath("adsSocketPath", input.adsSocketPath);
  if ("path" in input.admin) checkPath("admin.path", input.admin.path);
  return {
    node: { id: input.nodeId, cluster: input.cluster, locality: input.locality },
    admin: { address: adminAddress(input.admin) },
    dynamic_resources: {
      ads_config: {
        api_type: "DELTA_GRPC",
        transport_api_version: "V3",
        // Else every ACK repeats the node: 60 KB, most of it the names of what this Envoy was compiled with.
        set_node_on_first_message_only: true,
        grpc_services: [
          {
            envoy_grpc: {
              cluster_name: ADS_CLUSTER,
              // An agent that restarts is found again at once, not after up to 30 s.
              retry_policy: { retry_back_off: { base_interval: "0.1s", max_interval: "1s" } },
            },
          },
        ],
      },
      lds_config: ads,
      cds_config: ads,
    },
    static_resources: { clusters: [adsCluster(input.adsSocketPath)] },
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
    stats_config: { use_all_default_tags: false },
  };
}

function checkPath(what: string, path: string): void {
  if (new TextEncoder().encode(path).length > SOCKET_PATH_MAX)
    throw new RangeError(`${what}: longer than ${SOCKET_PATH_MAX} bytes: ${path}`);
}

export interface EnvoyArgumentsInput {
  readonly bootstrapPath: string;
  /** Eviction needs a short drain: a removed chain serves its old connections until then. At most 60. */
  readonly drainSeconds: number;
}

export function envoyArguments(input: EnvoyArgumentsInput): readonly string[] {
  if (!(input.drainSeconds > 0 && input.drainSeconds <= 60))
    throw new RangeError(`drainSeconds: ${input.drainSeconds} is not in 1..60`);
  return [
    "-c",
    input.bootstrapPath,
    "--use-dynamic-base-id",
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

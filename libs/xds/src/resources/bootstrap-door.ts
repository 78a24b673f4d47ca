/**
 * An ADS stream over TLS that shows its pod's service-account token. Only Google's gRPC client takes call credentials from
 * a file, and reads it anew for each stream; its connection has settings of its own for what the other one's cluster says.
 */

export interface AgentDoor {
  /** A name or address that the agent's certificate bears. */
  readonly host: string;
  readonly port: number;
  /** PEM of the roots that it may chain to. */
  readonly bundlePath: string;
  readonly tokenPath: string;
}

const PLUGIN = "envoy.grpc_credentials.file_based_metadata";
/** The library's own limit of 4 MB is a few thousand services. */
const MESSAGE_BYTES_MAX = 256 << 20;

const CHANNEL = {
  "grpc.keepalive_time_ms": 30_000,
  "grpc.keepalive_timeout_ms": 5_000,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1_000,
  "grpc.max_receive_message_length": MESSAGE_BYTES_MAX,
};

export const doorService = ({ host, port, bundlePath, tokenPath }: AgentDoor): object => ({
  google_grpc: {
    target_uri: `${host.includes(":") ? `[${host}]` : host}:${port}`,
    stat_prefix: "agent",
    channel_credentials: { ssl_credentials: { root_certs: { filename: bundlePath } } },
    credentials_factory_name: PLUGIN,
    call_credentials: [
      {
        from_plugin: {
          name: PLUGIN,
          typed_config: {
            "@type": "type.googleapis.com/envoy.config.grpc_credential.v3.FileBasedMetadataConfig",
            secret_data: { filename: tokenPath },
            header_key: "authorization",
            header_prefix: "Bearer ",
          },
        },
      },
    ],
    channel_args: {
      args: Object.fromEntries(Object.entries(CHANNEL).map(([name, value]) => [name, { int_value: value }])),
    },
  },
});

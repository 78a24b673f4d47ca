/**
 * How a pod's Envoy comes to its agent: an ADS stream over TLS that shows its pod's service-account token. Roots and token are
 * files that change under a running Envoy: the roots are a secret that is watched, and the token is read for each stream, by
 * the only filter of stock Envoy that can put a file into a header of its own client (seen with 1.40).
 */

export interface AgentDoor {
  /** A name or address that the agent's certificate bears. */
  readonly host: string;
  readonly port: number;
  /** Folder of both files; a rename in it says that they are others now. */
  readonly directory: string;
  /** In it: the roots that the agent's certificate may chain to, as `agentRoots` writes them. */
  readonly rootsFile: string;
  readonly tokenFile: string;
}

/** No other secret has the name. */
export const ROOTS_SECRET = "agent-roots";
const TYPE = "type.googleapis.com/envoy.extensions";

/** What Envoy reads its roots from (file-based SDS). */
export const agentRoots = (bundlePem: string): string =>
  JSON.stringify({
    resources: [
      {
        "@type": `${TYPE}.transport_sockets.tls.v3.Secret`,
        name: ROOTS_SECRET,
        validation_context: { trusted_ca: { inline_string: bundlePem } },
      },
    ],
  });

/** Without a token the agent refuses the stream, and says so. */
const showToken = (file: string): string => `function envoy_on_request(call)
  local file = io.open("${file}", "r")
  if file == nil then return end
  call:headers():replace("authorization", "Bearer " .. file:read("*a"))
  file:close()
end`;

const isAddress = (host: string): boolean => /^[0-9.]+$/.test(host) || host.includes(":");

/** `http`: options of the connection. */
export function doorCluster(name: string, door: AgentDoor, http: object): object {
  const { host, port, directory, rootsFile, tokenFile } = door;
  const lua = { inline_string: showToken(`${directory}/${tokenFile}`) };
  const filters = [
    { name: "token", typed_config: { "@type": `${TYPE}.filters.http.lua.v3.Lua`, default_source_code: lua } },
    {
      name: "envoy.filters.http.upstream_codec",
      typed_config: { "@type": `${TYPE}.filters.http.upstream_codec.v3.UpstreamCodec` },
    },
  ];
  return {
    name,
    ...(isAddress(host)
      ? { type: "STATIC" }
      : {
          type: "STRICT_DNS",
          dns_lookup_family: "V4_PREFERRED",
          dns_failure_refresh_rate: { base_interval: "0.2s", max_interval: "2s" },
        }),
    connect_timeout: "1s",
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": `${TYPE}.upstreams.http.v3.HttpProtocolOptions`,
        ...http,
        http_filters: filters,
      },
    },
    transport_socket: { name: "tls", typed_config: tlsOf(host, directory, rootsFile) },
    load_assignment: {
      cluster_name: name,
      endpoints: [
        {
          lb_endpoints: [{ endpoint: { address: { socket_address: { address: host, port_value: port } } } }],
        },
      ],
    },
  };
}

function tlsOf(host: string, directory: string, rootsFile: string): object {
  const named = {
    san_type: isAddress(host) ? "IP_ADDRESS" : "DNS",
    matcher: { exact: host },
  };
  return {
    "@type": `${TYPE}.transport_sockets.tls.v3.UpstreamTlsContext`,
    ...(isAddress(host) ? {} : { sni: host }),
    common_tls_context: {
      alpn_protocols: ["h2"],
      combined_validation_context: {
        default_validation_context: { match_typed_subject_alt_names: [named] },
        validation_context_sds_secret_config: {
          name: ROOTS_SECRET,
          sds_config: {
            path_config_source: {
              path: `${directory}/${rootsFile}`,
              watched_directory: { path: directory },
            },
            resource_api_version: "V3",
          },
        },
      },
    },
  };
}

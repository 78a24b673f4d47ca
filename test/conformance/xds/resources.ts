/** Small valid resources in protobuf JSON; `v` shows again in the encoded resource, so that versions can be told apart. */
import { proto, TYPE_URL } from "@hansa/xds";
import type { Resource } from "./client.ts";
import type { Json } from "./control.ts";

export const CLUSTER = TYPE_URL.cluster;
export const ENDPOINT = TYPE_URL.endpoint;
export const LISTENER = TYPE_URL.listener;
export const ROUTE = TYPE_URL.route;
export const SECRET = TYPE_URL.secret;
export const EXTENSION = TYPE_URL.extensionConfig;

export const typeName = (typeUrl: string): string => typeUrl.slice("type.googleapis.com/".length);

const TCP_PROXY = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
const RBAC = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC";

const make: Record<string, (name: string, v: number, padding: string) => Json> = {
  [CLUSTER]: (name, v) => ({
    name,
    type: "EDS",
    connectTimeout: `${v}s`,
    edsClusterConfig: { edsConfig: { ads: {}, resourceApiVersion: "V3" } },
  }),
  [ENDPOINT]: (name, v) => ({
    clusterName: name,
    endpoints: [
      {
        lbEndpoints: [{ endpoint: { address: { socketAddress: { address: "127.0.0.1", portValue: v } } } }],
      },
    ],
  }),
  [LISTENER]: (name, v) => ({
    name,
    address: { socketAddress: { address: "127.0.0.1", portValue: 9 } },
    filterChains: [
      {
        filters: [
          {
            name: "tcp",
            typedConfig: { "@type": TCP_PROXY, statPrefix: String(v), cluster: `${name}-${v}` },
          },
        ],
      },
    ],
  }),
  [ROUTE]: (name, v) => ({
    name,
    virtualHosts: [
      {
        name: "all",
        domains: ["*"],
        routes: [{ match: { prefix: "/" }, route: { cluster: `${name}-${v}` } }],
      },
    ],
  }),
  [SECRET]: (name, v, padding) => ({ name, genericSecret: { secret: { inlineString: `${v}${padding}` } } }),
  [EXTENSION]: (name, v) => ({
    name,
    typedConfig: { "@type": RBAC, rules: { action: "ALLOW" }, shadowRulesStatPrefix: String(v) },
  }),
};

export function resource(typeUrl: string, name: string, v: number, padding = ""): Json {
  const maker = make[typeUrl];
  if (maker === undefined) throw new Error(`no resource is made for ${typeUrl}`);
  return maker(name, v, padding);
}

/** The `v` of an encoded resource. */
export function variantOf({ typeUrl, message }: Resource): number {
  if (typeUrl === CLUSTER)
    return Number(proto.fromBinary(proto.ClusterSchema, message).connectTimeout?.seconds);
  if (typeUrl === ENDPOINT) {
    const host = proto.fromBinary(proto.ClusterLoadAssignmentSchema, message).endpoints[0]?.lbEndpoints[0]
      ?.hostIdentifier;
    const address = host?.case === "endpoint" ? host.value.address?.address : undefined;
    const port = address?.case === "socketAddress" ? address.value.portSpecifier : undefined;
    return port?.case === "portValue" ? port.value : Number.NaN;
  }
  if (typeUrl === SECRET) {
    const secret = proto.fromBinary(proto.SecretSchema, message).type;
    const text = secret.case === "genericSecret" ? secret.value.secret?.specifier : undefined;
    return text?.case === "inlineString" ? Number(text.value) : Number.NaN;
  }
  if (typeUrl === LISTENER) {
    const config = proto.fromBinary(proto.ListenerSchema, message).filterChains[0]?.filters[0]?.configType;
    const any = config?.case === "typedConfig" ? config.value : undefined;
    return Number(any && proto.fromBinary(proto.TcpProxySchema, any.value).statPrefix);
  }
  if (typeUrl === ROUTE) {
    const action = proto.fromBinary(proto.RouteConfigurationSchema, message).virtualHosts[0]?.routes[0]
      ?.action;
    const cluster = action?.case === "route" ? action.value.clusterSpecifier.value : undefined;
    return Number(String(cluster).split("-").at(-1));
  }
  const any = proto.fromBinary(proto.TypedExtensionConfigSchema, message).typedConfig;
  return Number(any && proto.fromBinary(proto.HttpRBACSchema, any.value).shadowRulesStatPrefix);
}

/** The name that the resource itself carries. */
export function innerName({ typeUrl, message }: Resource): string {
  if (typeUrl === ENDPOINT) return proto.fromBinary(proto.ClusterLoadAssignmentSchema, message).clusterName;
  const schema = proto.registry.getMessage(typeName(typeUrl));
  return schema === undefined ? "" : String((proto.fromBinary(schema, message) as { name?: unknown }).name);
}

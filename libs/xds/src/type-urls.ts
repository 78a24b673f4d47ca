/** Type URLs of the xDS resources that Hansa serves, and the order in which a stream must see them. */

const PREFIX = "type.googleapis.com/";

export const TYPE_URL = {
  cluster: `${PREFIX}envoy.config.cluster.v3.Cluster`,
  endpoint: `${PREFIX}envoy.config.endpoint.v3.ClusterLoadAssignment`,
  listener: `${PREFIX}envoy.config.listener.v3.Listener`,
  route: `${PREFIX}envoy.config.route.v3.RouteConfiguration`,
  secret: `${PREFIX}envoy.extensions.transport_sockets.tls.v3.Secret`,
  extensionConfig: `${PREFIX}envoy.config.core.v3.TypedExtensionConfig`,
} as const;

export type ResourceKind = keyof typeof TYPE_URL;
export type TypeUrl = (typeof TYPE_URL)[ResourceKind];

/**
 * Make-before-break (xDS protocol, "Eventual consistency considerations"): what is referred to travels before what
 * refers to it, and removals travel in the opposite direction after all additions.
 */
export const PUSH_ORDER: readonly TypeUrl[] = [
  TYPE_URL.cluster,
  TYPE_URL.endpoint,
  TYPE_URL.listener,
  TYPE_URL.route,
  TYPE_URL.secret,
  TYPE_URL.extensionConfig,
];

export const isTypeUrl = (text: string): text is TypeUrl => (PUSH_ORDER as readonly string[]).includes(text);

/** `ads`-level name of a type for logs and metrics: the last segment, e.g. `Cluster`. */
export const shortType = (typeUrl: string): string => typeUrl.slice(typeUrl.lastIndexOf(".") + 1);

/** Names of the resources, in one place. A name is part of the contract between generator, agent and tests. */
import type { TrustDomain } from "@hansa/core";

/** STATIC cluster without endpoints: a connection sent there is reset. */
export const BLACK_HOLE = "BlackHole";
/** Dials whatever a taken connection was meant for. */
export const ORIGINAL_DESTINATION = "original-destination";
export const OUTBOUND_LISTENER = "outbound";
export const OUTBOUND_ROUTES = "outbound";
/** The admin interface of a pod's own Envoy. */
export const INSPECT = "inspect";
export const INBOUND_LISTENER = "inbound";
export const GATEWAY_LISTENER = "gateway";
/** The proxy's own certificate and key. */
export const SVID_SECRET = "svid";
/** Roots of the trust domains that may call this sidecar. */
export const CALLERS_SECRET = "bundles/inbound";
/** Roots of the members whose agents may probe this gateway. */
export const MEMBERS_SECRET = "bundles/members";

/** Of a service port, the pods of the own cluster alone: where its ClusterIP leads. */
export const ownClusterName = (sni: string): string => `own/${sni}`;
/** No service port's: those have a namespace before the federation. */
export const inspectSni = (own: TrustDomain): string => `inspect.proxy.${own}`;
export const bundleSecretName = (domain: TrustDomain): string => `bundle/${domain}`;
/** Roots of exactly the trust domains that a plain TCP port admits. */
export const tcpCallersSecretName = (sni: string): string => `bundles/tcp/${sni}`;
export const accessPolicyName = (sni: string): string => `rbac/${sni}`;
export const appClusterName = (sni: string): string => `app/${sni}`;
/** The gateway's own view of an exported port: local endpoints, no TLS of its own. */
export const passthroughClusterName = (sni: string): string => `passthrough/${sni}`;
/** Certificate of a service that the gateway ends mTLS for. */
export const frontedSvidName = (sni: string): string => `svid/${sni}`;
export const entryListenerName = (sni: string): string => `entry/${sni}`;
export const tcpListenerName = (sni: string): string => `tcp/${sni}`;
/** A cluster-set address and port: what the application dials where its connections are taken. */
export const vipListenerName = (ip: string, port: number): string => `vip/${ip}:${port}`;
export const probeSni = (cluster: string, federation: string): string => `probe.${cluster}.gw.${federation}`;

/** Names that pods, namespaces and people meet, and the ports of an injected proxy. Part of the contract. */

/** Namespace label and pod annotation. */
export const INJECT = "hansa.dev/inject";
export const ENABLED = "enabled";
export const DISABLED = "disabled";
/** Pod annotation: what was injected, and that it was. */
export const INJECTED = "hansa.dev/injected";
/** ConfigMap in each namespace with sidecars: the roots of the agent's TLS, as Envoy reads them. */
export const ROOTS = "hansa-roots";
export const ROOTS_FILE = "roots.json";
/** Pod label: `sidecar` where a proxy takes mTLS. */
export const PROXY_LABEL = "hansa.dev/proxy";
export const EXCLUDE_INBOUND_PORTS = "hansa.dev/exclude-inbound-ports";
export const EXCLUDE_OUTBOUND_PORTS = "hansa.dev/exclude-outbound-ports";
export const EXCLUDE_OUTBOUND_CIDRS = "hansa.dev/exclude-outbound-cidrs";

/** Namespace label and pod annotation: who may call past mTLS. */
export const INBOUND_MODE = "hansa.dev/inbound";
export const INBOUND = ["permissive", "strict"] as const;
/** `permissive`: neighbours of the own cluster, in plain text; `strict`: nobody. */
export type Inbound = (typeof INBOUND)[number];

export const PROXY_CONTAINER = "hansa-proxy";
export const RULES_CONTAINER = "hansa-rules";
export const IDENTITY_VOLUME = "hansa-identity";
export const RUN_VOLUME = "hansa-run";
export const IDENTITY_PATH = "/var/run/hansa";

/** Audience of the token by which a proxy says whose it is. */
export const TOKEN_AUDIENCE = "hansa";

export const ADMIN_PORT = 15_000;
export const OUTBOUND_PORT = 15_001;
export const INBOUND_PORT = 15_006;
/** Readiness of the proxy, and the applications' probes. */
export const PROBE_PORT = 15_021;
export const PROXY_PORTS: readonly number[] = [ADMIN_PORT, OUTBOUND_PORT, INBOUND_PORT, PROBE_PORT];
/** Whose traffic is not taken. No other process of the pod may run as it. */
export const PROXY_UID = 1337;

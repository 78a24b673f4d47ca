/** What the generator offers: whole proxies, single resources for incremental encoding, checks, and the bootstrap. */
export { accessPolicyFor, accessRules, servingPolicyFor } from "./access-policy.ts";
export * from "./bootstrap.ts";
export { clusterFor } from "./client-cluster.ts";
export {
  assertConsistent,
  type ConsistencyOptions,
  type FindResource,
  inconsistencies,
  inconsistenciesOf,
} from "./consistency/assert-consistent.ts";
export { gatewayResources } from "./gateway.ts";
export { gatewayListenerFor, PROBE_PATH, probeRules } from "./gateway-listener.ts";
export { inboundListenerFor } from "./inbound-listener.ts";
export { compareListenerFrame } from "./listener-frame.ts";
export { loadAssignmentFor, passthroughAssignmentFor } from "./load-assignment.ts";
export { CODE_HEADER, REASON_HEADER } from "./local-reply.ts";
export * from "./names.ts";
export { outboundListenerFor, tcpListenerFor } from "./outbound-listener.ts";
export { routesFor } from "./outbound-routes.ts";
export { appClusterFor, blackHoleCluster, passthroughClusterFor } from "./plain-cluster.ts";
export { bundleSecretFor, bundlesSecretFor, callerDomains, pickBundles, svidSecretFor } from "./secrets.ts";
export { sidecarResources } from "./sidecar.ts";
export type * from "./types.ts";
export { usableView } from "./usable-view.ts";

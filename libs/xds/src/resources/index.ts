/** What the generator offers: whole proxies, single resources for incremental encoding, checks, and the bootstrap. */
export * from "./bootstrap.ts";
export { agentRoots, ROOTS_SECRET } from "./bootstrap-door.ts";
export { clusterFor } from "./client-cluster.ts";
export {
  type ConsistencyOptions,
  type FindResource,
  inconsistenciesOf,
} from "./consistency/assert-consistent.ts";
export { gatewayResources } from "./gateway.ts";
export { PROBE_PATH } from "./gateway-listener.ts";
export { compareListenerFrame } from "./listener-frame.ts";
export { loadAssignmentFor, passthroughAssignmentFor, plainAssignmentFor } from "./load-assignment.ts";
export * from "./names.ts";
export { vipListenerFor } from "./outbound-listener.ts";
export { routesFor } from "./outbound-routes.ts";
export { blackHoleCluster } from "./plain-cluster.ts";
export { bundleSecretFor, svidSecretFor } from "./secrets.ts";
export { ownSidecarResources, sidecarResources } from "./sidecar.ts";
export type * from "./types.ts";
export { usableView } from "./usable-view.ts";

/** Names of the MCS API and of what Hansa puts on the objects that it writes (KEP-1645). */
export const MCS_GROUP = "multicluster.x-k8s.io";
export const MCS_SERVICE_LABEL = "multicluster.kubernetes.io/service-name";
export const MCS_CLUSTER_LABEL = "multicluster.kubernetes.io/source-cluster";
export const SLICE_MANAGED_BY = "endpointslice.kubernetes.io/managed-by";
/** Anything but endpointslice-controller.k8s.io, which deletes slices of its own that it does not know. */
export const SLICE_MANAGER = "mcs.hansa.dev";

/** Marks ServiceImports that Hansa made: no other is ever changed or deleted. */
export const MANAGED_BY = "app.kubernetes.io/managed-by";
export const MANAGER = "hansa";
/** Field managers of server-side apply: for objects, and for statuses. */
export const FIELD_MANAGER = "hansa";
export const STATUS_MANAGER = "hansa-status";
/** Hash of what was applied: tells that a label which somebody exported is no longer exported. */
export const APPLIED = "hansa.dev/applied";

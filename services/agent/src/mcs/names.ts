/** Names of the MCS API and of what Hansa puts on the objects that it writes (KEP-1645). */
export const MCS_GROUP = "multicluster.x-k8s.io";
/** Newest first: the first that the API server serves is used. Fields are the same in both. */
export const MCS_VERSIONS = ["v1beta1", "v1alpha1"] as const;
export type McsVersion = (typeof MCS_VERSIONS)[number];

export const MCS_SERVICE_LABEL = "multicluster.kubernetes.io/service-name";
export const MCS_CLUSTER_LABEL = "multicluster.kubernetes.io/source-cluster";
export const SLICE_MANAGED_BY = "endpointslice.kubernetes.io/managed-by";
/** Anything but endpointslice-controller.k8s.io, which deletes slices of its own that it does not know. */
export const SLICE_MANAGER = "mcs.hansa.dev";

/** Marks ServiceImports that Hansa made: no other is ever changed or deleted. */
export const MANAGED_BY = "app.kubernetes.io/managed-by";
export const MANAGER = "hansa";
/** Hash of what was applied: tells that a label which somebody exported is no longer exported. */
export const APPLIED = "hansa.dev/applied";

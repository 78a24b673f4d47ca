/** The kinds of objects that Hansa reads and writes. */
import type { Resource } from "./resource.ts";

const namespaced = (group: string, version: string, plural: string): Resource => ({
  group,
  version,
  plural,
  namespaced: true,
});
const clusterWide = (group: string, version: string, plural: string): Resource => ({
  group,
  version,
  plural,
  namespaced: false,
});

export const SERVICES = namespaced("", "v1", "services");
export const PODS = namespaced("", "v1", "pods");
export const SERVICE_ACCOUNTS = namespaced("", "v1", "serviceaccounts");
export const CONFIG_MAPS = namespaced("", "v1", "configmaps");
export const EVENTS = namespaced("", "v1", "events");
export const NAMESPACES = clusterWide("", "v1", "namespaces");
export const NODES = clusterWide("", "v1", "nodes");
export const ENDPOINT_SLICES = namespaced("discovery.k8s.io", "v1", "endpointslices");
export const LEASES = namespaced("coordination.k8s.io", "v1", "leases");
export const MUTATING_WEBHOOKS = clusterWide(
  "admissionregistration.k8s.io",
  "v1",
  "mutatingwebhookconfigurations",
);
export const VALIDATING_WEBHOOKS = clusterWide(
  "admissionregistration.k8s.io",
  "v1",
  "validatingwebhookconfigurations",
);
export const TOKEN_REVIEWS = clusterWide("authentication.k8s.io", "v1", "tokenreviews");
export const ALLOW_POLICIES = namespaced("hansa.dev", "v1alpha1", "allowpolicies");
export const FAILOVER_POLICIES = namespaced("hansa.dev", "v1alpha1", "failoverpolicies");
export const MESH_GATEWAYS = clusterWide("hansa.dev", "v1alpha1", "meshgateways");

/** KEP-1645: both versions are served by the current CRDs. */
export type McsVersion = "v1alpha1" | "v1beta1";
export const serviceExports = (version: McsVersion): Resource =>
  namespaced("multicluster.x-k8s.io", version, "serviceexports");
export const serviceImports = (version: McsVersion): Resource =>
  namespaced("multicluster.x-k8s.io", version, "serviceimports");

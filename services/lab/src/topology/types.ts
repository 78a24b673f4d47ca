/** A topology: what a lab consists of, as its user wrote it (types only; parse.ts reads, default.yaml is the default). */
import type { ClusterName, FederationName } from "@hansa/core";
import type { Caller, Protocol } from "@hansa/events";

export interface TopologyCluster {
  readonly name: ClusterName;
  readonly region: string;
  /** At least one. Replicas are spread over them in order. */
  readonly zones: readonly string[];
  /** Clusters on one network reach each other's sidecars without a gateway. Default: a network of its own. */
  readonly network: string;
}

export interface TopologyPort {
  readonly name: string;
  readonly port: number;
  readonly protocol: Protocol;
}

export interface TopologyService {
  readonly name: string;
  readonly namespace: string;
  readonly ports: readonly TopologyPort[];
  /** Clusters that export it; the service exists wherever one of its workloads does. */
  readonly exportedFrom: readonly string[];
}

export interface TopologyWorkload {
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Names of services in the same namespace that it serves; none for a mere client. */
  readonly services: readonly string[];
  readonly version: string;
  /** Cluster → replicas. */
  readonly replicas: Readonly<Record<string, number>>;
}

export interface TopologyAllow {
  readonly from: Caller;
  readonly namespace: string;
  readonly service: string;
}

export interface TopologyFailover {
  /** `-` for both: every service. */
  readonly namespace: string;
  readonly service: string;
  readonly tiers: readonly (readonly string[])[];
  readonly regions: Readonly<Record<string, readonly string[]>>;
  readonly threshold: number;
  readonly hysteresisPercent: number;
  readonly hysteresisMs: number;
}

export interface Topology {
  readonly federation: FederationName;
  readonly clusters: readonly TopologyCluster[];
  readonly services: readonly TopologyService[];
  readonly workloads: readonly TopologyWorkload[];
  readonly allows: readonly TopologyAllow[];
  readonly failover: readonly TopologyFailover[];
}

/** More would not fit on one machine; the address plan has room for 200 clusters of 200 replicas. */
export const CLUSTERS_MAX = 50;
export const REPLICAS_PER_CLUSTER_MAX = 200;

/**
 * What one importer sees: the output of the view, the input of the xDS generator and of `explain`. Types only.
 * A view is computed from the fold, this importer's evidence and its own locality; it never changes the fold.
 */
import type { ClusterName, SpiffeId, TrustDomain } from "@hansa/core";
import type { LinkState, ServicePort } from "@hansa/events";

/** Where the caller stands. */
export interface Vantage {
  readonly cluster: ClusterName;
  readonly region: string;
  readonly zone: string;
}

export type EndpointHealth = "healthy" | "unhealthy" | "draining";

export interface ViewEndpoint {
  readonly address: string;
  readonly port: number;
  /** Share inside the priority; ≥ 1. */
  readonly weight: number;
  readonly health: EndpointHealth;
  /** UNHEALTHY stand-in for missing capacity; never dialled (federation §1.4 rule 2). */
  readonly placeholder: boolean;
  /** Endpoint id or gateway name, for people. */
  readonly id: string;
}

export interface ViewLocality {
  readonly cluster: ClusterName;
  readonly region: string;
  /** "" for a gateway that serves several zones. */
  readonly zone: string;
  /** 0..N without gaps. */
  readonly priority: number;
  readonly via: "local" | "gateway" | "flat";
  readonly endpoints: readonly ViewEndpoint[];
  readonly healthy: number;
  readonly total: number;
  readonly link: LinkState | "self";
  readonly draining: boolean;
  /** Why it stands here: short, for `explain`, e.g. "failover target of eu-west-1". */
  readonly reason: string;
  /** Register keys (`<cluster>/<lane>/<key>`) whose events made it so. */
  readonly because: readonly string[];
}

export interface ViewExporter {
  readonly cluster: ClusterName;
  readonly trustDomain: TrustDomain;
  /** Never empty: an exporter without identities is left out. */
  readonly allowedIds: readonly SpiffeId[];
}

export interface Conflict {
  readonly field: string;
  readonly reason: string;
  readonly message: string;
}

/** One (service, port) as this importer routes it: one Envoy cluster. */
export interface ServicePortView {
  readonly namespace: string;
  readonly service: string;
  readonly port: ServicePort;
  /** Port name, or `p--<number>`. */
  readonly portKey: string;
  /** `<portKey>.<svc>.<ns>.svc.<federation>`; also the Envoy cluster's and CLA's name. */
  readonly sni: string;
  /** `<svc>.<ns>.svc.clusterset.local`. */
  readonly host: string;
  readonly exporters: readonly ViewExporter[];
  readonly localities: readonly ViewLocality[];
  /** Envoy overprovisioning_factor = round(10000 / threshold). */
  readonly overprovisioning: number;
  readonly conflicts: readonly Conflict[];
}

/** One exported (or local) service port on the serving side. */
export interface ServingPort {
  readonly namespace: string;
  readonly service: string;
  readonly port: ServicePort;
  readonly portKey: string;
  readonly sni: string;
  readonly exported: boolean;
  /** Local endpoints, for the gateway's passthrough cluster. */
  readonly endpoints: readonly ViewEndpoint[];
  /** Local endpoints that take no mTLS, by the application's own port: the gateway may end it for them (gateway mode). */
  readonly plain?: readonly ViewEndpoint[];
  /** Principals admitted besides the own trust domain: exact ids, or `spiffe://td/` and `spiffe://td/ns/x/` prefixes. */
  readonly callers: readonly { readonly kind: "exact" | "prefix"; readonly value: string }[];
}

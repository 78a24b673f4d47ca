/**
 * Inputs and output of the resource generator. Types only.
 * Everything here is data: the same input gives the same bytes, so that content versions are stable over restarts.
 */
import type { ClusterName, FederationName, SpiffeId, TrustDomain } from "@hansa/core";
import type { Protocol } from "@hansa/events";
import type { ServicePortView, ServingPort, Vantage } from "@hansa/model";

/** Resource name → encoded message, per type. The order of names is ascending. */
export interface Resources {
  readonly clusters: ReadonlyMap<string, Uint8Array>;
  readonly endpoints: ReadonlyMap<string, Uint8Array>;
  readonly listeners: ReadonlyMap<string, Uint8Array>;
  readonly routes: ReadonlyMap<string, Uint8Array>;
  readonly secrets: ReadonlyMap<string, Uint8Array>;
  readonly extensionConfigs: ReadonlyMap<string, Uint8Array>;
}

/** An X.509 SVID with its key, PEM, leaf first. */
export interface TlsIdentity {
  readonly certPem: string;
  readonly keyPem: string;
}

/** Roots of each trust domain that may be trusted at all, base64 DER (BundleValue.roots). An empty list = no bundle. */
export type TrustBundles = ReadonlyMap<TrustDomain, readonly string[]>;

/** Where the sidecar finds the application behind one served service port. */
export interface AppTarget {
  readonly address: string;
  readonly port: number;
  readonly protocol: Protocol;
}

export interface SidecarListen {
  /** Address of all this proxy's listeners. */
  readonly address: string;
  /** HTTP and gRPC from the application, by authority (15001). */
  readonly outboundPort: number;
  /** mTLS from other proxies, by SNI (15006). */
  readonly inboundPort: number;
  /** Connections of and to the application are taken; absent: it dials this proxy, and nobody dials it. */
  readonly taken?: {
    /** Where cluster-set addresses lie (CIDR). */
    readonly vipRanges: readonly string[];
    /** From where its applications take plain text (CIDR). */
    readonly neighbours: readonly string[];
    /** Of its admin interface, on loopback. */
    readonly adminPort: number;
  };
}

export interface SidecarProxy {
  /** `<ns>/<workload>/<replica id>`. */
  readonly id: string;
  readonly trustDomain: TrustDomain;
  readonly spiffeId: SpiffeId;
  readonly listen: SidecarListen;
  /** Served SNI → application. A served port without an entry gets no chain. */
  readonly apps: ReadonlyMap<string, AppTarget>;
}

/** What a sidecar's own resources follow from. */
export interface OwnInput {
  readonly proxy: Pick<SidecarProxy, "trustDomain" | "listen" | "apps">;
  /** What this proxy may call; its own part holds the TCP listeners of these. */
  readonly views: readonly ServicePortView[];
  /** What this proxy's workload serves. */
  readonly serving: readonly ServingPort[];
  /** SNI of a TCP service port → local port that the application dials. */
  readonly tcpPorts: ReadonlyMap<string, number>;
  readonly svid: TlsIdentity;
  readonly bundles: TrustBundles;
}

export interface SidecarInput extends OwnInput {
  readonly federation: FederationName;
  readonly self: Vantage;
  readonly proxy: SidecarProxy;
}

/** What a gateway does for pods without a proxy. */
export interface GatewayMode {
  readonly trustDomain: TrustDomain;
  /** SNI of each port that it ends mTLS for, and whom it shows to callers: an identity of the service. */
  readonly fronts: ReadonlyMap<string, TlsIdentity>;
  /** Imported ports, and where local pods come in to call them. */
  readonly entries: readonly { readonly view: ServicePortView; readonly port: number }[];
}

export interface GatewayInput {
  readonly federation: FederationName;
  readonly cluster: ClusterName;
  readonly listen: { readonly address: string; readonly port: number };
  /** Absent: pods without a proxy neither call nor are called through it. */
  readonly gatewayMode?: GatewayMode;
  /** All service ports of the cluster; only the exported ones get a chain. */
  readonly serving: readonly ServingPort[];
  /** Clusters whose agents may probe this gateway. */
  readonly members: readonly ClusterName[];
  readonly svid: TlsIdentity;
  readonly bundles: TrustBundles;
}

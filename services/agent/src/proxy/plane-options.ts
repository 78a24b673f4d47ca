/** What the data plane of a cluster is given. Types only. */
import type { AccountKey, ClusterName, FederationName, SpiffeId, TrustDomain } from "@hansa/core";
import type { Head, LinkValue } from "@hansa/events";
import type { Svid } from "@hansa/identity";
import type { ResourceLayer } from "@hansa/xds";
import type { LocalReader } from "../local-reader.ts";
import type { Disk, Ports } from "../ports.ts";
import type { ClusterIpsOf } from "./cluster-ips.ts";
import type { LocalProxy } from "./inventory.ts";
import type { VipsOf } from "./zone-layer.ts";

/** One proxy's ADS server; opened by the adapter. */
export interface ProxyServer {
  close(): Promise<void>;
  /** Lowest revision that every open stream has acknowledged; undefined where no stream is open. */
  ackedRevision(): number | undefined;
  status(): unknown;
}

export interface PlaneOptions {
  readonly federation: FederationName;
  readonly cluster: ClusterName;
  readonly trustDomain: TrustDomain;
  readonly region: string;
  readonly outboundPort: number;
  readonly tcpPortFirst: number;
  /** Pods without a proxy call and are called through the gateways. */
  readonly gatewayMode?: boolean;
  readonly ports: Pick<Ports, "clock" | "timers" | "log" | "metrics" | "crypto" | "tracer"> & {
    readonly disk: Disk;
  };
  readonly reader: LocalReader;
  readonly heads: () => readonly Head[];
  /** Name of the source of a log, where it is known. */
  readonly clusterOf: (account: AccountKey) => string | undefined;
  /** DER roots of the own trust domain, base64. */
  readonly ownRoots: () => readonly string[];
  readonly svid: (id: SpiffeId) => Svid;
  readonly evidence: (peer: string) => LinkValue | undefined;
  /** Cluster-set addresses and the Services' own, where proxies take connections by address. */
  readonly vips?: {
    readonly ranges: readonly string[];
    readonly of: VipsOf;
    readonly clusterIps: ClusterIpsOf;
  };
  /** From where pods' proxies take plain text, where they take any (CIDR). */
  readonly neighbours?: readonly string[];
  /**
   * Opens the proxy's socket over these layers; `onAck` is called after each acknowledgement, refusal and end of a stream,
   * `onCome` before a stream of a pod's proxy is let in.
   */
  readonly serve: (
    proxy: LocalProxy,
    layers: readonly ResourceLayer[],
    onAck: () => void,
    onCome: () => void,
  ) => ProxyServer;
}

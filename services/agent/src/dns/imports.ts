/** What the zone is made of: the part of the importer's view that names speak of. Types only. */

export interface DnsPort {
  /** "" has no SRV. */
  readonly name: string;
  readonly portKey: string;
  readonly port: number;
  readonly transport: "TCP" | "UDP" | "SCTP";
}

export interface DnsEndpoint {
  readonly address: string;
  readonly family: "IPv4" | "IPv6";
  /** "" where it has none: it is then named by its address. */
  readonly hostname: string;
  readonly ready: boolean;
  /** portKey → the port that the application listens on. */
  readonly ports: Readonly<Record<string, number>>;
}

export interface DnsImport {
  readonly namespace: string;
  readonly name: string;
  readonly type: "ClusterSetIP" | "Headless";
  readonly ports: readonly DnsPort[];
  /** Cluster-set addresses; none for a headless service and where none was allocated. */
  readonly ips: readonly string[];
  readonly clusters: readonly { readonly cluster: string; readonly endpoints: readonly DnsEndpoint[] }[];
}

export interface DnsIndex {
  /** O(1). The same object as long as nothing of the service changed, another one afterwards. */
  get(namespace: string, name: string): DnsImport | undefined;
  hasNamespace(namespace: string): boolean;
  /** False: what is missing may only not have been read yet. */
  readonly synced: boolean;
}

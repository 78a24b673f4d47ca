/** What an injection depends on beside the pod: the same for every pod of a cluster. */

export interface InjectSettings {
  readonly cluster: string;
  /** Stock Envoy with a shell (not distroless): the drain on termination is asked for by one. */
  readonly proxyImage: string;
  /** Has sh, iptables-restore and ip6tables-restore. */
  readonly rulesImage: string;
  /** Where proxies find their agent; one of the names in its certificate. */
  readonly agent: { readonly host: string; readonly port: number };
  /** Ranges that the mesh leaves alone beside what a pod excludes itself, e.g. of the API server. */
  readonly excludeOutboundCidrs: readonly string[];
}

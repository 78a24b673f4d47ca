/**
 * Which addresses, ports and ranges each cluster of a lab has. All follow from the cluster's place in the list, so that
 * no two clusters meet: they share one machine's routing table.
 */
export interface ClusterPlan {
  readonly name: string;
  /** URL of the API server. */
  readonly url: string;
  readonly port: number;
  readonly etcdClientPort: number;
  readonly etcdPeerPort: number;
  readonly podCidr: string;
  /** The node, and the pods' router, resolver and way to the API server. */
  readonly nodeIp: string;
  readonly serviceCidr: string;
  /** Second, where there are no pods: Services of both families can be written, and nothing routes them. */
  readonly serviceCidrV6: string;
  /** ClusterIP of `kubernetes.default`: the first of the range. */
  readonly kubernetesIp: string;
  readonly dnsIp: string;
  /** Of Services of type LoadBalancer: what other clusters can call. */
  readonly loadBalancerCidr: string;
  /** What other clusters see the nodes and their pods as. */
  readonly outerIp: string;
}

/** 10.64 to 10.127 in four parts, the last address of each left free. */
const clustersMax = 15;

/** Throws where names repeat, are no DNS labels, or are too many. */
export function planClusters(names: readonly string[], address: string): ClusterPlan[] {
  if (names.length === 0 || names.length > clustersMax)
    throw new Error(`kube: ${names.length} clusters; a lab has 1 to ${clustersMax}`);
  if (new Set(names).size !== names.length)
    throw new Error(`kube: clusters ${names.join(", ")}: a name twice`);
  return names.map((name, index) => {
    if (!/^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name))
      throw new Error(`kube: cluster ${JSON.stringify(name)}: a name is a DNS label of lower-case letters`);
    const port = 6443 + index;
    return {
      name,
      url: `https://${address}:${port}`,
      port,
      etcdClientPort: 2379 + 10 * index,
      etcdPeerPort: 2380 + 10 * index,
      podCidr: `10.${64 + index}.0.0/16`,
      nodeIp: `10.${64 + index}.0.1`,
      serviceCidr: `10.${96 + index}.0.0/16`,
      serviceCidrV6: `fd00:10:${96 + index}::/112`,
      kubernetesIp: `10.${96 + index}.0.1`,
      dnsIp: `10.${96 + index}.0.10`,
      loadBalancerCidr: `10.${112 + index}.0.0/16`,
      outerIp: `10.127.0.${1 + index}`,
    };
  });
}

/** What an Envoy of a lab has been told of the hosts of one of its clusters, by its own admin interface. */
import type { TestLab } from "./lab.ts";

export interface EnvoyHost {
  /** `address:port`. */
  readonly address: string;
  /** As in the endpoint assignment: HEALTHY, UNHEALTHY, DRAINING, … */
  readonly health: string;
}

/** `component`: e.g. `eu/shop/web/web-1/sidecar`. `cluster` is the service port's SNI. */
export async function envoyHosts(lab: TestLab, component: string, cluster: string): Promise<EnvoyHost[]> {
  const { items } = await lab.ok("lab", "status");
  const { admin } = items.find((item: { name: string }) => item.name === component);
  const answer = await fetch(`${admin}/clusters?format=json`);
  const { cluster_statuses: clusters } = (await answer.json()) as { cluster_statuses: ClusterStatus[] };
  return (clusters.find(({ name }) => name === cluster)?.host_statuses ?? []).map((host) => ({
    address: `${host.address.socket_address.address}:${host.address.socket_address.port_value}`,
    health: host.health_status.eds_health_status,
  }));
}

interface ClusterStatus {
  readonly name: string;
  readonly host_statuses?: readonly {
    readonly address: { readonly socket_address: { readonly address: string; readonly port_value: number } };
    readonly health_status: { readonly eds_health_status: string };
  }[];
}

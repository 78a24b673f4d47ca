/** What the lab, in the place of a kubelet and its API server, tells one cluster's agent: the file source's content. */
import { stringify } from "yaml";
import type { Topology } from "./types.ts";

/** A replica as it runs now. */
export interface RunningReplica {
  readonly namespace: string;
  readonly workload: string;
  readonly id: string;
  readonly address: string;
  readonly zone: string;
  /** The app and its sidecar both answer. */
  readonly ready: boolean;
}

export const SIDECAR_INBOUND_PORT = 15_006;
export const APP_PORT = 8080;
/** Exports of the lab's topology are as old as the lab's world. */
const CREATED = "2026-01-01T00:00:00Z";

/** `desired` holds replica counts by `ns/workload` (scaled ones included). Deterministic text. */
export function fileSourceOf(
  topology: Topology,
  cluster: string,
  replicas: readonly RunningReplica[],
  desired: ReadonlyMap<string, number>,
): string {
  const workloads = topology.workloads.filter((workload) => workload.replicas[cluster] !== undefined);
  const served = new Set(
    workloads.flatMap((workload) => workload.services.map((name) => `${workload.namespace}/${name}`)),
  );
  const services = topology.services.filter((service) => served.has(`${service.namespace}/${service.name}`));
  return stringify({
    services: services.map((service) => ({
      namespace: service.namespace,
      name: service.name,
      created: CREATED,
      ports: service.ports,
      ...(service.exportedFrom.includes(cluster) ? { export: { since: CREATED, to: "all" } } : {}),
    })),
    workloads: workloads.map((workload) => ({
      namespace: workload.namespace,
      name: workload.name,
      serviceAccount: workload.serviceAccount,
      desired: desired.get(`${workload.namespace}/${workload.name}`) ?? workload.replicas[cluster],
      services: workload.services,
      replicas: replicas
        .filter((replica) => replica.namespace === workload.namespace && replica.workload === workload.name)
        .map((replica) => ({
          id: replica.id,
          address: replica.address,
          port: SIDECAR_INBOUND_PORT,
          ready: replica.ready,
          zone: replica.zone,
          app: { address: replica.address, port: APP_PORT },
          sidecar: true,
        })),
    })),
    allows: topology.allows
      .filter((allow) => served.has(`${allow.namespace}/${allow.service}`))
      .map((allow, index) => ({
        name: `allow-${index + 1}`,
        namespace: allow.namespace,
        service: allow.service,
        from: [allow.from],
      })),
    failover: topology.failover.map(({ service, ...policy }) => ({ ...policy, name: service })),
  });
}

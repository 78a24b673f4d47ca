/** `--clusters N`: further clusters copy the last one's shape in generated regions, or the first N are kept. */
import type { ClusterName } from "@hansa/core";
import type { Topology } from "./types.ts";

export function growTopology(topology: Topology, count: number): Topology {
  const model = topology.clusters.at(-1);
  if (!model || count <= topology.clusters.length) return shrinkTopology(topology, count);
  const added = Array.from({ length: count - topology.clusters.length }, (_, index) => {
    const number = topology.clusters.length + index + 1;
    const region = `region-${number}`;
    const name = `c${number}` as ClusterName;
    return {
      name,
      region,
      zones: model.zones.map((_zone, zone) => `${region}${"abcdefghi"[zone]}`),
      network: name,
    };
  });
  const names = added.map((cluster) => cluster.name);
  return {
    ...topology,
    clusters: [...topology.clusters, ...added],
    services: topology.services.map((service) =>
      service.exportedFrom.includes(model.name)
        ? { ...service, exportedFrom: [...service.exportedFrom, ...names] }
        : service,
    ),
    workloads: topology.workloads.map((workload) => {
      const replicas = workload.replicas[model.name];
      if (replicas === undefined) return workload;
      return {
        ...workload,
        replicas: { ...workload.replicas, ...Object.fromEntries(names.map((name) => [name, replicas])) },
      };
    }),
  };
}

function shrinkTopology(topology: Topology, count: number): Topology {
  const clusters = topology.clusters.slice(0, count);
  const kept = new Set<string>(clusters.map((cluster) => cluster.name));
  const regions = new Set(clusters.map((cluster) => cluster.region));
  const keepNames = (names: readonly string[]) => names.filter((name) => kept.has(name));
  return {
    ...topology,
    clusters,
    services: topology.services.map((service) => ({
      ...service,
      exportedFrom: keepNames(service.exportedFrom),
    })),
    workloads: topology.workloads.map((workload) => ({
      ...workload,
      replicas: Object.fromEntries(Object.entries(workload.replicas).filter(([name]) => kept.has(name))),
    })),
    allows: topology.allows.filter((allow) => allow.from.cluster === "*" || kept.has(allow.from.cluster)),
    failover: topology.failover.map((policy) => ({
      ...policy,
      tiers: policy.tiers.map(keepNames),
      regions: Object.fromEntries(
        Object.entries(policy.regions).map(([region, targets]) => [
          region,
          targets.filter((target) => regions.has(target)),
        ]),
      ),
    })),
  };
}

/** Reads a topology: YAML → shapes → references. Every problem names its place; nothing is half accepted. */
import { type ClusterName, type FederationName, HansaError, SYSTEM_NAMESPACE } from "@hansa/core";
import { LineCounter, parseDocument } from "yaml";
import { topologySchema, type WrittenTopology } from "./schema.ts";
import { REPLICAS_PER_CLUSTER_MAX, type Topology } from "./types.ts";

const TOPOLOGY_BYTES_MAX = 1024 * 1024;

type Place = readonly (string | number)[];
interface Problem {
  readonly place: Place;
  readonly message: string;
}

/** Throws HSA1002 whose message lists every problem with file, line and path. */
export function parseTopology(text: string, file: string): Topology {
  if (text.length > TOPOLOGY_BYTES_MAX)
    throw new HansaError("HSA1002", `${file}: larger than ${TOPOLOGY_BYTES_MAX} bytes`);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: true });
  const [syntaxError] = document.errors;
  if (syntaxError) throw new HansaError("HSA1002", `${file}: ${syntaxError.message}`);

  const shape = topologySchema.safeParse(document.toJS({ maxAliasCount: 100 }) ?? {});
  const problems: Problem[] = shape.success
    ? checkReferences(shape.data)
    : shape.error.issues.map((issue) => ({ place: issue.path as Place, message: issue.message }));
  if (!shape.success || problems.length > 0) {
    const listed = problems.slice(0, 20).map(({ place, message }) => {
      const offset = (document.getIn(place, true) as { range?: [number] } | undefined)?.range?.[0];
      const line = offset === undefined ? "" : `:${lines.linePos(offset).line}`;
      return `${file}${line}: ${showPlace(place)}: ${message}`;
    });
    throw new HansaError("HSA1002", listed.join("\n"), { details: { problems: problems.length } });
  }
  return complete(shape.data);
}

const showPlace = (place: Place): string =>
  place
    .map((part, index) => (typeof part === "number" ? `[${part}]` : `${index > 0 ? "." : ""}${part}`))
    .join("") || "file";

function checkReferences(written: WrittenTopology): Problem[] {
  const clusters = new Set(written.clusters.map((cluster) => cluster.name));
  const services = new Set(written.services.map((service) => `${service.namespace}/${service.name}`));
  const problems: Problem[] = [];
  const say = (message: string, ...place: Place) => {
    problems.push({ place, message });
  };
  const needCluster = (name: string, ...place: Place) => {
    if (!clusters.has(name))
      say(`no cluster is named ${name}; there are ${[...clusters].join(", ")}`, ...place);
  };
  const needService = (name: string, ...place: Place) => {
    if (!services.has(name)) say(`no service is named ${name}`, ...place);
  };

  for (const i of repeats(written.clusters.map((cluster) => cluster.name)))
    say("this cluster name is used twice", "clusters", i, "name");
  for (const i of repeats(written.services.map((service) => `${service.namespace}/${service.name}`)))
    say("this service exists twice in its namespace", "services", i, "name");
  for (const i of repeats(written.workloads.map((workload) => `${workload.namespace}/${workload.name}`)))
    say("this workload exists twice in its namespace", "workloads", i, "name");

  for (const [i, service] of written.services.entries()) {
    for (const j of repeats(service.ports.map((port) => port.name)))
      say("this port name is used twice", "services", i, "ports", j, "name");
    const runsIn = clustersServing(written, service);
    for (const [j, cluster] of service.exportedFrom.entries()) {
      needCluster(cluster, "services", i, "exportedFrom", j);
      if (clusters.has(cluster) && !runsIn.has(cluster))
        say(
          `no workload serves ${service.name} in ${cluster}, so it cannot be exported from there`,
          "services",
          i,
          "exportedFrom",
          j,
        );
    }
  }

  for (const [i, workload] of written.workloads.entries()) {
    if (workload.namespace === SYSTEM_NAMESPACE)
      say("is reserved for agents and gateways", "workloads", i, "namespace");
    for (const [j, name] of workload.services.entries())
      needService(`${workload.namespace}/${name}`, "workloads", i, "services", j);
    if (protocolFamilies(written, workload).size > 1)
      say(
        "its services mix http, grpc and tcp; the lab's app speaks one of them",
        "workloads",
        i,
        "services",
      );
    for (const cluster of Object.keys(workload.replicas))
      needCluster(cluster, "workloads", i, "replicas", cluster);
  }
  for (const name of clusters) {
    const replicas = written.workloads.reduce((sum, workload) => sum + (workload.replicas[name] ?? 0), 0);
    if (replicas > REPLICAS_PER_CLUSTER_MAX)
      say(`${name} has ${replicas} replicas; at most ${REPLICAS_PER_CLUSTER_MAX} fit`, "workloads");
  }
  checkPolicies(written, say, needCluster, needService);
  return problems;
}

type Need = (text: string, ...place: Place) => void;

function checkPolicies(written: WrittenTopology, say: Need, needCluster: Need, needService: Need): void {
  const regions = new Set(written.clusters.map((cluster) => cluster.region));
  for (const [i, allow] of written.allows.entries()) {
    if (allow.from.cluster !== "*") needCluster(allow.from.cluster, "allows", i, "from", "cluster");
    needService(allow.to, "allows", i, "to");
  }
  for (const [i, policy] of written.failover.entries()) {
    if (policy.for !== undefined) needService(policy.for, "failover", i, "for");
    for (const [j, tier] of policy.tiers.entries())
      for (const [k, name] of tier.entries()) needCluster(name, "failover", i, "tiers", j, k);
    for (const [region, targets] of Object.entries(policy.regions))
      for (const [j, target] of targets.entries())
        if (!regions.has(target))
          say(`no cluster is in region ${target}`, "failover", i, "regions", region, j);
  }
}

function clustersServing(
  written: WrittenTopology,
  service: { namespace: string; name: string },
): Set<string> {
  return new Set(
    written.workloads
      .filter(
        (workload) => workload.namespace === service.namespace && workload.services.includes(service.name),
      )
      .flatMap((workload) => Object.keys(workload.replicas)),
  );
}

function protocolFamilies(
  written: WrittenTopology,
  workload: WrittenTopology["workloads"][number],
): Set<string> {
  return new Set(
    written.services
      .filter(
        (service) => service.namespace === workload.namespace && workload.services.includes(service.name),
      )
      .flatMap((service) => service.ports.map((port) => port.protocol)),
  );
}

/** Indices of values that stood before. */
function repeats(values: readonly string[]): number[] {
  return values.flatMap((value, index) => (values.indexOf(value) < index ? [index] : []));
}

function complete(written: WrittenTopology): Topology {
  return {
    federation: written.federation as FederationName,
    clusters: written.clusters.map((cluster) => ({
      name: cluster.name as ClusterName,
      region: cluster.region,
      zones: cluster.zones ?? [`${cluster.region}a`],
      network: cluster.network ?? cluster.name,
    })),
    services: written.services,
    workloads: written.workloads.map((workload) => ({
      ...workload,
      serviceAccount: workload.serviceAccount ?? workload.name,
    })),
    allows: written.allows.map((allow) => {
      const [namespace = "", service = ""] = allow.to.split("/");
      return { from: allow.from, namespace, service };
    }),
    failover: written.failover.map(({ for: target, ...policy }) => {
      const [namespace = "-", service = "-"] = target?.split("/") ?? [];
      return { ...policy, namespace, service };
    }),
  };
}

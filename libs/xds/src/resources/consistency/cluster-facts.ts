/** Invariants of clusters: the failover recipe's golden fields, and trust for every mesh upstream. */
import { type Cluster, Cluster_DiscoveryType, ClusterSchema, fromBinary } from "../../../gen/index.ts";
import { ownClusterName } from "../names.ts";
import { readAssignment } from "./assignment-reader.ts";
import { Collector, type Facts } from "./facts.ts";
import { readUpstreamTls } from "./tls-facts.ts";

/** Local pods: those whose mTLS a gateway passes, and those that it speaks for. An SNI has no slash. */
const isLocal = (name: string): boolean => name.startsWith("passthrough/") || name.startsWith("app/");
/** The own pods of a service port are asked as any others are. */
const sniOf = (name: string): string =>
  name.slice(name.startsWith(ownClusterName("")) ? ownClusterName("").length : 0);
/** Envoy's default: so few retries that a failover drops requests. */
const RETRIES_DEFAULT = 3;

function demandRecipe(cluster: Cluster, collector: Collector): void {
  const { commonLbConfig, circuitBreakers } = cluster;
  const { updateMergeWindow: window, healthyPanicThreshold: panic } = commonLbConfig ?? {};
  collector.demand(
    window !== undefined && window.seconds === 0n && window.nanos === 0,
    "merge window is not 0s",
  );
  collector.demand(panic?.value === 0, "panic threshold is not 0");
  collector.demand(cluster.ignoreHealthOnHostRemoval, "ignore_health_on_host_removal is off");
  collector.demand(
    circuitBreakers?.thresholds.some((limit) => (limit.maxRetries ?? 0) > RETRIES_DEFAULT) === true,
    "max_retries is not raised",
  );
  collector.demand(cluster.outlierDetection?.consecutiveLocalOriginFailure === 1, "no outlier detection");
}

export function clusterFacts(name: string, bytes: Uint8Array): Facts {
  const cluster = fromBinary(ClusterSchema, bytes);
  const collector = new Collector(`cluster ${name}`);
  collector.demand(cluster.name === name, `is named ${cluster.name}`);
  if (cluster.clusterDiscoveryType.value !== Cluster_DiscoveryType.EDS) return collector.facts();
  collector.endpoints.add(cluster.edsClusterConfig?.serviceName || name);
  demandRecipe(cluster, collector);
  if (isLocal(name)) return collector.facts();
  readUpstreamTls(cluster.transportSocket, sniOf(name), collector);
  collector.demand(cluster.transportSocketMatches.length > 0, "no exporter");
  for (const match of cluster.transportSocketMatches) {
    collector.demand(!collector.matches.has(match.name), `two exporters named ${match.name}`);
    collector.demand(match.match?.cluster === match.name, `match ${match.name} has another value`);
    collector.matches.add(match.name);
    readUpstreamTls(match.transportSocket, sniOf(name), collector);
  }
  return collector.facts();
}

export function endpointFacts(name: string, bytes: Uint8Array): Facts {
  const assignment = readAssignment(bytes);
  const collector = new Collector(`endpoints ${name}`);
  const local = isLocal(name);
  collector.demand(assignment.clusterName === name, `are for ${assignment.clusterName}`);
  const seen = new Set<string>();
  for (const { address, port, match } of assignment.endpoints) {
    const at = address === "" ? "" : `${address}:${port}`;
    if (at === "") collector.demand(false, "an endpoint without an address");
    if (seen.has(at)) collector.demand(false, `${at} twice: Envoy would drop the second`);
    seen.add(at);
    if (match !== undefined) collector.matches.add(match);
    else if (!local) collector.demand(false, `${at} names no exporter`);
  }
  collector.demand(
    local || assignment.weightedPriorityHealth,
    "weights do not count in the health of a priority",
  );
  return collector.facts();
}

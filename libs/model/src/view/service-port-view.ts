/** Composition of the view: exporters → merged ports → reachable capacity → ordered localities, per service port. */
import type { ClusterName } from "@hansa/core";
import {
  type Candidate,
  capWeight,
  endpointCandidates,
  gatewayCandidate,
  gatewaysOf,
  loadsOf,
  type Reach,
} from "./candidate.ts";
import { isLeftOut, withPreference } from "./cluster-preference.ts";
import { portConflicts, serviceConflicts } from "./conflicts.ts";
import { failoverPolicyOf, type PolicyInForce } from "./failover-policy.ts";
import { evidenceOf, type PeerEvidence, sightOf, type ViewInput } from "./input.ts";
import { drainCandidates, localitiesOf } from "./localities.ts";
import { type Exporter, exportersOf, isMeshed, type MergedPort, mergePorts } from "./merge.ts";
import { placeCandidates } from "./priority.ts";
import { federationOf, isFlat, readOfService } from "./reader.ts";
import { serviceHost, serviceSni } from "./sni.ts";
import { overprovisioningOf } from "./threshold.ts";
import type { ServicePortView } from "./types.ts";

/** An exporter that gets no traffic for a port, and why. */
export interface Excluded {
  readonly cluster: ClusterName;
  readonly reason: string;
  readonly because: readonly string[];
}

export interface PortRoute {
  readonly view: ServicePortView;
  readonly excluded: readonly Excluded[];
}

export interface ServiceRoutes {
  readonly policy: PolicyInForce;
  readonly ports: readonly PortRoute[];
}

/** One view per port of the service as this importer sees it; empty where nobody offers it to this importer. */
export const servicePortViews = (input: ViewInput, namespace: string, name: string): ServicePortView[] =>
  serviceRoutes(input, namespace, name).ports.map(({ view }) => view);

export function serviceRoutes(input: ViewInput, namespace: string, name: string): ServiceRoutes {
  const sight = sightOf(input);
  const exporters = exportersOf(sight, namespace, name);
  const evidence = new Map(exporters.map(({ cluster }) => [cluster, evidenceOf(input, cluster)]));
  const policy = withPreference(sight, exporters, failoverPolicyOf(sight, namespace, name));
  // The lost do not decide what a service looks like, unless there is nobody else: then it stays, without endpoints,
  // so that callers fail fast instead of losing the route.
  const present = exporters.filter(({ cluster }) => evidence.get(cluster)?.state !== "lost");
  const deciding = present.length > 0 ? present : exporters;
  const merged = mergePorts(deciding, exporters, federationOf(sight));
  const ports = merged
    .filter(({ port, exposedBy }) => isMeshed(port) && exposedBy.length > 0)
    .map((port) => portRoute(input, exporters, deciding, merged, port, evidence, policy));
  return { policy, ports };
}

function portRoute(
  input: ViewInput,
  exporters: readonly Exporter[],
  deciding: readonly Exporter[],
  merged: readonly MergedPort[],
  port: MergedPort,
  evidence: ReadonlyMap<string, PeerEvidence>,
  policy: PolicyInForce,
): PortRoute {
  const { namespace, name } = exporters[0]!;
  const sni = serviceSni(port.portKey, name, namespace, federationOf(sightOf(input)));
  const excluded: Excluded[] = [];
  const candidates: Candidate[] = [];
  const exposing = exporters.filter(({ cluster }) => port.exposedBy.includes(cluster));
  const remote = exposing.filter(({ cluster }) => cluster !== input.self.cluster);
  const scale = scaleOf(remote.map(({ cluster }) => gatewaysOf(sightOf(input), cluster).length));
  for (const exporter of exporters) {
    const reached = isLeftOut(exporter.cluster, policy)
      ? "no cluster selector of the export names it"
      : reach(input, exporter, port, evidence.get(exporter.cluster)!, scale);
    if (typeof reached !== "string") candidates.push(...reached.map(capWeight));
    else
      excluded.push({
        cluster: exporter.cluster,
        reason: reached,
        because: [exporter.because, ...evidence.get(exporter.cluster)!.because],
      });
  }
  const placed = placeCandidates(drainCandidates(candidates, input.self.cluster), input.self, policy.policy);
  return {
    excluded,
    view: {
      namespace,
      service: name,
      port: port.port,
      portKey: port.portKey,
      sni,
      host: serviceHost(name, namespace),
      exporters: exposing
        .map(({ cluster, member, allowedIds }) => ({ cluster, trustDomain: member.trustDomain, allowedIds }))
        .sort((a, b) => (a.cluster < b.cluster ? -1 : 1)),
      localities: localitiesOf(placed, sni, policy.policy, input.memory, input.monotonicMs),
      overprovisioning: overprovisioningOf(policy.policy.threshold),
      conflicts: [...serviceConflicts(deciding), ...portConflicts(deciding, merged, port)],
    },
  };
}

/** Candidates, or the reason why there are none. */
function reach(
  input: ViewInput,
  exporter: Exporter,
  port: MergedPort,
  evidence: PeerEvidence,
  scale: number,
): readonly Candidate[] | string {
  const sight = sightOf(input);
  if (evidence.state === "lost") return "lost: neither its lease nor its gateway is alive";
  if (!port.exposedBy.includes(exporter.cluster))
    return `does not offer port ${port.portKey} as the oldest export does`;
  const from = { exporter, portKey: port.portKey, link: evidence.state, because: evidence.because };
  const listed = (via: "local" | "flat"): readonly Candidate[] => {
    const make = () => endpointCandidates(sight, from, via, scale);
    return input.candidates?.of(from, via, scale, make) ?? make();
  };
  if (exporter.cluster === input.self.cluster)
    return isBehindGateway(input, exporter, port) ? ownGateway(input, from, scale) : listed("local");
  if (isFlat(input.fed, input.self.cluster, exporter.cluster) && hasEndpoints(input, exporter, port))
    return listed("flat");
  return asList(gatewayCandidate(sight, from, scale)) ?? "has no gateway";
}

/** None of its pods takes mTLS, and yet it has capacity: its gateway ends mTLS for them. */
function isBehindGateway(input: ViewInput, { cluster, namespace, name }: Exporter, { portKey }: MergedPort) {
  const sight = sightOf(input);
  return (
    loadsOf(sight, cluster, namespace, name, portKey).some(({ value }) => value.total > 0) &&
    readOfService(sight, cluster, "endpoint", namespace, name).every(
      ({ value }) => value.ports[portKey] === undefined,
    )
  );
}

/** As near as local endpoints are. */
function ownGateway(input: ViewInput, from: Reach, scale: number): Candidate[] {
  const found = gatewayCandidate(sightOf(input), from, scale);
  return found === undefined ? [] : [{ ...found, zone: input.self.zone }];
}

const asList = (candidate: Candidate | undefined): Candidate[] | undefined =>
  candidate === undefined ? undefined : [candidate];

/** Lanes are not ordered against each other: until the peer's endpoints are here, its gateway serves. */
function hasEndpoints(input: ViewInput, exporter: Exporter, port: MergedPort): boolean {
  const { cluster, namespace, name } = exporter;
  const { fed, self } = input;
  for (const view of fed.ofService(cluster, namespace, name))
    if (view.type === "EndpointSet" && view.value.ports[port.portKey] !== undefined)
      if (fed.effect(cluster, view, self.cluster) !== undefined) return true;
  return loadsOf(sightOf(input), cluster, namespace, name, port.portKey).every(
    (load) => load.value.healthy === 0,
  );
}

/** Least common multiple of the gateway counts, so that each gateway's share is a whole number; bounded. */
export function scaleOf(gatewayCounts: readonly number[]): number {
  const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
  const lcm = gatewayCounts
    .filter((count) => count > 0)
    .reduce((all, count) => (all * count) / gcd(all, count), 1);
  return Math.min(lcm, SCALE_MAX);
}

export const SCALE_MAX = 5040;

/**
 * From placed capacity to what Envoy is told: drained clusters, the cap on a returning local priority, and one
 * UNHEALTHY placeholder per locality that carries the weight of what is missing (federation §1.4 rule 2, §1.5 rule 3).
 */
import type { FailoverPolicy } from "@hansa/events";
import { type Candidate, weightOf } from "./candidate.ts";
import { type FailbackMemory, failbackStep } from "./failback.ts";
import { isWell, type Placed } from "./priority.ts";
import type { ViewEndpoint, ViewLocality } from "./types.ts";

/** Discard (RFC 863): a placeholder is never dialled, because the panic threshold is 0. */
const PLACEHOLDER_PORT = 9;

/** Draining members take no new requests; the importer's own stays where nobody else could serve. */
export function drainCandidates(candidates: readonly Candidate[], importer: string): Candidate[] {
  return candidates.map((candidate) => {
    const needed = candidate.cluster === importer && !candidates.some(isWell);
    if (!candidate.draining || needed) return candidate;
    const endpoints = candidate.endpoints.map((endpoint) => ({ ...endpoint, health: "draining" as const }));
    return { ...candidate, endpoints, missingWeight: 0 };
  });
}

/** `name` is the service port's SNI: the key of its memory. */
export function localitiesOf(
  placed: readonly Placed[],
  name: string,
  policy: FailoverPolicy,
  memory: FailbackMemory,
  monotonicMs: number,
): ViewLocality[] {
  const held = holdLocal(placed, name, policy, memory, monotonicMs);
  const seen = new Set<string>();
  return placed.map(({ candidate, priority, reason }, index) => {
    const endpoints = candidate.endpoints.filter((endpoint) => isFirst(endpoint, seen));
    const hold = held.placed === placed[index] ? held.weight : 0;
    const missing = candidate.missingWeight + hold;
    if (missing > 0) endpoints.push(placeholder(index, missing, hold > 0));
    return {
      cluster: candidate.cluster,
      region: candidate.region,
      zone: candidate.zone,
      priority,
      via: candidate.via,
      endpoints,
      healthy: candidate.healthy,
      total: candidate.total,
      link: candidate.link,
      draining: candidate.draining,
      reason: hold > 0 ? `${reason}, returning` : reason,
      because: candidate.because,
    };
  });
}

/** Envoy keeps the first of equal addresses in an assignment; we keep the same one and say so by leaving out the rest. */
function isFirst(endpoint: ViewEndpoint, seen: Set<string>): boolean {
  const address = `${endpoint.address}:${endpoint.port}`;
  if (seen.has(address)) return false;
  seen.add(address);
  return true;
}

interface Hold {
  readonly placed: Placed | undefined;
  readonly weight: number;
}

/** Weight that keeps priority 0 at the ratio that the hysteresis allows; carried by its first local locality. */
function holdLocal(
  placed: readonly Placed[],
  name: string,
  policy: FailoverPolicy,
  memory: FailbackMemory,
  monotonicMs: number,
): Hold {
  const first = placed.filter(({ priority }) => priority === 0);
  const local = first.find(({ candidate }) => candidate.via === "local");
  if (local === undefined) {
    memory.forget(name);
    return { placed: undefined, weight: 0 };
  }
  const listed = first
    .flatMap(({ candidate }) => candidate.endpoints)
    .filter(({ health }) => health !== "draining");
  const healthy = weightOf(listed.filter(({ health }) => health === "healthy"));
  const total = weightOf(listed) + first.reduce((sum, { candidate }) => sum + candidate.missingWeight, 0);
  const rule = {
    thresholdPercent: policy.threshold,
    hysteresisPercent: policy.hysteresisPercent,
    hysteresisMs: policy.hysteresisMs,
  };
  const step = failbackStep(memory.get(name), total === 0 ? 0 : healthy / total, rule, monotonicMs);
  memory.set(name, step);
  if (step.capRatio === null || healthy === 0) return { placed: undefined, weight: 0 };
  return { placed: local, weight: Math.max(0, Math.floor(healthy / step.capRatio - total)) };
}

/** TEST-NET-1 (RFC 5737), then the discard prefix (RFC 6666): one address per locality of an assignment. */
function placeholder(index: number, weight: number, returning: boolean): ViewEndpoint {
  return {
    address: index < 254 ? `192.0.2.${index + 1}` : `100::${(index + 1).toString(16)}`,
    port: PLACEHOLDER_PORT,
    weight: Math.max(1, weight),
    health: "unhealthy",
    placeholder: true,
    id: returning ? "held back until local is steady" : "missing",
  };
}

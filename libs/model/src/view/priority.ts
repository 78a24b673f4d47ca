/**
 * Order of localities (federation §1.5 rule 1): explicit cluster tiers first, then nearness. Ranks are compacted to
 * 0..N without gaps and depend on nothing but their inputs.
 */
import type { FailoverPolicy } from "@hansa/events";
import type { Candidate } from "./candidate.ts";
import type { Vantage } from "./types.ts";

export interface Placed {
  readonly candidate: Candidate;
  readonly priority: number;
  readonly reason: string;
}

/** Compared part by part, the first difference decides. */
interface Rank {
  readonly parts: readonly [tier: number, distance: number, target: number];
  readonly reason: string;
}

export function placeCandidates(
  candidates: readonly Candidate[],
  self: Vantage,
  policy: FailoverPolicy,
): Placed[] {
  const ranked = candidates.map((candidate) => ({ candidate, rank: rankOf(candidate, self, policy) }));
  const order = [...new Map(ranked.map(({ rank }) => [rank.parts.join("."), rank])).values()].sort(byRank);
  const placed = ranked.map(({ candidate, rank }) => ({
    candidate,
    priority: order.findIndex((other) => byRank(other, rank) === 0),
    reason: rank.reason,
  }));
  return compact(placed.map((entry) => demoteIfStale(entry, candidates))).sort(byPlace);
}

function rankOf(candidate: Candidate, self: Vantage, policy: FailoverPolicy): Rank {
  const tier = tierOf(candidate.cluster, policy);
  const tierReason =
    policy.tiers.length === 0 ? "" : `, ${tier < policy.tiers.length ? `tier ${tier + 1}` : "in no tier"}`;
  const targets = policy.regions[self.region] ?? [];
  const target = targets.indexOf(candidate.region);
  if (candidate.region === self.region) {
    const near = candidate.zone !== "" && candidate.zone === self.zone;
    return { parts: [tier, near ? 0 : 1, 0], reason: `${near ? "same zone" : "same region"}${tierReason}` };
  }
  if (target < 0) return { parts: [tier, 3, 0], reason: `other region${tierReason}` };
  return { parts: [tier, 2, target], reason: `failover target ${target + 1} of ${self.region}${tierReason}` };
}

function tierOf(cluster: string, policy: FailoverPolicy): number {
  const tier = policy.tiers.findIndex((clusters) => clusters.includes(cluster));
  return tier < 0 ? policy.tiers.length : tier;
}

function byRank(a: Rank, b: Rank): number {
  const differing = a.parts.findIndex((part, index) => part !== b.parts[index]);
  return differing < 0 ? 0 : a.parts[differing]! - b.parts[differing]!;
}

/** A stale cluster steps back by one priority while another exporter is well (federation §1.6). */
function demoteIfStale(placed: Placed, all: readonly Candidate[]): Placed {
  const { candidate } = placed;
  if (candidate.link !== "stale") return placed;
  const another = all.some((other) => other.cluster !== candidate.cluster && isWell(other));
  if (!another) return { ...placed, reason: `${placed.reason}, stale` };
  return { ...placed, priority: placed.priority + 1, reason: `${placed.reason}, stale: demoted by one` };
}

/** Takes traffic by fresh evidence. */
export const isWell = (candidate: Candidate): boolean =>
  !candidate.draining &&
  (candidate.link === "self" || candidate.link === "normal") &&
  candidate.endpoints.some((endpoint) => endpoint.health === "healthy");

function compact(placed: readonly Placed[]): Placed[] {
  const used = [...new Set(placed.map(({ priority }) => priority))].sort((a, b) => a - b);
  return placed.map((entry) => ({ ...entry, priority: used.indexOf(entry.priority) }));
}

function byPlace(a: Placed, b: Placed): number {
  if (a.priority !== b.priority) return a.priority - b.priority;
  return placeName(a) < placeName(b) ? -1 : 1;
}

const placeName = ({ candidate }: Placed): string =>
  [candidate.cluster, candidate.region, candidate.zone, candidate.via].join("/");

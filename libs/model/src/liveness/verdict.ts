/** The table of federation §1.6: two kinds of evidence → what this importer does with a peer. */
import type { LeaseState, LinkState, ProbeState } from "@hansa/events";

export function verdictOf(lease: LeaseState, probe: ProbeState): LinkState {
  if (lease === "ok") return probe === "fail" ? "unreachable" : "normal";
  return probe === "fail" ? "lost" : "stale";
}

/** How much a verdict takes away: nothing, one priority, the traffic, the endpoints. */
const SEVERITY: Readonly<Record<LinkState, number>> = { normal: 0, stale: 1, unreachable: 2, lost: 3 };

export const isWorse = (a: LinkState, b: LinkState): boolean => SEVERITY[a] > SEVERITY[b];

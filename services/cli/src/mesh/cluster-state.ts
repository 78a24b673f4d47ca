/**
 * The STATE of a cluster in `hansa status`: the worst of what was measured about it. A cluster is healthy only where an
 * importer's own probe and lease say so; without any measurement it is "unmeasured". Pure.
 */
import type { Code } from "@hansa/core";

export interface Evidence {
  readonly from: string;
  readonly to: string;
  /** Verdict of the importer: normal, unreachable, stale, lost. */
  readonly state: string;
  readonly lease: string;
  readonly probe: string;
  readonly stage: string;
  readonly rttMs: number | null;
  readonly sinceMs: number | null;
  readonly selfDoubt: boolean;
}

export interface ClusterState {
  readonly state: string;
  readonly code: Code | null;
  readonly detail: string;
}

export interface Measured {
  readonly cluster: string;
  /** Of the membership: active, draining, left, evicted. */
  readonly membership: string;
  readonly degraded: boolean;
  readonly links: readonly Evidence[];
  /** null: not asked (a past moment). */
  readonly agent: { readonly answers: boolean; readonly ready: boolean; readonly message: string } | null;
  readonly onlyMember: boolean;
}

/** Importers whose lease somebody sound has lost: their last words about others are old. */
export function silentImporters(
  links: readonly Pick<Evidence, "to" | "lease" | "selfDoubt">[],
): ReadonlySet<string> {
  return new Set(links.filter(({ lease, selfDoubt }) => lease === "lost" && !selfDoubt).map(({ to }) => to));
}

/** What live importers hold of one cluster. */
export function evidenceOf(cluster: string, links: readonly Evidence[]): readonly Evidence[] {
  const silent = silentImporters(links);
  return links.filter(({ from, to }) => to === cluster && from !== cluster && !silent.has(from));
}

export function stateOf({ cluster, membership, degraded, links, agent, onlyMember }: Measured): ClusterState {
  if (membership === "evicted" || membership === "left")
    return { state: membership === "left" ? "Left" : "Evicted", code: "HSA3010", detail: "" };
  const seen = evidenceOf(cluster, links);
  const from = (state: string) => seen.filter((link) => link.state === state);
  const names = (list: readonly Evidence[]) => list.map((link) => link.from).join(", ");
  const all = (list: readonly Evidence[]) => (list.length === seen.length ? "everybody" : names(list));
  const lost = from("lost");
  if (lost.length > 0) return { state: "Lost", code: "HSA4008", detail: `to ${all(lost)}` };
  const unreachable = from("unreachable");
  if (unreachable.length > 0) {
    const stages = [
      ...new Set(unreachable.map(({ stage }) => stage.toUpperCase()).filter((one) => one !== "")),
    ];
    const at = stages.length > 0 ? ` (fails at ${stages.join(", ")})` : "";
    return { state: "Unreachable", code: "HSA4001", detail: `from ${all(unreachable)}${at}` };
  }
  const stale = from("stale");
  if (stale.length > 0) return { state: "Stale", code: "HSA4002", detail: `to ${all(stale)}` };
  if (degraded)
    return { state: "Degraded", code: "HSA2005", detail: "records are missing; nothing is withdrawn" };
  if (agent !== null && !agent.answers)
    return { state: "AgentSilent", code: "HSA1012", detail: agent.message };
  const doubting = links.some((link) => link.from === cluster && link.selfDoubt);
  if (doubting) return { state: "SelfDoubt", code: "HSA4003", detail: "distrusts its own evidence" };
  if (agent !== null && !agent.ready) return { state: "NotReady", code: "HSA1012", detail: agent.message };
  if (membership === "draining") return { state: "Draining", code: null, detail: "" };
  const probed = seen.filter(({ probe, lease }) => probe === "ok" && lease === "ok");
  if (probed.length === 0 && !onlyMember)
    return { state: "Unmeasured", code: null, detail: "no importer has probed its gateway yet" };
  return { state: "Healthy", code: null, detail: "" };
}

/** Least, median and greatest round trip to its gateway that live importers measured. */
export function rttsOf(
  evidence: readonly Evidence[],
): { minMs: number; medianMs: number; maxMs: number } | null {
  const sorted = evidence
    .map(({ rttMs }) => rttMs)
    .filter((ms) => ms !== null)
    .sort((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? 0;
  if (sorted.length === 0) return null;
  return { minMs: at(0), medianMs: at(Math.floor((sorted.length - 1) / 2)), maxMs: at(sorted.length - 1) };
}

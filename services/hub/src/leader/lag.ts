/** How many members there are, how old their beats are, and what members have written that the archive does not hold yet. */
import type { Head } from "@hansa/events";
import type { Federation } from "@hansa/model";
import type { LeaderContext } from "../context.ts";
import type { SeenBeat } from "./beats.ts";

export const logName = ({ source, lane }: Pick<Head, "source" | "lane">): string => `${source} ${lane}`;

/** `committed`: the archive's heads by `logName`. */
export function measureLag(
  { clock, metrics }: Pick<LeaderContext, "clock" | "metrics">,
  seen: readonly SeenBeat[],
  committed: ReadonlyMap<string, Head>,
): void {
  const nowMs = clock.monotonicMs();
  let behind = 0;
  for (const { cluster, beat, atMs } of seen) {
    metrics.gauge("hansa_hub_beat_age_seconds", (nowMs - atMs) / 1000, { source: cluster });
    for (const claim of beat.own) {
      const head = committed.get(logName(claim));
      const lag = head?.epoch === claim.epoch ? Math.max(0, claim.seq - head.seq) : claim.seq;
      metrics.gauge("hansa_source_lag_records", lag, { source: cluster, lane: claim.lane });
      behind += lag;
    }
  }
  metrics.gauge("hansa_hub_lag_records", behind);
}

export function measureMembers({ metrics }: Pick<LeaderContext, "metrics">, fed: Federation): void {
  const states = new Map<string, number>([
    ["active", 0],
    ["draining", 0],
    ["left", 0],
    ["evicted", 0],
  ]);
  for (const { state } of fed.members()) states.set(state, (states.get(state) ?? 0) + 1);
  for (const [state, members] of states) metrics.gauge("hansa_hub_members", members, { state });
}

/**
 * Self-doubt (federation §1.6): when it is more likely that this importer is sick than that its peers are, it takes
 * nothing away and leaves single failures to Envoy's outlier detection.
 */
import type { ProbeTrack } from "./probe.ts";

/** `bus`: own bus down. `lag`: own loop was late. `probes`: most peers fail at once. */
export type Doubt = "none" | "bus" | "lag" | "probes";

/** True where most of two or more peers fail in one window. */
export function mostFail(probes: readonly ProbeTrack[], nowMs: number, windowMs: number): boolean {
  const heard = probes.flatMap(({ last }) => (last !== null && nowMs - last.atMs <= windowMs ? [last] : []));
  const failing = heard.filter(({ ok }) => !ok).length;
  return heard.length >= 2 && failing * 2 > heard.length;
}

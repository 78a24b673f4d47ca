/**
 * Failover threshold → Envoy's overprovisioning factor (federation §1.5 rule 2). Rounded, never truncated: at 70 a
 * truncated 142 would spill at 70.4 % healthy.
 */
import { assert } from "@hansa/core";

/** Percent healthy below which a priority starts to spill. */
export const THRESHOLD_DEFAULT = 70;

/** `thresholdPercent` in 1..100 → `overprovisioning_factor` (percent × 100 / threshold). */
export function overprovisioningOf(thresholdPercent: number): number {
  assert(
    thresholdPercent > 0 && thresholdPercent <= 100,
    `failover threshold ${thresholdPercent} not in (0, 100]`,
  );
  return Math.round(10_000 / thresholdPercent);
}

/** The failover policy in force: the importer's own holds, else the federation's; the service's before the general. */
import type { FailoverPolicy, PolicyValue } from "@hansa/events";
import { read, registerName, type Sight } from "./reader.ts";
import { THRESHOLD_DEFAULT } from "./threshold.ts";

export const FAILOVER_DEFAULT: FailoverPolicy = {
  tiers: [],
  regions: {},
  threshold: THRESHOLD_DEFAULT,
  hysteresisPercent: 10,
  hysteresisMs: 30_000,
};

export interface PolicyInForce {
  readonly policy: FailoverPolicy;
  /** Register it came from; empty for the default. */
  readonly because: readonly string[];
  /** Clusters that no tier names take nothing (KEP-5939 fallback None). */
  readonly tiersOnly: boolean;
}

export function failoverPolicyOf(sight: Sight, namespace: string, name: string): PolicyInForce {
  for (const cluster of [sight.observer, "hub"])
    for (const rest of [`failover/${namespace}/${name}`, "failover/-/-"]) {
      const register = read(sight, cluster, "policy", rest);
      if (register !== undefined && isFailover(register.value))
        return { policy: register.value, because: [registerName(cluster, register)], tiersOnly: false };
    }
  return { policy: FAILOVER_DEFAULT, because: [], tiersOnly: false };
}

const isFailover = (policy: PolicyValue): policy is FailoverPolicy =>
  "threshold" in policy && policy.threshold > 0 && policy.threshold <= 100;

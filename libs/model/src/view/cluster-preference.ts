/**
 * Cluster preference of a service (KEP-5939): the exports' `clusterSelectors`, resolved for one importer, become the
 * tiers of its failover policy. A policy that names tiers itself, the importer's or the federation's, holds before them.
 */
import type { ClusterName } from "@hansa/core";
import { propertiesOf, selects } from "./cluster-properties.ts";
import type { PolicyInForce } from "./failover-policy.ts";
import type { Exporter, Offer } from "./merge.ts";
import type { Sight } from "./reader.ts";

/** KEP-5939: one healthy endpoint is enough to stay with a result; no more is asked for unless a policy says so. */
const STAY_PERCENT = 1;

/** Ordered results of the oldest export's selectors (ServiceImport status); undefined where it has none. */
export function selectedClusters(
  { fed, observer }: Sight,
  oldestFirst: readonly Offer[],
): readonly (readonly ClusterName[])[] | undefined {
  const selectors = oldestFirst[0]?.service.export?.clusterSelectors ?? [];
  const importer = fed.member(observer);
  if (selectors.length === 0 || importer === undefined) return undefined;
  const own = propertiesOf(importer);
  return selectors.map((selector) =>
    oldestFirst
      .filter(({ member }) => selects(selector, propertiesOf(member), own))
      .map(({ cluster }) => cluster)
      .sort(),
  );
}

/** The policy with the exports' preference in it. `oldestFirst` are the exporters that the importer sees. */
export function withPreference(
  sight: Sight,
  oldestFirst: readonly Exporter[],
  inForce: PolicyInForce,
): PolicyInForce {
  const tiers = inForce.policy.tiers.length > 0 ? undefined : selectedClusters(sight, oldestFirst);
  if (tiers === undefined) return inForce;
  const threshold = inForce.because.length === 0 ? STAY_PERCENT : inForce.policy.threshold;
  const { because, service } = oldestFirst[0]!;
  return {
    policy: { ...inForce.policy, tiers, threshold },
    because: [...inForce.because, because],
    tiersOnly: service.export?.selectorsFallback === "None",
  };
}

/** No selector names the cluster, and the exports allow no other. */
export const isLeftOut = (cluster: ClusterName, { policy, tiersOnly }: PolicyInForce): boolean =>
  tiersOnly && !policy.tiers.some((clusters) => clusters.includes(cluster));

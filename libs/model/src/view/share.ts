/**
 * Envoy's own arithmetic (panic threshold 0, weighted_priority_health): which part of the load each locality gets.
 * Integer steps as in Envoy's LoadBalancerBase, so that `explain` says what the proxy does (envoy-dataplane §3).
 */
import type { ViewEndpoint, ViewLocality } from "./types.ts";

/** Percent per priority, summing to 100, or all 0 where nothing is healthy (then Envoy answers 503 UH). */
export function prioritySplit(
  priorities: readonly { readonly healthyWeight: number; readonly totalWeight: number }[],
  overprovisioning: number,
): number[] {
  const health = priorities.map(({ healthyWeight, totalWeight }) =>
    totalWeight === 0 ? 0 : Math.min(100, Math.floor((overprovisioning * healthyWeight) / totalWeight)),
  );
  const available = Math.min(
    100,
    health.reduce((sum, part) => sum + part, 0),
  );
  if (available === 0) return health;
  let left = 100;
  const split = health.map((part) => {
    const load = Math.min(left, Math.floor((part * 100) / available));
    left -= load;
    return load;
  });
  // What integer division left over goes to the first priority that is available.
  const first = health.findIndex((part) => part > 0);
  split[first] = split[first]! + left;
  return split;
}

const sum = (endpoints: readonly ViewEndpoint[], counts: (endpoint: ViewEndpoint) => boolean): number =>
  endpoints.reduce((total, endpoint) => (counts(endpoint) ? total + endpoint.weight : total), 0);

const isHealthy = (endpoint: ViewEndpoint): boolean => endpoint.health === "healthy";
/** DRAINING endpoints are not counted against their priority (measured). */
const isCounted = (endpoint: ViewEndpoint): boolean => endpoint.health !== "draining";

/** Percent of the load per locality, in the order given; 0..100, not rounded. */
export function predictShares(localities: readonly ViewLocality[], overprovisioning: number): number[] {
  const count = localities.reduce((most, locality) => Math.max(most, locality.priority + 1), 0);
  const priorities = Array.from({ length: count }, (_, priority) => {
    const endpoints = localities.flatMap((locality) =>
      locality.priority === priority ? locality.endpoints : [],
    );
    return { healthyWeight: sum(endpoints, isHealthy), totalWeight: sum(endpoints, isCounted) };
  });
  const split = prioritySplit(priorities, overprovisioning);
  return localities.map((locality) => {
    const { healthyWeight } = priorities[locality.priority]!;
    return healthyWeight === 0
      ? 0
      : (split[locality.priority]! * sum(locality.endpoints, isHealthy)) / healthyWeight;
  });
}

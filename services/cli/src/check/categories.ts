/** Names of the categories of `hansa check`, in the order in which they run: what others need comes first. */
import { HansaError } from "@hansa/core";

export const CATEGORY_NAMES = [
  "context",
  "hub",
  "bus",
  "trust",
  "log",
  "gateways",
  "paths",
  "proxies",
  "services",
  "clock",
] as const;
export type CategoryName = (typeof CATEGORY_NAMES)[number];

/** Of a cluster of Kubernetes, where --context names one. */
export const KUBE_CATEGORY_NAMES = ["api-server", "kinds", "rights", "agent", "gateway", "paths"] as const;
export type KubeCategoryName = (typeof KUBE_CATEGORY_NAMES)[number];

/** The value of --category; throws HSA1001. */
export function chosenCategories<Name extends string>(
  value: unknown,
  known: readonly Name[],
): readonly Name[] {
  if (value === undefined) return known;
  const words = String(value).split(",");
  const unknown = words.filter((word) => !known.some((name) => name === word));
  if (unknown.length > 0)
    throw new HansaError("HSA1001", `--category ${unknown.join(",")}: must be of ${known.join(", ")}`);
  return known.filter((name) => words.includes(name));
}

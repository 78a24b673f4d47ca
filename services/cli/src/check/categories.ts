/** Names of the categories of `hansa check`, in the order in which they run: what others need comes first. */
import { HansaError } from "@hansa/core";

export const CATEGORY_NAMES = [
  "context",
  "hub",
  "bus",
  "trust",
  "log",
  "gateways",
  "proxies",
  "services",
  "clock",
] as const;
export type CategoryName = (typeof CATEGORY_NAMES)[number];

/** The value of --category; throws HSA1001. */
export function chosenCategories(value: unknown): readonly CategoryName[] {
  if (value === undefined) return CATEGORY_NAMES;
  const words = String(value).split(",");
  const unknown = words.filter((word) => !CATEGORY_NAMES.some((name) => name === word));
  if (unknown.length > 0)
    throw new HansaError(
      "HSA1001",
      `--category ${unknown.join(",")}: must be of ${CATEGORY_NAMES.join(", ")}`,
    );
  return CATEGORY_NAMES.filter((name) => words.includes(name));
}

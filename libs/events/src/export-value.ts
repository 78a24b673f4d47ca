/** What a service's export may say (KEP-1645, KEP-5939), with its limits. The shapes are in registers.ts. */
import { isLabel } from "@hansa/core";
import { bad, type Check, integer, listOf, mapOf, object, oneOf, orAbsent, text, textLike } from "./check.ts";
import {
  CLUSTER_SELECTORS_MAX,
  EXPORTED_METADATA_CHARS_MAX,
  EXPORTED_METADATA_MAX,
  REQUIREMENTS_PER_SELECTOR_MAX,
  VALUES_PER_REQUIREMENT_MAX,
} from "./limits.ts";
import type { PropertyRequirement, PropertySelector, ServiceExportValue } from "./registers.ts";

const NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/;

/** Kubernetes' qualified name: an optional DNS prefix with `/`, then at most 63 characters. */
export function isQualifiedName(name: string): boolean {
  const [first = "", second, ...rest] = name.split("/");
  if (rest.length > 0) return false;
  if (second === undefined) return NAME.test(first);
  return first.length <= 253 && first.split(".").every(isLabel) && NAME.test(second);
}

export const isLabelValue = (value: string): boolean => LABEL_VALUE.test(value);

const qualified = textLike("a qualified name", 317, isQualifiedName);
const labels = mapOf(qualified, textLike("a label value", 63, isLabelValue), EXPORTED_METADATA_MAX);
const annotations = mapOf(qualified, text(EXPORTED_METADATA_CHARS_MAX), EXPORTED_METADATA_MAX);

/** KEP-2149: names of ClusterProperties are DNS subdomains. */
const propertyName = textLike(
  "a property name (lower-case DNS name)",
  253,
  (name) => name !== "" && name.split(".").every(isLabel),
);

const shape = object<PropertyRequirement>({
  key: propertyName,
  operator: oneOf("In", "NotIn", "Exists", "DoesNotExist"),
  values: listOf(text(128), VALUES_PER_REQUIREMENT_MAX),
});

const requirement: Check<PropertyRequirement> = (value) => {
  const built = shape(value);
  const takesValues = built.operator === "In" || built.operator === "NotIn";
  return takesValues === built.values.length > 0 ? built : bad("values go with In and NotIn, and only there");
};

const requirements = listOf(requirement, REQUIREMENTS_PER_SELECTOR_MAX);
export const propertySelector: Check<PropertySelector> = (value) => {
  const list = requirements(value);
  return list.length > 0 ? list : bad("must hold a requirement: an empty selector selects nothing");
};

const exportTo: Check<"all" | readonly string[]> = (value) =>
  value === "all" ? "all" : listOf(textLike("a lower-case DNS label", 63, isLabel), 1000)(value);

const fields = object<ServiceExportValue>({
  sinceMs: integer(0, Number.MAX_SAFE_INTEGER),
  to: exportTo,
  toSelector: orAbsent(propertySelector),
  labels: orAbsent(labels),
  annotations: orAbsent(annotations),
  clusterSelectors: orAbsent(listOf(propertySelector, CLUSTER_SELECTORS_MAX)),
  selectorsFallback: orAbsent(oneOf("None")),
});

const charsOf = (map: Readonly<Record<string, string>> = {}): number =>
  Object.entries(map).reduce((sum, [key, value]) => sum + key.length + value.length, 0);

export const exportValue: Check<ServiceExportValue> = (value) => {
  const built = fields(value);
  const chars = charsOf(built.labels) + charsOf(built.annotations);
  if (chars > EXPORTED_METADATA_CHARS_MAX)
    bad(`labels and annotations hold ${chars} characters, at most ${EXPORTED_METADATA_CHARS_MAX}`);
  return built;
};

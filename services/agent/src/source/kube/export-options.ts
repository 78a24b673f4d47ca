/**
 * Who an export is for and which clusters it prefers: Hansa's annotations on the ServiceExport. A plain MCS user meets
 * none of them. What is not understood makes the export invalid, never wider.
 */
import { isLabel } from "@hansa/core";
import {
  CLUSTER_SELECTORS_MAX,
  type PropertyRequirement,
  type PropertySelector,
  REQUIREMENTS_PER_SELECTOR_MAX,
  type ServiceExportValue,
  VALUES_PER_REQUIREMENT_MAX,
} from "@hansa/events";
import { SAME_AS_IMPORTER } from "@hansa/model";
import { isJson, list, record, string, stringList, strings } from "./json.ts";
import type { ExportObject } from "./objects.ts";

/** Names of clusters, separated by commas; empty: nobody. */
export const EXPORT_TO = "hansa.dev/export-to";
/** A KEP-5939 PropertySelector as JSON: clusters by their granted properties. */
export const EXPORT_TO_SELECTOR = "hansa.dev/export-to-selector";
/** KEP-5939 `clusterSelectors` as JSON, for CRDs that do not have the field yet. */
export const CLUSTER_SELECTORS = "hansa.dev/cluster-selectors";
/** `All` or `None`. */
export const SELECTORS_FALLBACK = "hansa.dev/cluster-selectors-fallback";
const CLUSTERS_MAX = 1000;

export type ExportOptions = Pick<
  ServiceExportValue,
  "to" | "toSelector" | "clusterSelectors" | "selectorsFallback"
>;

export interface OptionProblem {
  readonly reason: "InvalidExportTo" | "InvalidClusterSelector";
  readonly message: string;
}

export type ReadOptions =
  | { readonly kind: "options"; readonly options: ExportOptions }
  | ({ readonly kind: "problem" } & OptionProblem);

/** `byDefault`: whom an export without annotations is for. */
export function readExportOptions(object: ExportObject, byDefault: "all" | "none"): ReadOptions {
  const reach = reachOf(object.options, byDefault);
  if ("reason" in reach) return { kind: "problem", ...reach };
  const preference = preferenceOf(object);
  if ("reason" in preference) return { kind: "problem", ...preference };
  return { kind: "options", options: { ...reach, ...preference } };
}

type Reach = Pick<ExportOptions, "to" | "toSelector">;

function reachOf(options: ExportObject["options"], byDefault: "all" | "none"): Reach | OptionProblem {
  const names = options[EXPORT_TO];
  const selector = options[EXPORT_TO_SELECTOR];
  const wrong = (message: string): OptionProblem => ({ reason: "InvalidExportTo", message });
  if (names === undefined && selector === undefined) return { to: byDefault === "all" ? "all" : [] };
  const to = (names ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  const bad = to.find((name) => !isLabel(name));
  if (bad !== undefined) return wrong(`${EXPORT_TO}: "${shown(bad)}" is no cluster name`);
  if (to.length > CLUSTERS_MAX) return wrong(`${EXPORT_TO}: at most ${CLUSTERS_MAX} clusters can be named`);
  if (selector === undefined) return { to: [...new Set(to)].sort() };
  const toSelector = selectorOf(parsed(selector));
  if (typeof toSelector === "string") return wrong(`${EXPORT_TO_SELECTOR}: ${toSelector}`);
  if (toSelector.some(({ values }) => values.includes(SAME_AS_IMPORTER)))
    return wrong(`${EXPORT_TO_SELECTOR}: ${SAME_AS_IMPORTER} has no meaning where importers are selected`);
  return { to: [...new Set(to)].sort(), toSelector };
}

type Preference = Pick<ExportOptions, "clusterSelectors" | "selectorsFallback">;

function preferenceOf(object: ExportObject): Preference | OptionProblem {
  const wrong = (message: string): OptionProblem => ({ reason: "InvalidClusterSelector", message });
  const fallback = object.options[SELECTORS_FALLBACK] ?? "All";
  if (fallback !== "All" && fallback !== "None") return wrong(`${SELECTORS_FALLBACK}: must be All or None`);
  const text = object.options[CLUSTER_SELECTORS];
  const given = object.clusterSelectors ?? (text === undefined ? [] : parsed(text));
  if (!Array.isArray(given)) return wrong("clusterSelectors: must be a list");
  if (given.length > CLUSTER_SELECTORS_MAX)
    return wrong(`clusterSelectors: at most ${CLUSTER_SELECTORS_MAX} can be given`);
  const clusterSelectors: PropertySelector[] = [];
  for (const [index, entry] of given.entries()) {
    const selector = selectorOf(record(entry, "propertySelector"));
    if (typeof selector === "string")
      return wrong(`clusterSelectors[${index}].propertySelector: ${selector}`);
    clusterSelectors.push(selector);
  }
  if (clusterSelectors.length === 0) return {};
  return { clusterSelectors, ...(fallback === "None" ? { selectorsFallback: "None" as const } : {}) };
}

/** KEP-5939 PropertySelector as one list of requirements, or what is wrong with it. */
function selectorOf(given: unknown): PropertySelector | string {
  if (!isJson(given)) return "must be an object with matchProperties or matchExpressions";
  const equal = Object.entries(strings(given, "matchProperties")).map(
    ([key, value]): PropertyRequirement => ({ key, operator: "In", values: [value] }),
  );
  if (equal.length !== Object.keys(record(given, "matchProperties")).length)
    return "matchProperties: values must be strings";
  const expressions: PropertyRequirement[] = [];
  for (const [index, expression] of list(given, "matchExpressions").entries()) {
    const requirement = requirementOf(expression);
    if (typeof requirement === "string") return `matchExpressions[${index}]: ${requirement}`;
    expressions.push(requirement);
  }
  const selector = [...equal.sort((a, b) => (a.key < b.key ? -1 : 1)), ...expressions];
  const badKey = selector.find(({ key }) => key.length > 253 || !key.split(".").every(isLabel));
  if (badKey !== undefined) return `"${shown(badKey.key)}" is no property name`;
  if (selector.some(({ values }) => values.some((value) => value.length > 128)))
    return "a value is longer than 128 characters";
  if (selector.length === 0) return "must not be empty";
  return selector.length > REQUIREMENTS_PER_SELECTOR_MAX
    ? `at most ${REQUIREMENTS_PER_SELECTOR_MAX} requirements can be given`
    : selector;
}

function requirementOf(given: unknown): PropertyRequirement | string {
  const key = string(given, "key") ?? "";
  const operator = string(given, "operator");
  const values = stringList(given, "values");
  if (values.length !== list(given, "values").length) return "values must be strings";
  if (values.length > VALUES_PER_REQUIREMENT_MAX) return `at most ${VALUES_PER_REQUIREMENT_MAX} values`;
  if (operator === "Exists" || operator === "DoesNotExist")
    return values.length === 0 ? { key, operator, values } : `${operator} takes no values`;
  if (operator === "In" || operator === "NotIn")
    return values.length > 0 ? { key, operator, values } : `${operator} needs values`;
  return "operator must be In, NotIn, Exists or DoesNotExist";
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const shown = (text: string): string => text.slice(0, 80);

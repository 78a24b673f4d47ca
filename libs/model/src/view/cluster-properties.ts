/**
 * Properties of a cluster that selectors can ask for (KEP-2149, KEP-5939). All of them were granted and countersigned:
 * no cluster can make itself match by what it says.
 */
import type { PropertyRequirement, PropertySelector } from "@hansa/events";
import type { Participant } from "./reader.ts";

export const CLUSTER_PROPERTY = "cluster.clusterset.k8s.io";
export const REGION_PROPERTY = "region.topology.k8s.io";
export const NETWORK_PROPERTY = "network.hansa.dev";
/** KEP-5939: stands for the importing cluster's own value. */
export const SAME_AS_IMPORTER = "@SameAsImporter@";

export type Properties = ReadonlyMap<string, string>;

export function propertiesOf({ cluster, membership }: Participant): Properties {
  const { region, network } = membership.grant;
  const properties = new Map([[CLUSTER_PROPERTY, cluster as string]]);
  if (region !== "") properties.set(REGION_PROPERTY, region);
  if (network !== "") properties.set(NETWORK_PROPERTY, network);
  return properties;
}

/**
 * All requirements hold. An empty selector, and one that asks for a value that the importer does not have, select
 * nothing (KEP-5939), whatever the operator is.
 */
export const selects = (
  selector: PropertySelector,
  candidate: Properties,
  importer: Properties | undefined,
): boolean => selector.length > 0 && selector.every((requirement) => holds(requirement, candidate, importer));

function holds(
  { key, operator, values }: PropertyRequirement,
  candidate: Properties,
  importer: Properties | undefined,
): boolean {
  const value = candidate.get(key);
  if (operator === "Exists") return value !== undefined;
  if (operator === "DoesNotExist") return value === undefined;
  const wanted = values.map((text) => (text === SAME_AS_IMPORTER ? importer?.get(key) : text));
  if (wanted.includes(undefined)) return false;
  // As label selectors do: what has no value is not in any set.
  const among = value !== undefined && wanted.includes(value);
  return operator === "In" ? among : !among;
}

/** What a join is granted: the token's grant, narrowed to what the cluster asked for. Never more than either. */
import { HansaError, isLabel, SYSTEM_NAMESPACE } from "@hansa/core";
import type { Grant, Quotas } from "@hansa/events";
import { cidrWithin, parseCidr } from "@hansa/model";

/** Design §3 "Bus": at most 100 000 endpoints per cluster. */
export const QUOTAS_DEFAULT: Quotas = {
  services: 10_000,
  endpoints: 100_000,
  identities: 10_000,
  bytesPerSecond: 8 * 1024 * 1024,
  recordsPerSecond: 500,
};

const SPECIAL = [
  "0.0.0.0/8",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "224.0.0.0/4",
  "240.0.0.0/4",
  "::/127",
  "fe80::/10",
  "ff00::/8",
];

/** Throws HSA1004 for a grant that nobody may give. Loopback and its like only in a lab. */
export function checkGrant(grant: Grant, lab: boolean): void {
  for (const namespace of grant.namespaces)
    if (namespace !== "*" && (!isLabel(namespace) || namespace === SYSTEM_NAMESPACE))
      throw new HansaError(
        "HSA1004",
        `grant.namespaces: ${namespace} is not a namespace that can be granted`,
      );
  for (const cidr of grant.cidrs) {
    if (parseCidr(cidr) === undefined)
      throw new HansaError("HSA1004", `grant.cidrs: ${cidr} is not address/prefix without host bits`);
    if (!lab && SPECIAL.some((range) => cidrWithin(cidr, [range])))
      throw new HansaError(
        "HSA1004",
        `grant.cidrs: ${cidr} is loopback, link-local or multicast; only a lab grants it`,
      );
  }
}

export function narrow(granted: Grant, wanted: Grant): Grant {
  if (wanted.region !== granted.region)
    throw new HansaError(
      "HSA3006",
      `join: region ${wanted.region} was asked for, the token grants ${granted.region}`,
    );
  if (wanted.network !== granted.network)
    throw new HansaError(
      "HSA3006",
      `join: network ${wanted.network} was asked for, the token grants ${granted.network}`,
    );
  return {
    namespaces: narrowNamespaces(granted.namespaces, wanted.namespaces),
    cidrs: wanted.cidrs.filter((cidr) => cidrWithin(cidr, granted.cidrs)),
    region: granted.region,
    zones:
      granted.zones.length === 0 ? wanted.zones : wanted.zones.filter((zone) => granted.zones.includes(zone)),
    network: granted.network,
    claims: wanted.claims.filter((claim) => granted.claims.includes(claim)),
    quotas: {
      services: Math.min(granted.quotas.services, wanted.quotas.services),
      endpoints: Math.min(granted.quotas.endpoints, wanted.quotas.endpoints),
      identities: Math.min(granted.quotas.identities, wanted.quotas.identities),
      bytesPerSecond: Math.min(granted.quotas.bytesPerSecond, wanted.quotas.bytesPerSecond),
      recordsPerSecond: Math.min(granted.quotas.recordsPerSecond, wanted.quotas.recordsPerSecond),
    },
  };
}

/** `*` asks for, or gives, all but the system namespace. */
function narrowNamespaces(granted: readonly string[], wanted: readonly string[]): readonly string[] {
  if (wanted.includes("*")) return granted;
  if (granted.includes("*")) return wanted.filter((namespace) => namespace !== SYSTEM_NAMESPACE);
  return wanted.filter((namespace) => granted.includes(namespace));
}

/**
 * Names and identifiers of the federation and the one place that says which are well formed.
 * Parsers answer undefined for what is not; callers turn that into a coded error with the place.
 */

type Brand<Name extends string> = string & { readonly brand: Name };

/** RFC 1123 label, unique in the federation, immutable (federation names rule 1). */
export type ClusterName = Brand<"ClusterName">;
/** Federation DNS-like name, e.g. `lab.hansa`; suffix of every trust domain. */
export type FederationName = Brand<"FederationName">;
/** `<cluster>.<federation>`. */
export type TrustDomain = Brand<"TrustDomain">;
/** `spiffe://<trust domain>/ns/<ns>/sa/<sa>`. */
export type SpiffeId = Brand<"SpiffeId">;
/** NATS account public nkey (`A…`): the token in the subject and the name of a source on the wire. */
export type AccountKey = Brand<"AccountKey">;

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const ACCOUNT_KEY = /^A[A-Z2-7]{55}$/;
const SEGMENT = /^[a-zA-Z0-9._-]+$/;

/** Cluster names that no member may take. `hub` is the hub's own source. */
export const RESERVED_CLUSTERS: readonly string[] = ["hub", "gw", "pin", "probe", "svc"];
/** Namespace of the mesh's own identities (agents and gateways); never exported, never a workload's. */
export const SYSTEM_NAMESPACE = "hansa-system";

export const isLabel = (text: string): boolean => LABEL.test(text);

export function parseClusterName(text: string): ClusterName | undefined {
  return LABEL.test(text) && !RESERVED_CLUSTERS.includes(text) ? (text as ClusterName) : undefined;
}

/** At least two labels, lower case, no IPv4 address (spiffe §2.6: Go cannot parse such a CA), 3..100 characters. */
export function parseFederationName(text: string): FederationName | undefined {
  const labels = text.split(".");
  if (text.length > 100 || labels.length < 2 || !labels.every(isLabel)) return undefined;
  return /^[0-9]+$/.test(labels.at(-1) ?? "") ? undefined : (text as FederationName);
}

export function parseAccountKey(text: string): AccountKey | undefined {
  return ACCOUNT_KEY.test(text) ? (text as AccountKey) : undefined;
}

export const trustDomainOf = (cluster: string, federation: string): TrustDomain =>
  `${cluster}.${federation}` as TrustDomain;

export const workloadId = (domain: TrustDomain, namespace: string, serviceAccount: string): SpiffeId =>
  `spiffe://${domain}/ns/${namespace}/sa/${serviceAccount}` as SpiffeId;

export const agentId = (domain: TrustDomain): SpiffeId => workloadId(domain, SYSTEM_NAMESPACE, "agent");
export const gatewayId = (domain: TrustDomain): SpiffeId => workloadId(domain, SYSTEM_NAMESPACE, "gateway");

export interface WorkloadIdParts {
  readonly trustDomain: TrustDomain;
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** Parses strictly the one shape that Hansa issues. Upper case, ports, queries, `..` and the like are undefined. */
export function parseWorkloadId(text: string): WorkloadIdParts | undefined {
  const match = /^spiffe:\/\/([a-z0-9.-]{1,255})\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(text);
  const [, domain = "", namespace = "", serviceAccount = ""] = match ?? [];
  if (!domain.split(".").every(isLabel) || !isLabel(namespace)) return undefined;
  if (!SEGMENT.test(serviceAccount) || serviceAccount === "." || serviceAccount === "..") return undefined;
  return { trustDomain: domain as TrustDomain, namespace, serviceAccount };
}

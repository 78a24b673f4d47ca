/**
 * The lists of `hansa get`: how an item of the API reads, and its columns. The items' shape is this tool's promise: it
 * stays whichever of hub and agent answered. Pure.
 */
import { number, object, list as objects, strings, text } from "../shell/api.ts";
import { ago, type Cell } from "../shell/output.ts";

type Raw = Readonly<Record<string, unknown>>;
export type Item = Readonly<Record<string, unknown>>;

export interface Listing {
  readonly kind: string;
  /** Path below /v1. */
  readonly path: string;
  /** False: items have no namespace, and -n is refused. */
  readonly namespaced: boolean;
  readonly item: (raw: Raw) => Item;
  readonly headings: readonly string[];
  readonly row: (item: Item, nowMs: number) => readonly Cell[];
}

/** Position of the event that set it: `<cluster>/<lane>/<epoch>/<seq>`, as `hansa wait` takes it. */
const setBy = (raw: Raw, lane: string): string | null =>
  number(raw.epoch) === null ? null : `${text(raw.cluster)}/${lane}/${raw.epoch}/${raw.seq}`;

const serviceOf = (namespace: unknown, name: unknown): string => `${text(namespace)}/${text(name)}`;
const effective = (raw: Raw): boolean => raw.effective !== false;
const inert = (item: Item): string => (item.effective === false ? " (inert)" : "");

export const LISTINGS = {
  clusters: {
    kind: "ClusterList",
    path: "/v1/clusters",
    namespaced: false,
    item: (raw) => {
      const value = object(raw.value);
      const grant = object(value.grant);
      return {
        cluster: text(raw.name),
        region: text(raw.region),
        network: text(raw.network),
        trustDomain: text(raw.trustDomain),
        state: text(raw.state),
        incarnation: number(raw.incarnation),
        degraded: raw.degraded === true,
        namespaces: strings(grant.namespaces),
        cidrs: strings(grant.cidrs),
        zones: strings(grant.zones),
        admittedMs: number(value.admittedMs ?? raw.admittedMs),
        account: text(raw.account),
      };
    },
    headings: ["CLUSTER", "REGION", "NETWORK", "TRUST DOMAIN", "STATE", "INCARNATION", "NAMESPACES", "CIDRS"],
    row: (item) => [
      text(item.cluster),
      text(item.region),
      text(item.network),
      text(item.trustDomain),
      `${text(item.state)}${item.degraded === true ? " (degraded HSA2005)" : ""}`,
      number(item.incarnation),
      strings(item.namespaces).join(",") || null,
      strings(item.cidrs).join(",") || null,
    ],
  },
  services: {
    kind: "ServiceList",
    path: "/v1/services",
    namespaced: true,
    item: (raw) => {
      const value = object(raw.value);
      const exported = object(value.export);
      return {
        cluster: text(raw.cluster),
        service: serviceOf(raw.namespace, raw.name),
        type: text(value.type),
        ports: objects(value.ports),
        exported: raw.exported === true && effective(raw),
        exportedTo: exported.to ?? null,
        serviceAccounts: strings(value.serviceAccounts),
        createdMs: number(value.createdMs),
        effective: effective(raw),
        setBy: setBy(raw, "sum"),
      };
    },
    headings: ["CLUSTER", "SERVICE", "PORTS", "EXPORTED", "SERVICE ACCOUNTS"],
    row: (item) => [
      text(item.cluster),
      text(item.service),
      objects(item.ports)
        .map(({ name, port, protocol }) => `${text(name) || "-"}:${text(port)}/${text(protocol)}`)
        .join(" "),
      `${exportedTo(item)}${inert(item)}`,
      strings(item.serviceAccounts).join(","),
    ],
  },
  endpoints: {
    kind: "EndpointList",
    path: "/v1/endpoints",
    namespaced: true,
    item: (raw) => {
      const value = object(raw.value);
      return {
        cluster: text(raw.cluster),
        service: serviceOf(raw.namespace, raw.service),
        id: text(raw.id),
        address: text(raw.address),
        ports: object(value.ports),
        ready: raw.ready === true,
        region: text(value.region),
        zone: text(value.zone),
        weight: number(value.weight),
        workload: text(value.workload),
        effective: effective(raw),
        setBy: setBy(raw, "ep"),
      };
    },
    headings: ["CLUSTER", "SERVICE", "ENDPOINT", "ADDRESS", "READY", "ZONE", "WORKLOAD"],
    row: (item) => [
      text(item.cluster),
      text(item.service),
      text(item.id),
      text(item.address),
      `${item.ready === true ? "yes" : "no"}${inert(item)}`,
      text(item.zone),
      text(item.workload),
    ],
  },
  links: {
    kind: "LinkList",
    path: "/v1/links",
    namespaced: false,
    item: (raw) => {
      const value = object(raw.value);
      return {
        from: text(raw.cluster),
        to: text(raw.peer),
        state: text(raw.state ?? value.state),
        lease: text(value.lease),
        probe: text(value.probe),
        stage: text(value.stage),
        rttMs: number(value.rttMs),
        sinceMs: number(value.sinceMs),
        selfDoubt: value.selfDoubt === true,
        effective: effective(raw),
        setBy: setBy(raw, "sum"),
      };
    },
    headings: ["FROM", "TO", "STATE", "LEASE", "PROBE", "FAILED AT", "RTT", "SINCE"],
    row: (item, nowMs) => [
      text(item.from),
      text(item.to),
      `${text(item.state)}${item.selfDoubt === true ? " (self-doubt HSA4003)" : ""}${inert(item)}`,
      text(item.lease),
      text(item.probe),
      text(item.stage) || null,
      rtt(number(item.rttMs)),
      number(item.sinceMs) === null ? null : ago(number(item.sinceMs)!, nowMs),
    ],
  },
  identities: {
    kind: "IdentityList",
    path: "/v1/identities",
    namespaced: true,
    item: (raw) => ({
      cluster: text(raw.cluster),
      namespace: text(raw.namespace),
      serviceAccount: text(raw.serviceAccount),
      spiffeId: text(raw.spiffeId ?? object(raw.value).spiffeId),
      effective: effective(raw),
      setBy: setBy(raw, "sum"),
    }),
    headings: ["CLUSTER", "NAMESPACE", "SERVICE ACCOUNT", "SPIFFE ID"],
    row: (item) => [
      text(item.cluster),
      text(item.namespace),
      text(item.serviceAccount),
      `${text(item.spiffeId)}${inert(item)}`,
    ],
  },
  policies: {
    kind: "PolicyList",
    path: "/v1/policies",
    namespaced: true,
    item: (raw) => ({
      cluster: text(raw.cluster),
      kind: text(raw.kind),
      policy: serviceOf(raw.namespace, raw.name),
      value: object(raw.value),
      effective: effective(raw),
      setBy: setBy(raw, "sum"),
    }),
    headings: ["CLUSTER", "KIND", "POLICY", "SAYS"],
    row: (item) => [
      text(item.cluster),
      text(item.kind),
      text(item.policy),
      `${policyInWords(text(item.kind), object(item.value))}${inert(item)}`,
    ],
  },
} as const satisfies Record<string, Listing>;

export type ListingName = keyof typeof LISTINGS;
export const LISTING_NAMES = Object.keys(LISTINGS) as ListingName[];

export const rtt = (ms: number | null): string | null =>
  ms === null ? null : `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;

export function exportedTo(item: Item): string {
  if (item.exported !== true) return "no";
  return Array.isArray(item.exportedTo) ? strings(item.exportedTo).join(",") : "all";
}

export function policyInWords(kind: string, value: Raw): string {
  if (kind === "allow") {
    const from = objects(value.from).map(
      ({ cluster, namespace, serviceAccount }) =>
        `${text(cluster)}/${text(namespace)}/${text(serviceAccount)}`,
    );
    return `${from.join(", ")} may call ${text(value.service)}`;
  }
  const regions = Object.entries(object(value.regions)).map(
    ([from, to]) => `${from} → ${strings(to).join(", ")}`,
  );
  const tiers = Array.isArray(value.tiers) ? value.tiers.map((tier) => strings(tier).join("+")) : [];
  return [
    `below ${text(value.threshold)} % healthy`,
    ...regions,
    tiers.length > 0 ? `tiers ${tiers.join(" > ")}` : "",
  ]
    .filter((part) => part !== "")
    .join("; ");
}

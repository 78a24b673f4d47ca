/**
 * Capacity of one exporter as this importer can reach it, before it is ordered: local endpoints one by one, gateways
 * by their share of the healthy weight, a flat peer's endpoints one by one (federation §1.4).
 */
import type { ClusterName } from "@hansa/core";
import type { EndpointValue, GatewayValue, LinkState, LoadValue } from "@hansa/events";
import type { Exporter } from "./merge.ts";
import { type Register, readAll, readOfService, registerName, type Sight } from "./reader.ts";
import type { ViewEndpoint } from "./types.ts";

export interface Candidate {
  readonly cluster: ClusterName;
  readonly region: string;
  readonly zone: string;
  readonly via: "local" | "gateway" | "flat";
  /** Weights in units of `scale`; no placeholders yet. */
  readonly endpoints: readonly ViewEndpoint[];
  /** Weight of capacity that is wanted but not there, in units of `scale`. */
  readonly missingWeight: number;
  readonly healthy: number;
  readonly total: number;
  readonly link: LinkState | "self";
  readonly draining: boolean;
  readonly because: readonly string[];
}

/** What an exporter's capacity is read from. */
export interface Reach {
  readonly exporter: Exporter;
  readonly portKey: string;
  readonly link: LinkState | "self";
  readonly because: readonly string[];
}

export interface Loads {
  readonly healthy: number;
  readonly total: number;
  /** Sum over healthy endpoints; one endpoint of weight 1 counts 1. */
  readonly weight: number;
}

/** Registers are `load/ns/name/port/region/zone`. */
type LoadRegister = Register<LoadValue>;
type GatewayRegister = Register<GatewayValue>;

export const loadsOf = (
  sight: Sight,
  cluster: string,
  namespace: string,
  name: string,
  portKey: string,
): LoadRegister[] =>
  readOfService(sight, cluster, "load", namespace, name).filter(({ key }) => key.split("/")[3] === portKey);

/** Ready gateways, one per address; all of them where none is ready, so that they stay listed. */
export function gatewaysOf(sight: Sight, cluster: string): GatewayRegister[] {
  const byAddress = new Map<string, GatewayRegister>();
  for (const gateway of readAll(sight, cluster, "gateway")) {
    const address = `${gateway.value.address}:${gateway.value.port}`;
    if (!byAddress.has(address) || gateway.value.ready) byAddress.set(address, gateway);
  }
  const all = [...byAddress.values()];
  const ready = all.filter((gateway) => gateway.value.ready);
  return ready.length > 0 ? ready : all;
}

export function sumLoads(loads: readonly LoadValue[]): Loads {
  return loads.reduce<Loads>(
    (sum, load) => ({
      healthy: sum.healthy + load.healthy,
      total: sum.total + Math.max(load.total, load.desired, load.healthy),
      weight: sum.weight + (load.healthy === 0 ? 0 : Math.max(1, load.weight)),
    }),
    { healthy: 0, total: 0, weight: 0 },
  );
}

/** Average weight of a healthy endpoint stands for one that is missing. */
const missingWeightOf = ({ healthy, total, weight }: Loads): number =>
  healthy === 0 ? total : ((total - healthy) * weight) / healthy;

/** A remote exporter behind its gateways: one locality, whatever zones it has. Undefined where it has no gateway. */
export function gatewayCandidate(sight: Sight, reach: Reach, scale: number): Candidate | undefined {
  const { exporter, portKey } = reach;
  const gateways = gatewaysOf(sight, exporter.cluster);
  if (gateways.length === 0) return undefined;
  const registers = loadsOf(sight, exporter.cluster, exporter.namespace, exporter.name, portKey);
  const loads = sumLoads(registers.map((register) => register.value));
  const ready = gateways.every((gateway) => gateway.value.ready);
  const serving = ready && loads.healthy > 0 && reach.link !== "unreachable";
  const listedWeight = loads.healthy > 0 ? loads.weight : Math.max(1, missingWeightOf(loads));
  return {
    cluster: exporter.cluster,
    region: exporter.member.membership.grant.region,
    zone: "",
    via: "gateway",
    endpoints: gateways.map((gateway) => ({
      address: gateway.value.address,
      port: gateway.value.port,
      weight: atLeastOne((listedWeight * scale) / gateways.length),
      health: serving ? "healthy" : "unhealthy",
      placeholder: false,
      id: gateway.key.slice("gateway/".length),
    })),
    missingWeight: loads.healthy > 0 ? Math.round(missingWeightOf(loads) * scale) : 0,
    healthy: loads.healthy,
    total: loads.total,
    link: reach.link,
    draining: exporter.member.state === "draining",
    because: [
      exporter.because,
      ...registers.map((register) => registerName(exporter.cluster, register)),
      ...gateways.map((gateway) => registerName(exporter.cluster, gateway)),
      ...reach.because,
    ],
  };
}

/** Endpoints one by one, a candidate per region and zone. Zones that have a load but no endpoint are there too. */
export function endpointCandidates(
  sight: Sight,
  reach: Reach,
  via: "local" | "flat",
  scale: number,
): Candidate[] {
  const { exporter, portKey } = reach;
  const localities = new Map<
    string,
    { readonly loads: LoadRegister[]; readonly endpoints: Register<EndpointValue>[] }
  >();
  const at = (locality: string) => {
    const found = localities.get(locality) ?? { loads: [], endpoints: [] };
    localities.set(locality, found);
    return found;
  };
  for (const load of loadsOf(sight, exporter.cluster, exporter.namespace, exporter.name, portKey))
    at(load.key.split("/").slice(4).join("/")).loads.push(load);
  for (const endpoint of readOfService(
    sight,
    exporter.cluster,
    "endpoint",
    exporter.namespace,
    exporter.name,
  ))
    if (endpoint.value.ports[portKey] !== undefined)
      at(`${endpoint.value.region}/${endpoint.value.zone}`).endpoints.push(endpoint);
  return [...localities.keys()].sort().map((locality) => {
    const { loads, endpoints } = localities.get(locality)!;
    return localityCandidate(reach, via, scale, locality, loads, endpoints);
  });
}

function localityCandidate(
  reach: Reach,
  via: "local" | "flat",
  scale: number,
  locality: string,
  loads: readonly LoadRegister[],
  endpoints: readonly Register<EndpointValue>[],
): Candidate {
  const { exporter, portKey, link } = reach;
  const ready = endpoints.filter((endpoint) => endpoint.value.ready);
  const wanted = sumLoads(loads.map((register) => register.value)).total;
  const total = Math.max(wanted, endpoints.length);
  const weight = endpoints.reduce((sum, endpoint) => sum + endpoint.value.weight, 0);
  const average = endpoints.length === 0 ? 1 : weight / endpoints.length;
  const [region = "", zone = ""] = locality.split("/").map((part) => (part === "-" ? "" : part));
  const merged = mergeAddresses(
    endpoints.map((endpoint) => ({
      address: endpoint.value.address,
      port: endpoint.value.ports[portKey]!,
      weight: atLeastOne(endpoint.value.weight * scale),
      health: !endpoint.value.ready || link === "unreachable" ? "unhealthy" : "healthy",
      placeholder: false,
      id: endpoint.key.split("/").slice(3).join("/"),
    })),
  );
  return {
    cluster: exporter.cluster,
    region,
    zone,
    via,
    endpoints: merged.endpoints,
    missingWeight: Math.round((total - endpoints.length) * average * scale) + merged.hiddenWeight,
    healthy: ready.length,
    total,
    link,
    draining: exporter.member.state === "draining",
    because: [
      exporter.because,
      ...[...loads, ...endpoints].map((register) => registerName(exporter.cluster, register)),
      ...reach.because,
    ],
  };
}

/**
 * Endpoints behind one address (gateway mode) become one entry: Envoy keeps only the first of equal addresses
 * (measured). The healthy ones' weight adds up; the others' is hidden behind them and so counts as missing.
 */
function mergeAddresses(listed: readonly ViewEndpoint[]): {
  readonly endpoints: readonly ViewEndpoint[];
  readonly hiddenWeight: number;
} {
  const byAddress = new Map<string, ViewEndpoint[]>();
  for (const endpoint of listed) {
    const address = `${endpoint.address}:${endpoint.port}`;
    byAddress.set(address, [...(byAddress.get(address) ?? []), endpoint]);
  }
  let hiddenWeight = 0;
  const endpoints = [...byAddress.values()].map((twins) => {
    const healthy = twins.filter((twin) => twin.health === "healthy");
    const shown = healthy.length > 0 ? healthy : twins;
    hiddenWeight += weightOf(twins) - weightOf(shown);
    return { ...shown[0]!, weight: weightOf(shown) };
  });
  return { endpoints, hiddenWeight };
}

/**
 * No cluster weighs more than this, whatever it says: Envoy sums a priority's weights in 32 bits. Its own proportions
 * stay.
 */
export const CLUSTER_WEIGHT_MAX = 100_000;

export function capWeight(candidate: Candidate): Candidate {
  const weight = weightOf(candidate.endpoints) + candidate.missingWeight;
  if (weight <= CLUSTER_WEIGHT_MAX) return candidate;
  const factor = CLUSTER_WEIGHT_MAX / weight;
  return {
    ...candidate,
    endpoints: candidate.endpoints.map((endpoint) => ({
      ...endpoint,
      weight: atLeastOne(endpoint.weight * factor),
    })),
    missingWeight: Math.round(candidate.missingWeight * factor),
  };
}

export const weightOf = (endpoints: readonly ViewEndpoint[]): number =>
  endpoints.reduce((sum, endpoint) => sum + endpoint.weight, 0);

const atLeastOne = (weight: number): number => Math.max(1, Math.round(weight));

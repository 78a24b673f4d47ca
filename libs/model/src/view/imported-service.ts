/**
 * What an importer makes of a service that others, or itself, export (KEP-1645, federation §10.1): shape of the oldest
 * export, union of ports, endpoints by source cluster. Pure; not sticky, so that history plays no part. A cluster that
 * is lost stays an exporter: only an explicit unexport ends an import.
 */
import type { ClusterName } from "@hansa/core";
import type { EndpointValue, IpFamily, Transport } from "@hansa/events";
import { conflictCondition, serviceConflicts } from "./conflicts.ts";
import { byAge, isVisible, type MergedPort, mergePorts, type Offer, offersOf } from "./merge.ts";
import { type FederationReader, federationOf, membersInSight, readOfService, type Sight } from "./reader.ts";
import type { Conflict } from "./types.ts";

export interface ImportedPort {
  /** "" where the port has none. */
  readonly name: string;
  readonly portKey: string;
  readonly port: number;
  readonly transport: Transport;
  readonly appProtocol?: string;
}

export interface ImportedEndpoint {
  readonly id: string;
  readonly address: string;
  readonly family: IpFamily;
  /** "" where it has none. */
  readonly hostname: string;
  /** The exporter has applied publishNotReadyAddresses. False also while its cluster is drained. */
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  readonly zone: string;
  /** Port key → the application's own port. */
  readonly ports: Readonly<Record<string, number>>;
}

export interface ImportedCluster {
  readonly cluster: ClusterName;
  /** Merged ports that this cluster exposes. */
  readonly portKeys: readonly string[];
  /** False: lease and probe are lost; it then lists no endpoints. */
  readonly reachable: boolean;
  /** In order of address. */
  readonly endpoints: readonly ImportedEndpoint[];
}

export interface ImportedService {
  readonly namespace: string;
  readonly name: string;
  readonly type: "ClusterSetIP" | "Headless";
  /** Union; the oldest export's first. */
  readonly ports: readonly ImportedPort[];
  /** One or two. */
  readonly ipFamilies: readonly IpFamily[];
  /** By name; never empty. */
  readonly clusters: readonly ImportedCluster[];
  readonly sessionAffinity: "None" | "ClientIP";
  readonly clientIpTimeoutSeconds?: number;
  readonly internalTrafficPolicy?: "Cluster" | "Local";
  readonly trafficDistribution?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface ImportInput {
  readonly fed: FederationReader;
  readonly importer: ClusterName;
  /** This importer's evidence: lease and probe of the peer are both lost. */
  readonly isLost: (peer: string) => boolean;
}

/** undefined where nobody exports it to this importer. Costs as much as the service has registers. */
export function importedService(
  input: ImportInput,
  namespace: string,
  name: string,
): ImportedService | undefined {
  const sight: Sight = { fed: input.fed, observer: input.importer };
  const visible = exportsOf(sight, namespace, name).filter((offer) => isVisible(offer, sight));
  const oldest = visible[0];
  if (oldest === undefined) return undefined;
  const merged = mergePorts(visible, visible, federationOf(sight));
  const clusters = visible.map((offer) => clusterOf(input, sight, offer, merged));
  return {
    namespace,
    name,
    ports: merged.map(importedPort),
    clusters: clusters.sort((a, b) => (a.cluster < b.cluster ? -1 : 1)),
    ...shapeOf(oldest, clusters),
  };
}

/** Exports that count, whoever they are for, oldest first: of members present, in granted namespaces. */
export const exportsOf = (sight: Sight, namespace: string, name: string): Offer[] =>
  offersOf(sight, namespace, name)
    .filter(({ service }) => service.export !== null)
    .sort(byAge);

export interface ExportVerdict {
  readonly conflicts: readonly Conflict[];
  /** Of the Conflict condition. `NoConflicts` and an empty message where there is none. */
  readonly reason: string;
  readonly message: string;
  /** Exporting clusters, oldest first. */
  readonly clusters: readonly ClusterName[];
}

/**
 * Where the exports of a service disagree. All exports count, also those that are not for everybody, so that each
 * cluster says the same of them (federation §1.7).
 */
export function exportVerdict(sight: Sight, namespace: string, name: string): ExportVerdict {
  const exports = exportsOf(sight, namespace, name);
  const conflicts = serviceConflicts(exports);
  return { conflicts, ...conflictCondition(conflicts), clusters: exports.map(({ cluster }) => cluster) };
}

/** Services that some export makes importable here, in order of names. */
export function importedNames(
  fed: FederationReader,
  importer: ClusterName,
): { namespace: string; name: string }[] {
  const sight: Sight = { fed, observer: importer };
  const keys = new Map<string, { namespace: string; name: string }>();
  for (const member of membersInSight(sight))
    for (const { namespace, name } of fed.serviceNames(member.cluster))
      keys.set(`${namespace}/${name}`, { namespace, name });
  return [...keys.keys()]
    .sort()
    .map((key) => keys.get(key)!)
    .filter(({ namespace, name }) =>
      exportsOf(sight, namespace, name).some((offer) => isVisible(offer, sight)),
    );
}

function shapeOf(
  { service }: Offer,
  clusters: readonly ImportedCluster[],
): Omit<ImportedService, "namespace" | "name" | "ports" | "clusters"> {
  const { type, sessionAffinity, clientIpTimeoutSeconds, internalTrafficPolicy, trafficDistribution } =
    service;
  return {
    type,
    ipFamilies: service.ipFamilies ?? familiesOf(clusters),
    sessionAffinity: sessionAffinity ?? "None",
    ...(clientIpTimeoutSeconds === undefined ? {} : { clientIpTimeoutSeconds }),
    ...(internalTrafficPolicy === undefined ? {} : { internalTrafficPolicy }),
    ...(trafficDistribution === undefined ? {} : { trafficDistribution }),
    labels: service.export?.labels ?? {},
    annotations: service.export?.annotations ?? {},
  };
}

/** A source that names no families has those of its endpoints; without any, IPv4. */
function familiesOf(clusters: readonly ImportedCluster[]): readonly IpFamily[] {
  const found = new Set(clusters.flatMap(({ endpoints }) => endpoints.map(({ family }) => family)));
  return found.size === 0 ? ["IPv4"] : (["IPv4", "IPv6"] as const).filter((family) => found.has(family));
}

function importedPort({ port, portKey }: MergedPort): ImportedPort {
  return {
    name: port.name,
    portKey,
    port: port.port,
    transport: port.transport ?? "TCP",
    ...(port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }),
  };
}

function clusterOf(
  input: ImportInput,
  sight: Sight,
  { cluster, member, namespace, name }: Offer,
  merged: readonly MergedPort[],
): ImportedCluster {
  const reachable = cluster === input.importer || !input.isLost(cluster);
  const portKeys = merged
    .filter(({ exposedBy }) => exposedBy.includes(cluster))
    .map(({ portKey }) => portKey);
  const registers = reachable ? readOfService(sight, cluster, "endpoint", namespace, name) : [];
  const byAddress = new Map<string, ImportedEndpoint>();
  for (const { key, value } of registers) {
    const endpoint = endpointOf(key.split("/")[3] ?? "", value, member.state === "draining", portKeys);
    const twin = byAddress.get(endpoint.address);
    if (twin === undefined || (!twin.ready && endpoint.ready)) byAddress.set(endpoint.address, endpoint);
  }
  const endpoints = [...byAddress.values()].sort((a, b) => (a.address < b.address ? -1 : 1));
  return { cluster, portKeys, reachable, endpoints };
}

function endpointOf(
  id: string,
  value: EndpointValue,
  draining: boolean,
  portKeys: readonly string[],
): ImportedEndpoint {
  const ports = value.appPorts ?? value.ports;
  return {
    id,
    address: value.address,
    family: value.address.includes(":") ? "IPv6" : "IPv4",
    hostname: value.hostname ?? "",
    ready: value.ready && !draining,
    serving: value.serving ?? value.ready,
    terminating: value.terminating ?? false,
    zone: value.zone === "-" ? "" : value.zone,
    ports: Object.fromEntries(
      portKeys.flatMap((key) => (ports[key] === undefined ? [] : [[key, ports[key]]])),
    ),
  };
}

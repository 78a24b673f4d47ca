/**
 * Who exports a service to this importer and what the exporters together offer (federation §1.7, KEP-1645). A pure
 * function of the set of exports: the oldest wins, by time and then by name, and nothing depends on who came first.
 */
import { type ClusterName, type SpiffeId, SYSTEM_NAMESPACE, workloadId } from "@hansa/core";
import { type Protocol, portKeyOf, type ServicePort, type ServiceValue } from "@hansa/events";
import { membersInSight, type Participant, read, registerName, type Sight } from "./reader.ts";
import { nameTooLong } from "./sni.ts";

export interface Exporter {
  readonly namespace: string;
  readonly name: string;
  readonly member: Participant;
  readonly cluster: ClusterName;
  readonly service: ServiceValue;
  /** False only for the importer's own service that nobody exports. */
  readonly exported: boolean;
  /** Age that counts: a backdated export is no older than its cluster's admission. */
  readonly sinceMs: number;
  /** Not empty. */
  readonly allowedIds: readonly SpiffeId[];
  readonly because: string;
}

export interface MergedPort {
  readonly port: ServicePort;
  readonly portKey: string;
  /** The oldest exporter that has this port. */
  readonly from: ClusterName;
  /** Those that serve the merged port's name and speak its protocol: the only ones that get its traffic. */
  readonly exposedBy: readonly ClusterName[];
}

/**
 * Exporters visible to the observer, oldest first. Where nobody exports, the observer's own service alone, for its own
 * use; where somebody does, exporters only (KEP-1645: a cluster that does not export takes no clusterset traffic).
 */
export function exportersOf(sight: Sight, namespace: string, name: string): Exporter[] {
  if (namespace === SYSTEM_NAMESPACE) return [];
  const known = membersInSight(sight).flatMap((member) => exporterOf(sight, member, namespace, name) ?? []);
  const exporters = known.filter((exporter) => isVisible(exporter, sight.observer));
  const visible =
    exporters.length > 0 ? exporters : known.filter((exporter) => exporter.cluster === sight.observer);
  return visible.sort(byAge);
}

function exporterOf(
  sight: Sight,
  member: Participant,
  namespace: string,
  name: string,
): Exporter | undefined {
  const register = read(sight, member.cluster, "service", `${namespace}/${name}`);
  if (register === undefined || register.value.serviceAccounts.length === 0) return undefined;
  const service = register.value;
  const accounts = [...new Set(service.serviceAccounts)].sort();
  return {
    namespace,
    name,
    member,
    cluster: member.cluster,
    service,
    exported: service.export !== null,
    sinceMs: Math.max(service.export?.sinceMs ?? service.createdMs, member.membership.admittedMs),
    allowedIds: accounts.map((account) => workloadId(member.trustDomain, namespace, account)),
    because: registerName(member.cluster, register),
  };
}

function isVisible({ cluster, service }: Exporter, importer: string): boolean {
  if (service.export === null) return false;
  return cluster === importer || service.export.to === "all" || service.export.to.includes(importer);
}

export function byAge(a: Exporter, b: Exporter): number {
  if (a.sinceMs !== b.sinceMs) return a.sinceMs - b.sinceMs;
  return a.cluster < b.cluster ? -1 : 1;
}

/**
 * Union of the ports of `oldestFirst`: the same name is the same port, else the same number is (KEP-1645), and the
 * oldest one's values hold. Who exposes a port is asked of `all`.
 */
export function mergePorts(
  oldestFirst: readonly Exporter[],
  all: readonly Exporter[],
  federation: string,
): MergedPort[] {
  const merged: { readonly port: ServicePort; readonly exporter: Exporter }[] = [];
  for (const exporter of oldestFirst)
    for (const port of exporter.service.ports)
      if (twinOf(port, merged) === undefined) merged.push({ port, exporter });
  return merged.map(({ port, exporter }) => ({
    port,
    portKey: portKeyOf(port),
    from: exporter.cluster,
    exposedBy: all
      .filter((candidate) => exposes(candidate, port, federation))
      .map((candidate) => candidate.cluster)
      .sort(),
  }));
}

/** The merged port that `port` falls together with. */
export const twinOf = <Merged extends { readonly port: ServicePort }>(
  port: ServicePort,
  merged: readonly Merged[],
): Merged | undefined =>
  merged.find((candidate) => candidate.port.name === port.name) ??
  merged.find((candidate) => candidate.port.port === port.port);

/** The gateway of `exporter` has a chain for this very name, and what answers there speaks the same protocol. */
function exposes(exporter: Exporter, wanted: ServicePort, federation: string): boolean {
  const portKey = portKeyOf(wanted);
  const own = exporter.service.ports.find((port) => portKeyOf(port) === portKey);
  if (own === undefined || !speakAlike(own.protocol, wanted.protocol)) return false;
  return nameTooLong(portKey, exporter.name, exporter.namespace, exporter.cluster, federation) === undefined;
}

/** HTTP/1.1, HTTP/2 and gRPC share the mesh leg (always HTTP/2); TCP shares nothing with them. */
export const speakAlike = (a: Protocol, b: Protocol): boolean => (a === "tcp") === (b === "tcp");

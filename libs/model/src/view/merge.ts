/**
 * Who exports a service to this importer and what the exporters together offer (federation §1.7, KEP-1645). A pure
 * function of the set of exports: the oldest wins, by time and then by name, and nothing depends on who came first.
 */
import { type ClusterName, type SpiffeId, SYSTEM_NAMESPACE, workloadId } from "@hansa/core";
import { type Protocol, portKeyOf, type ServicePort, type ServiceValue } from "@hansa/events";
import { propertiesOf, selects } from "./cluster-properties.ts";
import {
  type FederationReader,
  membersInSight,
  type Participant,
  read,
  registerName,
  type Sight,
} from "./reader.ts";
import { nameTooLong } from "./sni.ts";

/** A service's registers of one cluster that is in sight. */
export interface Offer {
  readonly namespace: string;
  readonly name: string;
  readonly member: Participant;
  readonly cluster: ClusterName;
  readonly service: ServiceValue;
  /** Age that counts: a backdated export is no older than its cluster's admission. */
  readonly sinceMs: number;
  readonly because: string;
}

/** An offer that callers can verify: it names identities. */
export interface Exporter extends Offer {
  /** False only for the importer's own service that nobody exports. */
  readonly exported: boolean;
  /** Not empty. */
  readonly allowedIds: readonly SpiffeId[];
}

export interface MergedPort {
  readonly port: ServicePort;
  readonly portKey: string;
  /** The oldest exporter that has this port. */
  readonly from: ClusterName;
  /** Those that serve this very port: name, number and transport, and speak its protocol. Only they get its traffic. */
  readonly exposedBy: readonly ClusterName[];
}

/**
 * Exporters visible to the observer, oldest first. Where nobody exports, the observer's own service alone, for its own
 * use; where somebody does, exporters only (KEP-1645: a cluster that does not export takes no clusterset traffic).
 */
export function exportersOf(sight: Sight, namespace: string, name: string): Exporter[] {
  const known = offersOf(sight, namespace, name).flatMap((offer) => exporterOf(offer) ?? []);
  const exporters = known.filter((exporter) => isVisible(exporter, sight));
  const visible =
    exporters.length > 0 ? exporters : known.filter((exporter) => exporter.cluster === sight.observer);
  return visible.sort(byAge);
}

/** Every offer in sight, exported or not, in no order. */
export function offersOf(sight: Sight, namespace: string, name: string): Offer[] {
  if (namespace === SYSTEM_NAMESPACE) return [];
  return membersInSight(sight).flatMap((member) => {
    const register = read(sight, member.cluster, "service", `${namespace}/${name}`);
    if (register === undefined) return [];
    const service = register.value;
    return {
      namespace,
      name,
      member,
      cluster: member.cluster,
      service,
      sinceMs: Math.max(service.export?.sinceMs ?? service.createdMs, member.membership.admittedMs),
      because: registerName(member.cluster, register),
    };
  });
}

function exporterOf(offer: Offer): Exporter | undefined {
  const { member, service, namespace } = offer;
  if (service.serviceAccounts.length === 0) return undefined;
  const accounts = [...new Set(service.serviceAccounts)].sort();
  return {
    ...offer,
    exported: service.export !== null,
    allowedIds: accounts.map((account) => workloadId(member.trustDomain, namespace, account)),
  };
}

/** Exported to the observer: to all, by name, or by what the observer was granted to be. */
export function isVisible({ cluster, service }: Offer, { fed, observer }: Sight): boolean {
  if (service.export === null) return false;
  const { to, toSelector } = service.export;
  if (cluster === observer || to === "all" || to.includes(observer)) return true;
  const importer = fed.member(observer);
  if (toSelector === undefined || importer === undefined) return false;
  return selects(toSelector, propertiesOf(importer), undefined);
}

/** Members that may import what `cluster` exports under this name; the exporter is one of them. */
export function importersOf(
  fed: FederationReader,
  cluster: string,
  namespace: string,
  name: string,
): Participant[] {
  const members = membersInSight({ fed, observer: cluster });
  return members.filter((member) => {
    const sight = { fed, observer: member.cluster };
    return offersOf(sight, namespace, name).some(
      (offer) => offer.cluster === cluster && isVisible(offer, sight),
    );
  });
}

export function byAge(a: Offer, b: Offer): number {
  if (a.sinceMs !== b.sinceMs) return a.sinceMs - b.sinceMs;
  return a.cluster < b.cluster ? -1 : 1;
}

/**
 * Union of the ports of `oldestFirst`: the same name is the same port, else the same transport and number are
 * (KEP-1645), and the oldest one's values hold. Who exposes a port is asked of `all`.
 */
export function mergePorts(
  oldestFirst: readonly Offer[],
  all: readonly Offer[],
  federation: string,
): MergedPort[] {
  const merged: { readonly port: ServicePort; readonly exporter: Offer }[] = [];
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
  merged.find(({ port: other }) => other.port === port.port && other.transport === port.transport);

/** The exporter has this very port, a chain for its name can be, and what answers there speaks the same protocol. */
function exposes(exporter: Offer, wanted: ServicePort, federation: string): boolean {
  const portKey = portKeyOf(wanted);
  const own = exporter.service.ports.find((port) => portKeyOf(port) === portKey);
  if (own === undefined || own.port !== wanted.port || own.transport !== wanted.transport) return false;
  if (!speakAlike(own.protocol, wanted.protocol)) return false;
  return nameTooLong(portKey, exporter.name, exporter.namespace, exporter.cluster, federation) === undefined;
}

/** The mesh carries TCP; other ports are imported and named only. */
export const isMeshed = (port: ServicePort): boolean => port.transport === undefined;

/** HTTP/1.1, HTTP/2 and gRPC share the mesh leg (always HTTP/2); TCP shares nothing with them. */
export const speakAlike = (a: Protocol, b: Protocol): boolean => (a === "tcp") === (b === "tcp");

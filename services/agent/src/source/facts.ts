/**
 * A document's facts as registers: what this cluster says of itself. Pure: the same document gives the same registers,
 * and the difference of two sets of registers gives the events.
 */
import { type TrustDomain, workloadId } from "@hansa/core";
import {
  type EndpointValue,
  endpointKey,
  type FailoverPolicy,
  gatewayKey,
  identityKey,
  type Lane,
  type LoadValue,
  laneOf,
  loadKey,
  policyKey,
  portKeyOf,
  type RegisterEvent,
  type RegisterType,
  type RegisterValues,
  type ServiceValue,
  serviceKey,
} from "@hansa/events";
import type {
  SourceAllow,
  SourceDocument,
  SourceFailover,
  SourceGateway,
  SourceReplica,
  SourceService,
  SourceWorkload,
} from "./document.ts";

export interface Fact<Type extends RegisterType = RegisterType> {
  readonly type: Type;
  readonly lane: Lane;
  readonly key: string;
  readonly value: RegisterValues[Type];
}

/** Key → fact. Keys of the two lanes never coincide. */
export type Facts = ReadonlyMap<string, Fact>;

export interface Place {
  readonly trustDomain: TrustDomain;
  readonly region: string;
  /** The cluster's zones; the first one stands in where a replica names none. */
  readonly zones: readonly string[];
}

export const factOf = <Type extends RegisterType>(
  type: Type,
  key: string,
  value: RegisterValues[Type],
): Fact<Type> => ({ type, lane: laneOf(type), key, value });

const zoneOf = (replica: SourceReplica, place: Place): string => replica.zone ?? place.zones[0] ?? "default";

/** Replicas that others can dial: without a sidecar there is no mTLS, so they are not endpoints (federation §1.3). */
const dialable = (workload: SourceWorkload): readonly SourceReplica[] =>
  workload.replicas.filter((replica) => replica.sidecar);

export interface WithoutAddress {
  readonly namespace: string;
  readonly service: string;
  readonly count: number;
}

/** Replicas that are left out because nobody can dial them (HSA4009), per service. */
export function undialable(document: SourceDocument): WithoutAddress[] {
  return document.workloads.flatMap((workload) => {
    const count = workload.replicas.length - dialable(workload).length;
    return count === 0
      ? []
      : workload.services.map((service) => ({ namespace: workload.namespace, service, count }));
  });
}

interface Sums {
  healthy: number;
  total: number;
  desired: number;
  weight: number;
}

/** One service's sums per zone. Absent replicas count where the workload's first replica stands (federation §1.4). */
function sumsOf(workloads: readonly SourceWorkload[], place: Place): Map<string, Sums> {
  const zones = new Map<string, Sums>();
  const at = (zone: string): Sums => {
    const sums = zones.get(zone) ?? { healthy: 0, total: 0, desired: 0, weight: 0 };
    zones.set(zone, sums);
    return sums;
  };
  for (const workload of workloads) {
    const replicas = dialable(workload);
    for (const replica of replicas) {
      const sums = at(zoneOf(replica, place));
      sums.total += 1;
      sums.desired += 1;
      if (!replica.ready) continue;
      sums.healthy += 1;
      sums.weight += replica.weight;
    }
    const absent = workload.desired - replicas.length;
    if (absent > 0) {
      const [first] = replicas;
      const sums = at(first === undefined ? (place.zones[0] ?? "default") : zoneOf(first, place));
      sums.total += absent;
      sums.desired += absent;
    }
  }
  return zones;
}

interface Known {
  readonly workloads: readonly SourceWorkload[];
  readonly place: Place;
  readonly facts: readonly Fact[];
}

/** A service and workloads that the document gives again, unchanged, have the same facts: the same objects. */
const known = new WeakMap<SourceService, Known>();

function knownFacts(
  service: SourceService,
  workloads: readonly SourceWorkload[],
  place: Place,
): readonly Fact[] {
  const before = known.get(service);
  if (before !== undefined && before.place === place && sameItems(before.workloads, workloads))
    return before.facts;
  const facts = serviceFacts(service, workloads, place);
  known.set(service, { workloads, place, facts });
  return facts;
}

const sameItems = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((item, index) => item === b[index]);

function serviceFacts(service: SourceService, workloads: readonly SourceWorkload[], place: Place): Fact[] {
  const value: ServiceValue = {
    type: service.type,
    ports: service.ports,
    serviceAccounts: [...new Set(workloads.map(({ serviceAccount }) => serviceAccount))].sort(),
    createdMs: service.created,
    export: service.export === null ? null : { sinceMs: service.export.since, to: service.export.to },
  };
  const facts: Fact[] = [factOf("ServiceSet", serviceKey(service.namespace, service.name), value)];
  for (const [zone, sums] of sumsOf(workloads, place))
    for (const port of service.ports) {
      const key = loadKey(service.namespace, service.name, portKeyOf(port), place.region, zone);
      facts.push(factOf("LoadSet", key, { ...sums } satisfies LoadValue));
    }
  for (const workload of workloads)
    for (const replica of dialable(workload)) facts.push(endpointFact(service, workload, replica, place));
  return facts;
}

function endpointFact(
  service: SourceService,
  workload: SourceWorkload,
  replica: SourceReplica,
  place: Place,
): Fact<"EndpointSet"> {
  const value: EndpointValue = {
    address: replica.address,
    ports: Object.fromEntries(service.ports.map((port) => [portKeyOf(port), replica.port])),
    ready: replica.ready,
    region: place.region,
    zone: zoneOf(replica, place),
    weight: replica.weight,
    serviceAccount: workload.serviceAccount,
    workload: workload.name,
  };
  // Two workloads behind one service may use the same replica ids.
  return factOf(
    "EndpointSet",
    endpointKey(service.namespace, service.name, `${workload.name}.${replica.id}`),
    value,
  );
}

export const allowFact = ({ namespace, name, service, from }: SourceAllow): Fact<"PolicySet"> =>
  factOf("PolicySet", policyKey("allow", namespace, name), { service, from });

export const failoverFact = ({ namespace, name, ...policy }: SourceFailover): Fact<"PolicySet"> =>
  factOf("PolicySet", policyKey("failover", namespace, name), policy satisfies FailoverPolicy);

export const gatewayFact = ({ name, ...gateway }: SourceGateway, region: string): Fact<"GatewaySet"> =>
  factOf("GatewaySet", gatewayKey(name), { ...gateway, region });

export function factsOf(document: SourceDocument, place: Place): Facts {
  const facts: Fact[] = [];
  const workloadsOf = Map.groupBy(
    document.workloads.flatMap((workload) =>
      [...new Set(workload.services)].map((name) => ({ service: `${workload.namespace}/${name}`, workload })),
    ),
    ({ service }) => service,
  );
  for (const service of document.services) {
    const workloads = workloadsOf.get(`${service.namespace}/${service.name}`) ?? [];
    facts.push(
      ...knownFacts(
        service,
        workloads.map(({ workload }) => workload),
        place,
      ),
    );
  }
  for (const { namespace, serviceAccount } of document.workloads) {
    const spiffeId = workloadId(place.trustDomain, namespace, serviceAccount);
    facts.push(factOf("IdentitySet", identityKey(namespace, serviceAccount), { spiffeId }));
  }
  facts.push(
    ...(document.gateways ?? []).map((gateway) => gatewayFact(gateway, place.region)),
    ...document.allows.map(allowFact),
    ...document.failover.map(failoverFact),
  );
  return new Map(facts.map((fact) => [fact.key, fact]));
}

/** Types that only the source speaks of: a register of these that it no longer gives is withdrawn. */
const FROM_SOURCE: ReadonlySet<RegisterType> = new Set([
  "ServiceSet",
  "LoadSet",
  "EndpointSet",
  "GatewaySet",
  "IdentitySet",
  "PolicySet",
]);

/** The agent's own registers, as far as events need them. */
export interface OwnView {
  keys(): Iterable<string>;
  get(key: string): RegisterEvent | undefined;
}

export const eventOf = (type: RegisterType, key: string, data: unknown, atMs: number): RegisterEvent =>
  ({ type, v: 1, key, at: atMs, data }) as RegisterEvent;

/**
 * Events that bring the own registers to these facts, which are all there are: whole values, and tombstones for what is
 * gone. A fact that is the very object of the register is left out.
 */
export function eventsTo(facts: Facts, own: OwnView, atMs: number): RegisterEvent[] {
  const events = [...facts.values()].flatMap(({ type, key, value }) =>
    own.get(key)?.data === value ? [] : [eventOf(type, key, value, atMs)],
  );
  for (const key of own.keys()) {
    const type = own.get(key)?.type;
    if (type !== undefined && FROM_SOURCE.has(type) && !facts.has(key))
      events.push(eventOf(type, key, null, atMs));
  }
  return events;
}

export const factEvents = (
  document: SourceDocument,
  place: Place,
  own: OwnView,
  atMs: number,
): RegisterEvent[] => eventsTo(factsOf(document, place), own, atMs);

/**
 * Endpoints of one Service from its EndpointSlices: one per address, whichever slices name it, and the sums of those
 * that the mesh dials, by port and zone. Does not depend on the order of slices.
 */

import { isLabel } from "@hansa/core";
import {
  type EndpointValue,
  type LoadValue,
  portKeyOf,
  SERVICE_PORTS_MAX,
  type ServicePort,
} from "@hansa/events";
import { parseAddress } from "@hansa/model";
import type { PodObject, SliceEndpoint, SliceObject } from "./objects.ts";

/** Port on which an injected proxy takes mTLS. */
export const MESH_PORT = 15_006;

export interface EndpointPlace {
  readonly region: string;
  /** The cluster's zones; the first one stands in where a slice names none. */
  readonly zones: readonly string[];
  /** The gateway ends mTLS for pods without a proxy: they count as capacity. */
  readonly gatewayMode?: boolean;
}

/** Of an endpoint in a zone that is not the cluster's: it is preferred by nobody, where a zone without grant would hide it. */
const NO_ZONE = "-";

interface Found {
  readonly slice: SliceObject;
  readonly endpoint: SliceEndpoint;
  readonly pod: PodObject | undefined;
}

export interface ServiceEndpoints {
  /** Address → value; addresses are the ids of endpoint registers. */
  readonly endpoints: ReadonlyMap<string, EndpointValue>;
  /** `<port key>/<zone>` → sums. */
  readonly loads: ReadonlyMap<string, LoadValue>;
  /** Accounts of the pods behind it, sorted. */
  readonly serviceAccounts: readonly string[];
  /** Endpoints that the mesh cannot dial, because nothing takes mTLS there (HSA4009). */
  readonly unmeshedCount: number;
}

export function endpointsOf(
  ports: readonly ServicePort[],
  slices: readonly SliceObject[],
  podOf: (namespace: string, name: string) => PodObject | undefined,
  place: EndpointPlace,
): ServiceEndpoints {
  const byAddress = new Map<string, Found[]>();
  const portsOf = portsOfSlices(ports);
  for (const slice of slices)
    for (const endpoint of slice.endpoints)
      for (const address of endpoint.addresses) {
        if (parseAddress(address)?.width !== (slice.family === "IPv4" ? 32 : 128)) continue;
        const pod = endpoint.pod === "" ? undefined : podOf(slice.namespace, endpoint.pod);
        const found = { slice, endpoint, pod };
        const others = byAddress.get(address);
        if (others === undefined) byAddress.set(address, [found]);
        else others.push(found);
      }
  const endpoints = new Map<string, EndpointValue>();
  for (const address of [...byAddress.keys()].sort())
    endpoints.set(address, endpointValue(address, byAddress.get(address)!, portsOf, place));
  const values = [...endpoints.values()];
  const dialed = new Set(values.filter(isMeshed).map(({ workload }) => workload));
  const pods = [...byAddress.values()].flat().flatMap(({ pod }) => (pod === undefined ? [] : [pod]));
  return {
    endpoints,
    loads: loadsOf(values, place.gatewayMode === true && !values.some(isMeshed)),
    serviceAccounts: [...new Set(pods.map(({ serviceAccount }) => serviceAccount))].sort(),
    // Of a dual-stack pod one address is dialled.
    unmeshedCount: values.filter((value) => !isMeshed(value) && !dialed.has(value.workload)).length,
  };
}

const isMeshed = ({ ports }: EndpointValue): boolean => Object.keys(ports).length > 0;

/** A pod between two slices is in both for a moment: the one that says most of it counts, in a fixed order. */
const byWorth = (a: Found, b: Found): number =>
  Number(b.endpoint.ready) - Number(a.endpoint.ready) ||
  Number(b.pod !== undefined) - Number(a.pod !== undefined) ||
  Number(b.endpoint.serving) - Number(a.endpoint.serving) ||
  (a.slice.name < b.slice.name ? -1 : Number(a.slice.name > b.slice.name)) ||
  (a.endpoint.pod < b.endpoint.pod ? -1 : Number(a.endpoint.pod > b.endpoint.pod));

function endpointValue(
  address: string,
  found: Found[],
  portsOf: (slices: readonly SliceObject[]) => Ports,
  place: EndpointPlace,
): EndpointValue {
  if (found.length > 1) found.sort(byWorth);
  const { endpoint, pod, slice } = found[0]!;
  const { appPorts, meshPorts } = portsOf(found.map((each) => each.slice));
  // A dual-stack pod has an address in each family. Its proxy takes IPv4 alone; what comes by IPv6 its rules refuse.
  const isDialed = pod?.meshed === true && slice.family === "IPv4";
  return {
    address,
    ports: isDialed ? meshPorts : NO_PORTS,
    appPorts,
    ...(isLabel(endpoint.hostname) ? { hostname: endpoint.hostname } : {}),
    ready: endpoint.ready,
    ...(endpoint.serving === endpoint.ready ? {} : { serving: endpoint.serving }),
    ...(endpoint.terminating ? { terminating: true as const } : {}),
    region: place.region,
    zone: zoneOf(endpoint.zone, place),
    weight: 1,
    serviceAccount: pod?.serviceAccount ?? "-",
    workload: endpoint.pod,
  };
}

function zoneOf(zone: string, { zones }: EndpointPlace): string {
  if (zone === "") return zones[0] ?? NO_ZONE;
  return zones.includes(zone) ? zone : NO_ZONE;
}

/** Port key → number. */
interface Ports {
  readonly appPorts: Readonly<Record<string, number>>;
  readonly meshPorts: Readonly<Record<string, number>>;
}

const NO_PORTS: Readonly<Record<string, number>> = {};

/** What slices serve of a Service's ports. Endpoints of the same slices have the same: one object for all of them. */
function portsOfSlices(ports: readonly ServicePort[]): (slices: readonly SliceObject[]) => Ports {
  let before: { readonly slices: readonly SliceObject[]; readonly ports: Ports } | undefined;
  return (slices) => {
    if (
      before?.slices.length !== slices.length ||
      slices.some((each, index) => each !== before?.slices[index])
    )
      before = { slices, ports: portsOf(slices, ports) };
    return before.ports;
  };
}

/** Slices name ports as Services do. */
function portsOf(slices: readonly SliceObject[], ports: readonly ServicePort[]): Ports {
  const numbers = new Map<string, number>();
  for (const { name, port } of slices.flatMap((slice) => slice.ports))
    if (!numbers.has(name)) numbers.set(name, port);
  const served = ports.slice(0, SERVICE_PORTS_MAX).filter(({ name }) => numbers.has(name));
  const meshed = served.filter(({ transport }) => transport === undefined);
  return {
    appPorts: Object.fromEntries(served.map((port) => [portKeyOf(port), numbers.get(port.name)!])),
    meshPorts: Object.fromEntries(meshed.map((port) => [portKeyOf(port), MESH_PORT])),
  };
}

/**
 * Ready ones are healthy; those not ready count in `total` and `desired`, so that ratio-based failover works (federation
 * §1.4); those that terminate are on their way out and count nowhere. Slices do not know pods that have no address yet.
 */
function loadsOf(values: readonly EndpointValue[], plain: boolean): Map<string, LoadValue> {
  const loads = new Map<string, LoadValue>();
  for (const { ports, appPorts = {}, ready, terminating, zone, weight } of values) {
    if (terminating === true) continue;
    for (const portKey of Object.keys(plain ? appPorts : ports)) {
      const key = `${portKey}/${zone}`;
      const sums = loads.get(key) ?? { healthy: 0, total: 0, desired: 0, weight: 0 };
      loads.set(key, {
        healthy: sums.healthy + (ready ? 1 : 0),
        total: sums.total + 1,
        desired: sums.desired + 1,
        weight: sums.weight + (ready ? weight : 0),
      });
    }
  }
  return loads;
}

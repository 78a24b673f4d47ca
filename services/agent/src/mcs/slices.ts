/**
 * EndpointSlices of an import (KEP-1645, "Using EndpointSlice objects to track endpoints"): one source cluster, one
 * family and one set of ports each. Endpoints stay in the slice in which they are, so that a change touches few slices.
 */
import { canonicalJson } from "@hansa/core";
import type { IpFamily } from "@hansa/events";
import type { ImportedEndpoint, ImportedPort, ImportedService } from "@hansa/model";
import type { McsSlice, SliceEndpointJson, SlicePortJson } from "./objects.ts";

/** As Kubernetes' own controller fills them; the API allows 1000. */
export const ENDPOINTS_PER_SLICE_MAX = 100;

interface Group {
  readonly cluster: string;
  readonly family: IpFamily;
  readonly ports: readonly SlicePortJson[];
  readonly endpoints: Map<string, SliceEndpointJson>;
}

/** All slices that the import shall have. `actual` are those that it has. */
export function desiredSlices(
  service: ImportedService,
  actual: readonly McsSlice[],
  ownerUid: string,
): McsSlice[] {
  const taken = new Set<string>();
  return groupsOf(service).flatMap((group) => slicesOf(service, group, actual, ownerUid, taken));
}

function groupsOf(service: ImportedService): Group[] {
  const groups = new Map<string, Group>();
  for (const { cluster, endpoints } of service.clusters)
    for (const endpoint of endpoints) {
      if (!service.ipFamilies.includes(endpoint.family)) continue;
      const ports = slicePorts(service.ports, endpoint);
      const key = canonicalJson([cluster, endpoint.family, ports]);
      const group = groups.get(key) ?? { cluster, family: endpoint.family, ports, endpoints: new Map() };
      group.endpoints.set(endpoint.address, sliceEndpoint(endpoint));
      groups.set(key, group);
    }
  return [...groups.keys()].sort().map((key) => groups.get(key)!);
}

const slicePorts = (ports: readonly ImportedPort[], endpoint: ImportedEndpoint): SlicePortJson[] =>
  ports.flatMap(({ name, portKey, transport, appProtocol }) => {
    const port = endpoint.ports[portKey];
    if (port === undefined) return [];
    return [{ name, protocol: transport, port, ...(appProtocol === undefined ? {} : { appProtocol }) }];
  });

const sliceEndpoint = (endpoint: ImportedEndpoint): SliceEndpointJson => ({
  addresses: [endpoint.address],
  conditions: { ready: endpoint.ready, serving: endpoint.serving, terminating: endpoint.terminating },
  ...(endpoint.hostname === "" ? {} : { hostname: endpoint.hostname }),
  ...(endpoint.zone === "" ? {} : { zone: endpoint.zone }),
});

function slicesOf(
  { namespace, name }: ImportedService,
  { cluster, family, ports, endpoints }: Group,
  actual: readonly McsSlice[],
  ownerUid: string,
  taken: Set<string>,
): McsSlice[] {
  const portsText = canonicalJson(ports);
  const fitting = actual
    .filter((slice) => slice.cluster === cluster && slice.family === family)
    .filter((slice) => canonicalJson(slice.ports) === portsText)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const left = new Map(endpoints);
  const filled = fitting.map((slice) => ({ name: slice.name, endpoints: kept(slice, left) }));
  for (const slice of filled) taken.add(slice.name);
  for (const [, endpoint] of left) {
    let room = filled.find((slice) => slice.endpoints.length < ENDPOINTS_PER_SLICE_MAX);
    if (room === undefined) {
      room = { name: freeName(name, cluster, family, actual, taken), endpoints: [] };
      filled.push(room);
    }
    room.endpoints.push(endpoint);
  }
  return filled
    .filter((slice) => slice.endpoints.length > 0)
    .map((slice) => ({
      namespace,
      name: slice.name,
      service: name,
      cluster,
      family,
      ports,
      endpoints: slice.endpoints,
      ownerUid,
    }));
}

/** Takes from `left` what the slice holds already, in its order. */
function kept(slice: McsSlice, left: Map<string, SliceEndpointJson>): SliceEndpointJson[] {
  return slice.endpoints.slice(0, ENDPOINTS_PER_SLICE_MAX).flatMap(({ addresses: [address = ""] }) => {
    const endpoint = left.get(address);
    left.delete(address);
    return endpoint ?? [];
  });
}

/** Dots keep the parts apart, and the name from those that Kubernetes makes. */
function freeName(
  service: string,
  cluster: string,
  family: IpFamily,
  actual: readonly McsSlice[],
  taken: Set<string>,
): string {
  const used = new Set(actual.map((slice) => slice.name));
  for (let index = 0; ; index += 1) {
    const name = `${service}.${cluster}.${family === "IPv4" ? "v4" : "v6"}.${index}`;
    if (used.has(name) || taken.has(name)) continue;
    taken.add(name);
    return name;
  }
}

/** Which proxies this agent serves, from the document: one sidecar per replica that has one, and the gateways. Pure. */
import { gatewayId, type SpiffeId, sameJson, type TrustDomain, workloadId } from "@hansa/core";
import { portKeyOf } from "@hansa/events";
import type { Inbound } from "@hansa/inject";
import type { SourceDocument, SourceReplica, SourceService, SourceWorkload } from "../source/document.ts";

/** The pod that a proxy was injected into: who may come for its configuration. */
export interface PodIdentity {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly serviceAccount: string;
}

export interface Sidecar {
  readonly kind: "sidecar";
  /** `<ns>/<workload>/<replica>`. */
  readonly id: string;
  readonly spiffeId: SpiffeId;
  readonly namespace: string;
  readonly workload: string;
  readonly address: string;
  readonly inboundPort: number;
  readonly zone: string;
  /** `<ns>/<service>/<port key>` → where the application listens. */
  readonly apps: ReadonlyMap<string, { readonly address: string; readonly port: number }>;
  readonly services: readonly string[];
  /** Absent: it is beside its agent and comes by a socket of its own. */
  readonly pod?: PodIdentity;
  /** Of a pod's: whether neighbours without identity may come. */
  readonly inbound?: Inbound;
}

export interface Gateway {
  readonly kind: "gateway";
  /** `gateway/<name>`. */
  readonly id: string;
  readonly spiffeId: SpiffeId;
  /** Where it listens. */
  readonly address: string;
  readonly port: number;
  readonly zone: string;
}

export type LocalProxy = Sidecar | Gateway;

export const sameProxy = (a: LocalProxy, b: LocalProxy): boolean => a === b || sameJson(flat(a), flat(b));

/** Maps do not show in JSON. */
const flat = (proxy: LocalProxy): unknown =>
  proxy.kind === "sidecar" ? { ...proxy, apps: [...proxy.apps] } : proxy;

export interface InventoryPlace {
  readonly trustDomain: TrustDomain;
  readonly zones: readonly string[];
  /** Where the configured ones listen. */
  readonly gateways: readonly { readonly name: string; readonly address: string; readonly port: number }[];
}

function appsOf(services: readonly SourceService[], app: SourceReplica["app"]): Sidecar["apps"] {
  const apps = new Map<string, { address: string; port: number }>();
  if (app === undefined) return apps;
  for (const { namespace, name, ports } of services)
    for (const port of ports) {
      const key = portKeyOf(port);
      apps.set(`${namespace}/${name}/${key}`, { address: app.address, port: app.ports[key] ?? app.port });
    }
  return apps;
}

interface Known {
  readonly services: readonly SourceService[];
  readonly place: InventoryPlace;
  readonly sidecars: readonly Sidecar[];
}

/** A workload that the document gives again, unchanged, with the same services has the same sidecars: the same objects. */
const known = new WeakMap<SourceWorkload, Known>();

function sidecarsOf(
  workload: SourceWorkload,
  services: readonly SourceService[],
  place: InventoryPlace,
): readonly Sidecar[] {
  const before = known.get(workload);
  const same = before?.services.length === services.length && before.place === place;
  if (same && services.every((service, index) => service === before.services[index])) return before.sidecars;
  const { namespace, name, serviceAccount } = workload;
  const sidecars = workload.replicas
    .filter((replica) => replica.sidecar)
    .map(
      (replica): Sidecar => ({
        kind: "sidecar",
        id: `${namespace}/${name}/${replica.id}`,
        spiffeId: workloadId(place.trustDomain, namespace, serviceAccount),
        namespace,
        workload: name,
        address: replica.address,
        inboundPort: replica.port,
        zone: replica.zone ?? place.zones[0] ?? "default",
        apps: appsOf(services, replica.app),
        services: workload.services,
      }),
    );
  known.set(workload, { services, place, sidecars });
  return sidecars;
}

export function proxiesOf(document: SourceDocument, place: InventoryPlace): ReadonlyMap<string, LocalProxy> {
  const proxies = new Map<string, LocalProxy>();
  const services = new Map(
    document.services.map((service) => [`${service.namespace}/${service.name}`, service]),
  );
  for (const workload of document.workloads) {
    const served = workload.services.flatMap((name) => services.get(`${workload.namespace}/${name}`) ?? []);
    for (const sidecar of sidecarsOf(workload, served, place)) proxies.set(sidecar.id, sidecar);
  }
  const zone = place.zones[0] ?? "default";
  const gateways: InventoryPlace["gateways"] = document.gateways ?? place.gateways;
  for (const { name, address, port } of gateways) {
    const id = `gateway/${name}`;
    proxies.set(id, { kind: "gateway", id, spiffeId: gatewayId(place.trustDomain), address, port, zone });
  }
  return proxies;
}

/** Proxies of pods come by themselves; the gateways are those that the configuration names. */
export const gatewayProxies = (place: InventoryPlace): ReadonlyMap<string, LocalProxy> =>
  proxiesOf({ services: [], workloads: [], allows: [], failover: [] }, place);

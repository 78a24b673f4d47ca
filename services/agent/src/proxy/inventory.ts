/** Which proxies this agent serves, from the document: one sidecar per replica that has one, and the gateways. Pure. */
import { gatewayId, type SpiffeId, type TrustDomain, workloadId } from "@hansa/core";
import { portKeyOf } from "@hansa/events";
import type { SourceDocument, SourceReplica } from "../source/document.ts";

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
}

export interface Gateway {
  readonly kind: "gateway";
  /** `gateway/<name>`. */
  readonly id: string;
  readonly spiffeId: SpiffeId;
  readonly address: string;
  readonly port: number;
  readonly zone: string;
}

export type LocalProxy = Sidecar | Gateway;

export interface InventoryPlace {
  readonly trustDomain: TrustDomain;
  readonly zones: readonly string[];
  readonly gateways: readonly { readonly name: string; readonly address: string; readonly port: number }[];
}

function appsOf(
  document: SourceDocument,
  namespace: string,
  services: readonly string[],
  app: SourceReplica["app"],
): Sidecar["apps"] {
  const apps = new Map<string, { address: string; port: number }>();
  if (app === undefined) return apps;
  for (const service of document.services) {
    if (service.namespace !== namespace || !services.includes(service.name)) continue;
    for (const port of service.ports) {
      const key = portKeyOf(port);
      apps.set(`${namespace}/${service.name}/${key}`, {
        address: app.address,
        port: app.ports[key] ?? app.port,
      });
    }
  }
  return apps;
}

export function proxiesOf(document: SourceDocument, place: InventoryPlace): ReadonlyMap<string, LocalProxy> {
  const proxies = new Map<string, LocalProxy>();
  const zone = place.zones[0] ?? "default";
  for (const workload of document.workloads)
    for (const replica of workload.replicas) {
      if (!replica.sidecar) continue;
      const id = `${workload.namespace}/${workload.name}/${replica.id}`;
      proxies.set(id, {
        kind: "sidecar",
        id,
        spiffeId: workloadId(place.trustDomain, workload.namespace, workload.serviceAccount),
        namespace: workload.namespace,
        workload: workload.name,
        address: replica.address,
        inboundPort: replica.port,
        zone: replica.zone ?? zone,
        apps: appsOf(document, workload.namespace, workload.services, replica.app),
        services: workload.services,
      });
    }
  for (const gateway of document.gateways ?? place.gateways) {
    const id = `gateway/${gateway.name}`;
    const { address, port } = gateway;
    proxies.set(id, { kind: "gateway", id, spiffeId: gatewayId(place.trustDomain), address, port, zone });
  }
  return proxies;
}

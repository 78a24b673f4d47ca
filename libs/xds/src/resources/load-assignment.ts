/**
 * Endpoints of one Envoy cluster (EDS). Ratio and weights decide here: `policy` carries the overprovisioning and makes
 * weights count in a priority's health, placeholders carry missing capacity (envoy-dataplane §3, federation §1.4).
 * Input of other clusters must not be able to make Envoy refuse the message: bad or doubled addresses are left out.
 */
import type { ServicePortView, ServingPort, ViewEndpoint } from "@hansa/model";
import {
  type AssignmentEndpoint,
  type AssignmentLocality,
  encodeClusterLoadAssignment,
  type Health,
} from "../encode/cluster-load-assignment.ts";
import { byText } from "./message.ts";
import { appClusterName, passthroughClusterName } from "./names.ts";

/** Envoy sums weights per priority in 32 bits. */
const WEIGHT_MAX = 100_000;

/** envoy.config.core.v3.HealthStatus. */
const HEALTH: Record<ViewEndpoint["health"], Health> = { healthy: 1, unhealthy: 2, draining: 3 };
const UNHEALTHY: Health = 2;

interface Group {
  /** "" for a gateway's own endpoints, which need no transport match. */
  readonly cluster: string;
  readonly region: string;
  readonly zone: string;
  readonly priority: number;
  readonly endpoints: readonly ViewEndpoint[];
}

const isDialable = (endpoint: ViewEndpoint): boolean =>
  /^[0-9a-fA-F.:]{2,45}$/.test(endpoint.address) && endpoint.port > 0 && endpoint.port <= 65_535;

type Match = Pick<AssignmentEndpoint, "transportMatch">;

const assignmentEndpoint = (endpoint: ViewEndpoint, match: Match): AssignmentEndpoint => ({
  address: endpoint.address,
  port: endpoint.port,
  health: endpoint.placeholder ? UNHEALTHY : HEALTH[endpoint.health],
  weight: Math.min(WEIGHT_MAX, Math.max(1, Math.round(endpoint.weight))),
  ...match,
});

const inOrder = (a: Group, b: Group): number =>
  a.priority - b.priority ||
  byText(a.cluster, b.cluster) ||
  byText(a.region, b.region) ||
  byText(a.zone, b.zone);

/** Envoy keeps only the first of equal addresses in a message: so do we, before it does, by priority. */
function localitiesOf(groups: readonly Group[]): AssignmentLocality[] {
  const seen = new Set<string>();
  const isNew = (endpoint: ViewEndpoint): boolean => {
    const key = `${endpoint.address}:${endpoint.port}`;
    return isDialable(endpoint) && !seen.has(key) && seen.add(key).size > 0;
  };
  return [...groups].sort(inOrder).flatMap((group) => {
    const endpoints = [...group.endpoints]
      .sort((a, b) => byText(a.address, b.address) || a.port - b.port || byText(a.id, b.id))
      .filter(isNew);
    if (endpoints.length === 0) return [];
    const match = group.cluster === "" ? {} : { transportMatch: { cluster: group.cluster } };
    return [
      {
        region: group.region,
        zone: group.zone,
        subZone: group.cluster,
        priority: group.priority,
        endpoints: endpoints.map((endpoint) => assignmentEndpoint(endpoint, match)),
      },
    ];
  });
}

/** Localities of clusters that are not among the view's exporters are left out: they match no trust domain. */
export function loadAssignmentFor(view: ServicePortView, name: string = view.sni): Uint8Array {
  const exporters = new Set<string>(view.exporters.map((exporter) => exporter.cluster));
  return encodeClusterLoadAssignment({
    clusterName: name,
    localities: localitiesOf(view.localities.filter((locality) => exporters.has(locality.cluster))),
    overprovisioningFactor: view.overprovisioning,
    weightedPriorityHealth: true,
  });
}

/** Pods behind a gateway that ends mTLS for them. */
export const plainAssignmentFor = (serving: ServingPort): Uint8Array =>
  localAssignment(appClusterName(serving.sni), serving.plain ?? []);

/** A gateway's passthrough: local endpoints only, one priority, no trust of its own. */
export const passthroughAssignmentFor = (serving: ServingPort): Uint8Array =>
  localAssignment(passthroughClusterName(serving.sni), serving.endpoints);

const localAssignment = (clusterName: string, listed: readonly ViewEndpoint[]): Uint8Array =>
  encodeClusterLoadAssignment({
    clusterName,
    localities: localitiesOf([
      {
        cluster: "",
        region: "",
        zone: "",
        priority: 0,
        endpoints: listed.filter((endpoint) => !endpoint.placeholder),
      },
    ]),
  });

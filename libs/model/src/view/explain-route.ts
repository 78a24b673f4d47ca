/**
 * Why would a call go where it goes? The view in words: localities in order with weights, health, the share that
 * Envoy's own arithmetic predicts, and the registers with their positions that made each so.
 */
import type { ClusterName } from "@hansa/core";
import type { LinkState, Position, ServicePort } from "@hansa/events";
import type { ViewInput } from "./input.ts";
import type { FederationReader } from "./reader.ts";
import { type PortRoute, serviceRoutes } from "./service-port-view.ts";
import { predictShares } from "./share.ts";
import type { Conflict, ServicePortView, Vantage, ViewEndpoint } from "./types.ts";

/** A register that had a part in it. */
export interface Cause {
  /** `<cluster>/<lane>/<key>`. */
  readonly register: string;
  readonly position: Position;
  /** The source's clock, ms. */
  readonly at: number;
}

export interface ExplainedLocality {
  readonly priority: number;
  readonly cluster: ClusterName;
  readonly region: string;
  readonly zone: string;
  readonly via: "local" | "gateway" | "flat";
  readonly healthy: number;
  readonly total: number;
  readonly link: LinkState | "self";
  readonly draining: boolean;
  /** Percent of the calls, one decimal. */
  readonly sharePercent: number;
  readonly endpoints: readonly ViewEndpoint[];
  readonly reason: string;
  readonly because: readonly Cause[];
}

export interface ExplainedPort {
  readonly port: ServicePort;
  readonly sni: string;
  readonly localities: readonly ExplainedLocality[];
  /** Exporters that get nothing, and why. */
  readonly excluded: readonly {
    readonly cluster: ClusterName;
    readonly reason: string;
    readonly because: readonly Cause[];
  }[];
  readonly conflicts: readonly Conflict[];
  readonly overprovisioning: number;
  /** Nothing healthy anywhere: callers get 503 at once. */
  readonly failsFast: boolean;
  /** One sentence. */
  readonly summary: string;
}

export interface RouteExplanation {
  readonly from: Vantage;
  readonly namespace: string;
  readonly service: string;
  /** Empty where nobody offers the service to this importer. */
  readonly ports: readonly ExplainedPort[];
  readonly policy: { readonly threshold: number; readonly because: readonly Cause[] };
  readonly summary: string;
}

export function explainRoute(input: ViewInput, namespace: string, name: string): RouteExplanation {
  // The memory is brought forward on a copy: asking changes nothing.
  const routes = serviceRoutes({ ...input, memory: input.memory.copy() }, namespace, name);
  const ports = routes.ports.map((route) => explainPort(input, route));
  const nobody = `HSA4006: no cluster offers ${name}.${namespace} to ${input.self.cluster}`;
  return {
    from: input.self,
    namespace,
    service: name,
    ports,
    policy: { threshold: routes.policy.policy.threshold, because: causesOf(input, routes.policy.because) },
    summary: ports.map((port) => port.summary).join(" ") || nobody,
  };
}

function explainPort(input: ViewInput, { view, excluded }: PortRoute): ExplainedPort {
  const shares = predictShares(view.localities, view.overprovisioning).map(
    (share) => Math.round(share * 10) / 10,
  );
  return {
    port: view.port,
    sni: view.sni,
    localities: view.localities.map((locality, index) => ({
      priority: locality.priority,
      cluster: locality.cluster,
      region: locality.region,
      zone: locality.zone,
      via: locality.via,
      healthy: locality.healthy,
      total: locality.total,
      link: locality.link,
      draining: locality.draining,
      sharePercent: shares[index]!,
      endpoints: locality.endpoints,
      reason: locality.reason,
      because: causesOf(input, locality.because),
    })),
    excluded: excluded.map((entry) => ({ ...entry, because: causesOf(input, entry.because) })),
    conflicts: view.conflicts,
    overprovisioning: view.overprovisioning,
    failsFast: shares.every((share) => share === 0),
    summary: summaryOf(view, shares),
  };
}

function summaryOf({ portKey, localities }: ServicePortView, shares: readonly number[]): string {
  const taking = localities.flatMap(({ cluster, zone }, index) =>
    shares[index]! > 0 ? [`${shares[index]} % to ${cluster}${zone === "" ? "" : `/${zone}`}`] : [],
  );
  return taking.length === 0
    ? `${portKey}: nothing is healthy, calls fail at once with 503.`
    : `${portKey}: ${taking.join(", ")}.`;
}

const causesOf = ({ fed, self }: ViewInput, names: readonly string[]): Cause[] =>
  causes(fed, self.cluster, names);

/** Positions of the named registers. A register that went away meanwhile is left out. */
export function causes(fed: FederationReader, observer: string, names: readonly string[]): Cause[] {
  return [...new Set(names)].flatMap((name) => {
    const [cluster = "", , ...key] = name.split("/");
    const register = fed.effective(cluster, key.join("/"), observer);
    return register === undefined ? [] : [{ register: name, position: register.position, at: register.at }];
  });
}

/**
 * All resources of one sidecar: what it has for itself, and what all callers of its zone share. Composes; every decision
 * is in the builder of its kind.
 */
import { assert } from "@hansa/core";
import type { ServingPort } from "@hansa/model";
import { servingPolicyFor } from "./access-policy.ts";
import { clusterFor } from "./client-cluster.ts";
import { isHttp } from "./http-protocol.ts";
import { inboundListenerFor } from "./inbound-listener.ts";
import { inspectCluster, inspectPolicy } from "./inspect.ts";
import { loadAssignmentFor } from "./load-assignment.ts";
import { byText, sortedMap } from "./message.ts";
import {
  accessPolicyName,
  appClusterName,
  BLACK_HOLE,
  bundleSecretName,
  CALLERS_SECRET,
  INBOUND_LISTENER,
  INSPECT,
  ORIGINAL_DESTINATION,
  OUTBOUND_LISTENER,
  OUTBOUND_ROUTES,
  SVID_SECRET,
  tcpCallersSecretName,
  tcpListenerName,
} from "./names.ts";
import { outboundListenerFor, takingListenerFor, tcpListenerFor } from "./outbound-listener.ts";
import { routesFor } from "./outbound-routes.ts";
import { appClusterFor, blackHoleCluster, originalDestinationCluster } from "./plain-cluster.ts";
import { bundleSecretFor, bundlesSecretFor, callerDomains, pickBundles, svidSecretFor } from "./secrets.ts";
import type { OwnInput, Resources, SidecarInput } from "./types.ts";
import { usableView } from "./usable-view.ts";

type Entry = readonly [string, Uint8Array];

/** Served ports that have an application; one per SNI. */
function servedBy(input: OwnInput): readonly ServingPort[] {
  const bySni = new Map(input.serving.map((port) => [port.sni, port]));
  return [...bySni.values()].filter((port) => input.proxy.apps.has(port.sni));
}

function appClusters(input: OwnInput, served: readonly ServingPort[]): Entry[] {
  return served.map((port) => {
    const app = input.proxy.apps.get(port.sni);
    assert(app !== undefined, `${port.sni}: no application`);
    return [appClusterName(port.sni), appClusterFor(port.sni, app)];
  });
}

/** A port that is HTTP by one name and TCP by another is HTTP: whom headers name is the mesh's to say. */
function plainApps(input: OwnInput, served: readonly ServingPort[]): ReadonlyMap<number, ServingPort> {
  const ordered = [...served].sort(
    (a, b) => Number(isHttp(a.port.protocol)) - Number(isHttp(b.port.protocol)) || byText(b.sni, a.sni),
  );
  return new Map(
    ordered.flatMap((port) => {
      const app = input.proxy.apps.get(port.sni);
      return app === undefined ? [] : [[app.port, port] as const];
    }),
  );
}

function listeners(input: OwnInput, served: readonly ServingPort[]): Entry[] {
  const { listen, trustDomain } = input.proxy;
  const { address, inboundPort, outboundPort, taken } = listen;
  const inbound = { address, port: inboundPort, trustDomain, serving: served };
  if (taken !== undefined) {
    // Not around the own listener either: that would be a loop.
    const guardedPorts = [...[...input.proxy.apps.values()].map(({ port }) => port), outboundPort];
    const apps = plainApps(input, served);
    const { vipRanges, neighbours } = taken;
    return [
      [OUTBOUND_LISTENER, takingListenerFor(address, outboundPort, vipRanges)],
      [INBOUND_LISTENER, inboundListenerFor({ ...inbound, taken: { apps, guardedPorts, neighbours } })],
    ];
  }
  const tcp = input.views.flatMap((view): Entry[] => {
    const port = isHttp(view.port.protocol) ? undefined : input.tcpPorts.get(view.sni);
    if (port === undefined || usableView(view, input.bundles) === undefined) return [];
    return [[tcpListenerName(view.sni), tcpListenerFor(view.sni, address, port)]];
  });
  return [
    [OUTBOUND_LISTENER, outboundListenerFor(address, outboundPort)],
    [INBOUND_LISTENER, inboundListenerFor(inbound)],
    ...tcp,
  ];
}

function ownSecrets(input: OwnInput, served: readonly ServingPort[]): Entry[] {
  const callers = (name: string, ports: readonly ServingPort[]): Entry => {
    const domains = callerDomains(input.proxy.trustDomain, ports);
    return [name, bundlesSecretFor(name, pickBundles(input.bundles, domains))];
  };
  return [
    [SVID_SECRET, svidSecretFor(input.svid)],
    callers(CALLERS_SECRET, served),
    ...served
      .filter((port) => !isHttp(port.port.protocol))
      .map((port) => callers(tcpCallersSecretName(port.sni), [port])),
  ];
}

/**
 * Listeners, applications, certificate and the policies that it enforces. Throws a broken invariant where the own trust
 * domain has no roots: such a proxy must not be served at all.
 */
export function ownSidecarResources(input: OwnInput): Resources {
  const served = servedBy(input);
  const policed = served.filter((port) => isHttp(port.port.protocol));
  return {
    clusters: sortedMap([
      ...appClusters(input, served),
      ...(input.proxy.listen.taken === undefined
        ? []
        : [
            [ORIGINAL_DESTINATION, originalDestinationCluster()] as const,
            [INSPECT, inspectCluster(input.proxy.listen.taken.adminPort)] as const,
          ]),
    ]),
    endpoints: new Map(),
    listeners: sortedMap(listeners(input, served)),
    routes: new Map(),
    secrets: sortedMap(ownSecrets(input, served)),
    extensionConfigs: sortedMap([
      ...policed.map(
        (port): Entry => [accessPolicyName(port.sni), servingPolicyFor(port, input.proxy.trustDomain)],
      ),
      ...(input.proxy.listen.taken === undefined ? [] : [inspectPolicy(input.proxy.trustDomain)]),
    ]),
  };
}

/** Both parts in one: for a proxy that shares with nobody. */
export function sidecarResources(input: SidecarInput): Resources {
  const own = ownSidecarResources(input);
  const usable = input.views.flatMap((view) => usableView(view, input.bundles) ?? []);
  const routed = input.views.map((view) => usableView(view, input.bundles) ?? { ...view, exporters: [] });
  const exporters = new Set(usable.flatMap((view) => view.exporters.map((exporter) => exporter.trustDomain)));
  return {
    ...own,
    clusters: sortedMap<Uint8Array>([
      [BLACK_HOLE, blackHoleCluster()],
      ...usable.map((view): Entry => [view.sni, clusterFor(view)]),
      ...own.clusters,
    ]),
    endpoints: sortedMap(usable.map((view): Entry => [view.sni, loadAssignmentFor(view)])),
    routes: new Map([[OUTBOUND_ROUTES, routesFor(routed)]]),
    secrets: sortedMap([
      ...own.secrets,
      ...[...pickBundles(input.bundles, exporters)].map(
        ([domain, roots]): Entry => [bundleSecretName(domain), bundleSecretFor(domain, roots)],
      ),
    ]),
  };
}

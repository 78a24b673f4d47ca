/** All resources of one sidecar. Composes; every decision is in the builder of its kind. */
import { assert } from "@hansa/core";
import type { ServicePortView, ServingPort } from "@hansa/model";
import { servingPolicyFor } from "./access-policy.ts";
import { clusterFor } from "./client-cluster.ts";
import { isHttp } from "./http-protocol.ts";
import { inboundListenerFor } from "./inbound-listener.ts";
import { loadAssignmentFor } from "./load-assignment.ts";
import { sortedMap } from "./message.ts";
import {
  accessPolicyName,
  appClusterName,
  BLACK_HOLE,
  bundleSecretName,
  CALLERS_SECRET,
  INBOUND_LISTENER,
  OUTBOUND_LISTENER,
  OUTBOUND_ROUTES,
  SVID_SECRET,
  tcpCallersSecretName,
  tcpListenerName,
} from "./names.ts";
import { outboundListenerFor, tcpListenerFor } from "./outbound-listener.ts";
import { routesFor } from "./outbound-routes.ts";
import { appClusterFor, blackHoleCluster } from "./plain-cluster.ts";
import { bundleSecretFor, bundlesSecretFor, callerDomains, pickBundles, svidSecretFor } from "./secrets.ts";
import type { Resources, SidecarInput, TrustBundles } from "./types.ts";
import { usableView } from "./usable-view.ts";

type Entry = readonly [string, Uint8Array];

/** Served ports that have an application; one per SNI. */
export function servedBy(input: SidecarInput): readonly ServingPort[] {
  const bySni = new Map(input.serving.map((port) => [port.sni, port]));
  return [...bySni.values()].filter((port) => input.proxy.apps.has(port.sni));
}

function appClusters(input: SidecarInput, served: readonly ServingPort[]): Entry[] {
  return served.map((port) => {
    const app = input.proxy.apps.get(port.sni);
    assert(app !== undefined, `${port.sni}: no application`);
    return [appClusterName(port.sni), appClusterFor(port.sni, app)];
  });
}

function tcpListeners(input: SidecarInput, usable: readonly ServicePortView[]): Entry[] {
  return usable.flatMap((view): Entry[] => {
    const port = isHttp(view.port.protocol) ? undefined : input.tcpPorts.get(view.sni);
    if (port === undefined) return [];
    return [[tcpListenerName(view.sni), tcpListenerFor(view.sni, input.proxy.listen.address, port)]];
  });
}

function secrets(
  input: SidecarInput,
  usable: readonly ServicePortView[],
  served: readonly ServingPort[],
): Entry[] {
  const { trustDomain } = input.proxy;
  const exporters = new Set(usable.flatMap((view) => view.exporters.map((exporter) => exporter.trustDomain)));
  const rootsFor = (ports: readonly ServingPort[]): TrustBundles =>
    pickBundles(input.bundles, callerDomains(trustDomain, ports));
  return [
    [SVID_SECRET, svidSecretFor(input.svid)],
    [CALLERS_SECRET, bundlesSecretFor(CALLERS_SECRET, rootsFor(served))],
    ...served
      .filter((port) => !isHttp(port.port.protocol))
      .map((port): Entry => {
        const name = tcpCallersSecretName(port.sni);
        return [name, bundlesSecretFor(name, rootsFor([port]))];
      }),
    ...[...pickBundles(input.bundles, exporters)].map(
      ([domain, roots]): Entry => [bundleSecretName(domain), bundleSecretFor(domain, roots)],
    ),
  ];
}

/** Throws a broken invariant where the own trust domain has no roots: such a proxy must not be served at all. */
export function sidecarResources(input: SidecarInput): Resources {
  const usable = input.views.flatMap((view) => usableView(view, input.bundles) ?? []);
  const served = servedBy(input);
  const { listen, trustDomain } = input.proxy;
  const routed = input.views.map((view) => usableView(view, input.bundles) ?? { ...view, exporters: [] });
  return {
    clusters: sortedMap<Uint8Array>([
      [BLACK_HOLE, blackHoleCluster()],
      ...usable.map((view): Entry => [view.sni, clusterFor(view)]),
      ...appClusters(input, served),
    ]),
    endpoints: sortedMap(usable.map((view): Entry => [view.sni, loadAssignmentFor(view)])),
    listeners: sortedMap<Uint8Array>([
      [OUTBOUND_LISTENER, outboundListenerFor(listen.address, listen.outboundPort)],
      [
        INBOUND_LISTENER,
        inboundListenerFor({
          address: listen.address,
          port: listen.inboundPort,
          trustDomain,
          serving: served,
        }),
      ],
      ...tcpListeners(input, usable),
    ]),
    routes: new Map([[OUTBOUND_ROUTES, routesFor(routed)]]),
    secrets: sortedMap(secrets(input, usable, served)),
    extensionConfigs: sortedMap(
      served
        .filter((port) => isHttp(port.port.protocol))
        .map((port): Entry => [accessPolicyName(port.sni), servingPolicyFor(port, trustDomain)]),
    ),
  };
}

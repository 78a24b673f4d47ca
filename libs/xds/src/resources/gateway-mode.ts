/**
 * Gateway mode: what a gateway has for pods without a proxy. It ends mTLS for those behind an exported port, under an
 * identity of their service, and takes in those that call an import, under its own (design §5).
 */
import type { ServingPort } from "@hansa/model";
import { servingPolicyFor } from "./access-policy.ts";
import { isHttp } from "./http-protocol.ts";
import { plainAssignmentFor } from "./load-assignment.ts";
import {
  accessPolicyName,
  appClusterName,
  CALLERS_SECRET,
  entryListenerName,
  frontedSvidName,
  tcpCallersSecretName,
} from "./names.ts";
import { entryListenerFor } from "./outbound-listener.ts";
import { plainClusterFor } from "./plain-cluster.ts";
import { bundlesSecretFor, callerDomains, pickBundles, svidSecretFor } from "./secrets.ts";
import type { GatewayInput, GatewayMode } from "./types.ts";

type Entry = readonly [string, Uint8Array];

export interface GatewayModeResources {
  readonly clusters: readonly Entry[];
  readonly endpoints: readonly Entry[];
  readonly listeners: readonly Entry[];
  readonly secrets: readonly Entry[];
  readonly extensionConfigs: readonly Entry[];
}

export const frontedOnly = (
  serving: readonly ServingPort[],
  mode: GatewayMode | undefined,
): readonly ServingPort[] => serving.filter(({ sni }) => mode?.fronts.has(sni) === true);

/** `fronted`: exported ports that it ends mTLS for. */
export function gatewayModeResources(
  { listen, bundles }: Pick<GatewayInput, "listen" | "bundles">,
  { trustDomain, fronts, entries }: GatewayMode,
  fronted: readonly ServingPort[],
): GatewayModeResources {
  const http = fronted.filter(({ port }) => isHttp(port.protocol));
  const tcp = fronted.filter(({ port }) => !isHttp(port.protocol));
  const callers = (name: string, ports: readonly ServingPort[]): Entry => [
    name,
    bundlesSecretFor(name, pickBundles(bundles, callerDomains(trustDomain, ports))),
  ];
  return {
    clusters: fronted.map((port) => [appClusterName(port.sni), plainClusterFor(port)]),
    endpoints: fronted.map((port) => [appClusterName(port.sni), plainAssignmentFor(port)]),
    listeners: entries.map(({ view, port }) => [
      entryListenerName(view.sni),
      entryListenerFor(view, listen.address, port),
    ]),
    secrets: [
      ...fronted.map(({ sni }): Entry => {
        const name = frontedSvidName(sni);
        return [name, svidSecretFor(fronts.get(sni)!, name)];
      }),
      ...(http.length > 0 ? [callers(CALLERS_SECRET, http)] : []),
      ...tcp.map((port) => callers(tcpCallersSecretName(port.sni), [port])),
    ],
    extensionConfigs: http.map((port) => [accessPolicyName(port.sni), servingPolicyFor(port, trustDomain)]),
  };
}

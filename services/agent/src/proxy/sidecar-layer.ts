/** What one sidecar has for itself: its listeners, its applications, its certificate and the policies it enforces. */
import type { TrustDomain } from "@hansa/core";
import { ADMIN_PORT } from "@hansa/inject";
import type { ServicePortView, ServingPort } from "@hansa/model";
import { type AppTarget, ownSidecarResources, type TlsIdentity, type TrustBundles } from "@hansa/xds";
import type { Sidecar } from "./inventory.ts";
import { type ResourceSet, resourceSet } from "./resource-set.ts";

export interface SidecarLayerInput {
  readonly proxy: Sidecar;
  readonly trustDomain: TrustDomain;
  readonly outboundPort: number;
  /** Of the workload's services. */
  readonly serving: readonly ServingPort[];
  /** TCP services that may be called. */
  readonly tcpViews: readonly ServicePortView[];
  readonly tcpPorts: ReadonlyMap<string, number>;
  readonly svid: TlsIdentity;
  readonly bundles: TrustBundles;
  /** Where cluster-set addresses lie, for a proxy that takes its pod's connections. */
  readonly vipRanges: readonly string[];
  /** From where plain text is taken, where the sidecar takes any. */
  readonly neighbours: readonly string[];
}

/** Whatever is redirected comes to some address of the pod. */
const ANY_ADDRESS = "0.0.0.0";

/** Served SNI → application; the replica names its applications by service and port. */
function appsOf(proxy: Sidecar, serving: readonly ServingPort[]): Map<string, AppTarget> {
  const apps = new Map<string, AppTarget>();
  for (const { namespace, service, portKey, sni, port } of serving) {
    const app = proxy.apps.get(`${namespace}/${service}/${portKey}`);
    const isMine = namespace === proxy.namespace && proxy.services.includes(service);
    if (isMine && app !== undefined) apps.set(sni, { ...app, protocol: port.protocol });
  }
  return apps;
}

export function sidecarLayer(input: SidecarLayerInput): ResourceSet {
  const { proxy, trustDomain, outboundPort, serving, tcpViews, tcpPorts, svid, bundles } = input;
  const { address, inboundPort, pod, inbound } = proxy;
  const neighbours = inbound === "permissive" ? input.neighbours : [];
  const listen =
    pod === undefined
      ? { address, outboundPort, inboundPort }
      : {
          address: ANY_ADDRESS,
          outboundPort,
          inboundPort,
          taken: { vipRanges: input.vipRanges, neighbours, adminPort: ADMIN_PORT },
        };
  return resourceSet(
    ownSidecarResources({
      proxy: { trustDomain, listen, apps: appsOf(proxy, serving) },
      views: tcpViews,
      serving,
      tcpPorts,
      svid,
      bundles,
    }),
  );
}

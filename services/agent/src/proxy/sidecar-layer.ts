/** What one sidecar has for itself: its listeners, its applications, its certificate and the policies it enforces. */
import type { TrustDomain } from "@hansa/core";
import type { ServicePortView, ServingPort } from "@hansa/model";
import {
  accessPolicyName,
  appClusterFor,
  appClusterName,
  bundlesSecretFor,
  CALLERS_SECRET,
  callerDomains,
  INBOUND_LISTENER,
  inboundListenerFor,
  OUTBOUND_LISTENER,
  outboundListenerFor,
  pickBundles,
  SVID_SECRET,
  servingPolicyFor,
  svidSecretFor,
  type TlsIdentity,
  type TrustBundles,
  TYPE_URL,
  tcpCallersSecretName,
  tcpListenerFor,
  tcpListenerName,
  usableView,
} from "@hansa/xds";
import type { Sidecar } from "./inventory.ts";

export type ResourceSet = ReadonlyMap<string, ReadonlyMap<string, Uint8Array>>;

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
}

/** Served ports that have an application; a port without one gets no chain. */
export function servedBy(proxy: Sidecar, serving: readonly ServingPort[]): ServingPort[] {
  const mine = (port: ServingPort): boolean =>
    port.namespace === proxy.namespace &&
    proxy.services.includes(port.service) &&
    proxy.apps.has(`${port.namespace}/${port.service}/${port.portKey}`);
  return serving.filter(mine);
}

export function sidecarLayer(input: SidecarLayerInput): ResourceSet {
  const { proxy, trustDomain, bundles } = input;
  const served = servedBy(proxy, input.serving);
  const apps = new Map<string, Uint8Array>();
  const policies = new Map<string, Uint8Array>();
  for (const port of served) {
    const app = proxy.apps.get(`${port.namespace}/${port.service}/${port.portKey}`);
    if (app === undefined) continue;
    apps.set(appClusterName(port.sni), appClusterFor(port.sni, { ...app, protocol: port.port.protocol }));
    if (port.port.protocol !== "tcp")
      policies.set(accessPolicyName(port.sni), servingPolicyFor(port, trustDomain));
  }
  const { address } = proxy;
  const listeners = new Map<string, Uint8Array>([
    [OUTBOUND_LISTENER, outboundListenerFor(address, input.outboundPort)],
    [
      INBOUND_LISTENER,
      inboundListenerFor({ address, port: proxy.inboundPort, trustDomain, serving: served }),
    ],
  ]);
  for (const view of input.tcpViews) {
    const port = input.tcpPorts.get(view.sni);
    if (port !== undefined && usableView(view, bundles) !== undefined)
      listeners.set(tcpListenerName(view.sni), tcpListenerFor(view.sni, address, port));
  }
  const secrets = new Map([[SVID_SECRET, svidSecretFor(input.svid)]]);
  const admit = (name: string, ports: readonly ServingPort[]): void => {
    secrets.set(name, bundlesSecretFor(name, pickBundles(bundles, callerDomains(trustDomain, ports))));
  };
  admit(CALLERS_SECRET, served);
  for (const port of served) if (port.port.protocol === "tcp") admit(tcpCallersSecretName(port.sni), [port]);
  return new Map<string, ReadonlyMap<string, Uint8Array>>([
    [TYPE_URL.cluster, apps],
    [TYPE_URL.listener, listeners],
    [TYPE_URL.secret, secrets],
    [TYPE_URL.extensionConfig, policies],
  ]);
}

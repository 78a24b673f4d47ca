/** For specs only: a small league of clusters to generate from. Not exported by the package. */
import {
  type ClusterName,
  type FederationName,
  type TrustDomain,
  trustDomainOf,
  workloadId,
} from "@hansa/core";
import type { Protocol, ServicePort } from "@hansa/events";
import type { ServicePortView, ServingPort, ViewEndpoint, ViewLocality } from "@hansa/model";
import type { GatewayInput, SidecarInput } from "./types.ts";

export const FEDERATION = "lab.hansa" as FederationName;
export const domain = (name: string): TrustDomain => trustDomainOf(name, FEDERATION);
export const clusterName = (name: string): ClusterName => name as ClusterName;
export const sni = (service: string, port: string): string => `${port}.${service}.shop.svc.${FEDERATION}`;

const PORTS: Record<string, number> = { http: 80, http2: 81, grpc: 9090, tcp: 5432 };
export const portOf = (protocol: Protocol): ServicePort => ({
  name: protocol,
  port: PORTS[protocol] as number,
  protocol,
});

export const endpoint = (address: string, more: Partial<ViewEndpoint> = {}): ViewEndpoint => ({
  address,
  port: 15_006,
  weight: 1,
  health: "healthy",
  placeholder: false,
  id: address,
  ...more,
});

export const locality = (name: string, priority: number, more: Partial<ViewLocality> = {}): ViewLocality => ({
  cluster: clusterName(name),
  region: `${name}-1`,
  zone: "",
  priority,
  via: priority === 0 ? "local" : "gateway",
  endpoints: [endpoint(`10.${priority}.0.1`)],
  healthy: 1,
  total: 1,
  link: "normal",
  draining: false,
  reason: "",
  because: [],
  ...more,
});

export const view = (
  service: string,
  protocol: Protocol,
  more: Partial<ServicePortView> = {},
): ServicePortView => ({
  namespace: "shop",
  service,
  port: portOf(protocol),
  portKey: protocol,
  sni: sni(service, protocol),
  host: `${service}.shop.svc.clusterset.local`,
  exporters: ["eu", "us"].map((name) => ({
    cluster: clusterName(name),
    trustDomain: domain(name),
    allowedIds: [workloadId(domain(name), "shop", service)],
  })),
  localities: [locality("eu", 0), locality("us", 1)],
  overprovisioning: 143,
  conflicts: [],
  ...more,
});

export const serving = (
  service: string,
  protocol: Protocol,
  more: Partial<ServingPort> = {},
): ServingPort => ({
  namespace: "shop",
  service,
  port: portOf(protocol),
  portKey: protocol,
  sni: sni(service, protocol),
  exported: true,
  endpoints: [endpoint("10.0.0.1"), endpoint("10.0.0.2")],
  callers: [{ kind: "exact", value: workloadId(domain("us"), "shop", "web") }],
  ...more,
});

const bundles = new Map(["eu", "us", "ap"].map((name) => [domain(name), [btoa(`root of ${name}`)]]));
const svid = { certPem: "CERT", keyPem: "KEY" };

export const sidecarInput = (more: Partial<SidecarInput> = {}): SidecarInput => ({
  federation: FEDERATION,
  self: { cluster: clusterName("eu"), region: "eu-1", zone: "a" },
  proxy: {
    id: "shop/pay/pay-1",
    trustDomain: domain("eu"),
    spiffeId: workloadId(domain("eu"), "shop", "pay"),
    listen: { address: "127.0.0.1", outboundPort: 15_001, inboundPort: 15_006 },
    apps: new Map([
      [sni("pay", "http"), { address: "127.0.0.1", port: 8080, protocol: "http" }],
      [sni("pay", "tcp"), { address: "127.0.0.1", port: 5432, protocol: "tcp" }],
    ]),
  },
  views: [view("pay", "http"), view("quote", "grpc"), view("ledger", "tcp")],
  serving: [serving("pay", "http"), serving("pay", "tcp")],
  tcpPorts: new Map([[sni("ledger", "tcp"), 16_000]]),
  svid,
  bundles,
  ...more,
});

export const gatewayInput = (more: Partial<GatewayInput> = {}): GatewayInput => ({
  federation: FEDERATION,
  cluster: clusterName("eu"),
  listen: { address: "127.0.0.1", port: 15_443 },
  serving: [serving("pay", "http"), serving("pay", "tcp"), serving("secret", "http", { exported: false })],
  members: [clusterName("us"), clusterName("ap")],
  svid,
  bundles,
  ...more,
});

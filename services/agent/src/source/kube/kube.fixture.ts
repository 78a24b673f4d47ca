/** Kubernetes objects for specs, as an API server answers them. */
import type { TrustDomain } from "@hansa/core";
import { projectExport, projectPod, projectService, projectSlice } from "./objects.ts";
import { type KubePlace, type ServiceFacts, serviceFacts } from "./service-facts.ts";

export const PLACE: KubePlace = {
  cluster: "eu",
  federation: "lab.hansa",
  region: "eu-west-1",
  zones: ["a", "b", "c"],
  exportTo: "all",
};
export const DOMAIN = "eu.lab.hansa" as TrustDomain;
export const CREATED = "2026-11-01T00:00:00Z";

interface Named {
  readonly namespace?: string;
  readonly name?: string;
  readonly metadata?: object;
}

const metadata = ({ namespace = "shop", name = "pay", metadata: more = {} }: Named) => ({
  namespace,
  name,
  creationTimestamp: CREATED,
  generation: 1,
  ...more,
});

export const serviceJson = (options: Named & { readonly spec?: object } = {}) => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: metadata(options),
  spec: {
    type: "ClusterIP",
    clusterIP: "10.96.0.10",
    clusterIPs: ["10.96.0.10"],
    ipFamilies: ["IPv4"],
    internalTrafficPolicy: "Cluster",
    sessionAffinity: "None",
    ports: [{ name: "http", port: 80, protocol: "TCP", targetPort: 8080 }],
    ...options.spec,
  },
});

export const exportJson = (options: Named & { readonly spec?: object } = {}) => ({
  apiVersion: "multicluster.x-k8s.io/v1beta1",
  kind: "ServiceExport",
  metadata: metadata(options),
  spec: options.spec ?? {},
});

export const endpointJson = (pod: string, address: string, more: object = {}) => ({
  addresses: [address],
  conditions: { ready: true, serving: true, terminating: false },
  targetRef: { kind: "Pod", name: pod, namespace: "shop" },
  zone: "b",
  ...more,
});

export const sliceJson = (
  endpoints: readonly object[],
  options: Named & { readonly service?: string; readonly body?: object } = {},
) => ({
  metadata: {
    ...metadata({ name: "pay-x1", ...options }),
    labels: { "kubernetes.io/service-name": options.service ?? "pay" },
  },
  addressType: "IPv4",
  ports: [{ name: "http", port: 8080, protocol: "TCP" }],
  endpoints,
  ...options.body,
});

export const podJson = (
  name: string,
  options: { readonly account?: string; readonly meshed?: boolean } = {},
) => ({
  metadata: {
    namespace: "shop",
    name,
    labels: options.meshed === false ? {} : { "hansa.dev/proxy": "sidecar" },
  },
  spec: { serviceAccountName: options.account ?? "pay" },
});

/** What is in a cluster beside the Service `pay` and its export. */
export interface Cluster {
  readonly service?: object | null;
  readonly exported?: object;
  readonly slices?: readonly object[];
  readonly pods?: readonly object[];
  readonly place?: object;
}

export function factsOf({
  service = serviceJson(),
  exported = exportJson(),
  slices = [],
  pods = [],
  place,
}: Cluster) {
  const known = new Map(pods.map((pod) => [projectPod(pod as never).name, projectPod(pod as never)]));
  return serviceFacts(
    {
      object: projectExport(exported as never)!,
      service: service === null ? undefined : projectService(service as never),
      slices: slices.flatMap((slice) => projectSlice(slice as never) ?? []),
      podOf: (_namespace, name) => known.get(name),
    },
    { ...PLACE, ...place },
  );
}

/** Value of the fact of this key. */
export const value = (facts: ServiceFacts, key: string) =>
  facts.facts.find((fact) => fact.key === key)?.value;
export const serviceIn = (facts: ServiceFacts) => value(facts, "service/shop/pay");

export const port = (name: string, number: number, more: object = {}) => ({
  name,
  port: number,
  protocol: "TCP",
  ...more,
});

/** The objects that specs create, as the official suite has them: images, ports and names. Pure. */
export type Json = Readonly<Record<string, unknown>>;

export const HELLO = "hello";
export const REQUEST = "request";

export interface PortJson {
  readonly name: string;
  readonly port: number;
  readonly protocol: string;
  readonly targetPort?: number;
}

export const PORTS: readonly PortJson[] = [
  { name: "tcp", port: 42, protocol: "TCP" },
  { name: "udp", port: 42, protocol: "UDP" },
];

const PAUSE = "while :; do echo '.'; sleep 5 ; done";

export const requestPod: Json = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: REQUEST, labels: { app: REQUEST } },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [{ name: REQUEST, image: "nicolaka/netshoot:v0.15", command: ["sh", "-ec", PAUSE] }],
  },
};

export const helloService = (spec: Json = {}, metadata: Json = {}): Json => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: HELLO, ...metadata },
  spec: {
    selector: { app: HELLO },
    ports: PORTS,
    ipFamilyPolicy: "PreferDualStack",
    sessionAffinity: "ClientIP",
    sessionAffinityConfig: { clientIP: { timeoutSeconds: 10 } },
    ...spec,
  },
});

const listener = (protocol: "TCP" | "UDP"): Json => ({
  name: `hello-${protocol.toLowerCase()}`,
  image: "alpine/socat:1.7.4.4",
  args: ["-v", "-v", `${protocol}-LISTEN:42,crlf,reuseaddr,fork`, "SYSTEM:echo pod ip $(MY_POD_IP)"],
  env: [{ name: "MY_POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } }],
});

const pods = {
  selector: { matchLabels: { app: HELLO } },
  template: {
    metadata: { labels: { app: HELLO } },
    spec: { terminationGracePeriodSeconds: 0, containers: [listener("TCP"), listener("UDP")] },
  },
};

export const helloDeployment = (replicas = 1): Json => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: HELLO },
  spec: { replicas, ...pods },
});

export const helloStatefulSet = (replicas: number): Json => ({
  apiVersion: "apps/v1",
  kind: "StatefulSet",
  metadata: { name: HELLO },
  spec: { replicas, serviceName: HELLO, podManagementPolicy: "Parallel", ...pods },
});

export const helloExport = (spec: Json = {}): Json => ({
  apiVersion: "multicluster.x-k8s.io/v1beta1",
  kind: "ServiceExport",
  metadata: { name: HELLO },
  spec,
});

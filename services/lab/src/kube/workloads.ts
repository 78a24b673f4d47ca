/** A topology's namespaces, workloads, services and exports as Kubernetes objects, by cluster. Pure. */
import { SYSTEM_NAMESPACE } from "@hansa/core";
import type {
  Topology,
  TopologyAllow,
  TopologyFailover,
  TopologyService,
  TopologyWorkload,
} from "../topology/types.ts";

type Manifest = Readonly<Record<string, unknown>>;

const APP_PORT = 8080;

/** What a user would apply with `--context CLUSTER`. */
export function topologyManifests(topology: Topology, cluster: string): Manifest[] {
  const runs = topology.workloads.filter(({ replicas }) => (replicas[cluster] ?? 0) > 0);
  const served = topology.services.filter(({ namespace, name }) =>
    runs.some((workload) => workload.namespace === namespace && workload.services.includes(name)),
  );
  const serves = new Set(served.map(({ namespace, name }) => `${namespace}/${name}`));
  // Namespaces are the same everywhere (KEP-1645, "namespace sameness"): who has one imports what is exported in it.
  const all = [...topology.workloads, ...topology.services];
  const namespaces = [...new Set(all.map(({ namespace }) => namespace))].sort();
  const accounts = new Map(
    runs.map(({ namespace, serviceAccount }) => [
      `${namespace}/${serviceAccount}`,
      { namespace, serviceAccount },
    ]),
  );
  return [
    ...namespaces.map((name) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } })),
    ...[...accounts.values()].map(({ namespace, serviceAccount: name }) => ({
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { name, namespace },
    })),
    ...runs.map((workload) => deployment(workload, cluster, topology)),
    ...served.map((service) => serviceOf(service, runs)),
    ...served.filter(({ exportedFrom }) => exportedFrom.includes(cluster)).map(exportOf),
    ...topology.allows.filter(({ namespace, service }) => serves.has(`${namespace}/${service}`)).map(allowOf),
    ...topology.failover.map(failoverOf),
  ];
}

/** Pods are found by the services that they serve: more than one workload may serve one. */
const servesLabel = (name: string): string => `hansa.dev/serves-${name}`;

function deployment(workload: TopologyWorkload, cluster: string, topology: Topology): Manifest {
  const { namespace, name, services, serviceAccount } = workload;
  const labels = {
    app: name,
    ...Object.fromEntries(services.map((service) => [servesLabel(service), "true"])),
  };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace },
    spec: {
      replicas: workload.replicas[cluster] ?? 0,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels },
        spec: {
          serviceAccountName: serviceAccount,
          terminationGracePeriodSeconds: 5,
          containers: [services.length === 0 ? caller : server(workload, cluster, topology)],
        },
      },
    },
  };
}

const caller = { name: "shell", image: "nicolaka/netshoot:v0.15", command: ["sleep", "infinity"] };

function server(workload: TopologyWorkload, cluster: string, { services }: Topology): Manifest {
  const { namespace, name, version } = workload;
  const first = services.find(
    (service) => service.namespace === namespace && workload.services.includes(service.name),
  );
  const about = {
    address: "0.0.0.0",
    port: APP_PORT,
    protocol: first?.ports[0]?.protocol ?? "http",
    cluster,
    namespace,
    workload: name,
    replica: "$(POD_NAME)",
    version,
  };
  return {
    name: "app",
    image: "hansa/lab-workload",
    args: Object.entries(about).flatMap(([flag, value]) => [`--${flag}`, String(value)]),
    env: [{ name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
    readinessProbe: { tcpSocket: { port: APP_PORT }, periodSeconds: 1 },
  };
}

function serviceOf({ namespace, name, ports }: TopologyService, runs: readonly TopologyWorkload[]): Manifest {
  const only = runs.filter(
    (workload) => workload.namespace === namespace && workload.services.includes(name),
  );
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace },
    spec: {
      selector: only.length === 1 ? { app: only[0]!.name } : { [servesLabel(name)]: "true" },
      ports: ports.map(({ name: portName, port, protocol }) => ({
        name: portName,
        port,
        targetPort: APP_PORT,
        appProtocol: appProtocolOf(protocol),
      })),
    },
  };
}

/** KEP-3726 for HTTP/2 without TLS; else what IANA registers. */
const appProtocolOf = (protocol: string): string => (protocol === "http2" ? "kubernetes.io/h2c" : protocol);

const exportOf = ({ namespace, name }: TopologyService): Manifest => ({
  apiVersion: "multicluster.x-k8s.io/v1beta1",
  kind: "ServiceExport",
  metadata: { name, namespace },
});

/** Named by their place: who changes the list changes the objects. */
const allowOf = ({ namespace, service, from }: TopologyAllow, index: number): Manifest => ({
  apiVersion: "hansa.dev/v1alpha1",
  kind: "AllowPolicy",
  metadata: { name: `allow-${index + 1}`, namespace },
  spec: { service, from: [from] },
});

function failoverOf(policy: TopologyFailover): Manifest {
  const { namespace, service, hysteresisMs, ...spec } = policy;
  const isDefault = service === "-";
  return {
    apiVersion: "hansa.dev/v1alpha1",
    kind: "FailoverPolicy",
    metadata: {
      name: isDefault ? "default" : service,
      namespace: isDefault ? SYSTEM_NAMESPACE : namespace,
    },
    spec: { ...spec, hysteresisSeconds: Math.round(hysteresisMs / 1000) },
  };
}

/**
 * What a cluster of the lab gets so that it is a member: agent and gateway in one pod, their Services and their rights.
 * The objects that a user would apply by hand. Pure.
 */
import { createHash } from "node:crypto";
import { AGENT_RULES, type Rule } from "@hansa/kube";
import { envoyBootstrap } from "@hansa/xds";
import { stringify } from "yaml";

export const SYSTEM = "hansa-system";
export const GATEWAY_PORT = 15_443;
export const ADMIN_PORT = 15_010;

export type Manifest = Readonly<Record<string, unknown>>;

const RBAC = "rbac.authorization.k8s.io";
const labels = { "app.kubernetes.io/name": "hansa-agent" };
const meta = (name: string) => ({ name, namespace: SYSTEM, labels });

const role = (kind: "Role" | "ClusterRole", rules: readonly Rule[]): Manifest => ({
  apiVersion: `${RBAC}/v1`,
  kind,
  metadata: meta("hansa-agent"),
  rules: rules.map(({ group, resource, verbs }) => ({ apiGroups: [group], resources: [resource], verbs })),
});

const binding = (kind: "Role" | "ClusterRole"): Manifest => ({
  apiVersion: `${RBAC}/v1`,
  kind: `${kind}Binding`,
  metadata: meta("hansa-agent"),
  roleRef: { apiGroup: RBAC, kind, name: "hansa-agent" },
  subjects: [{ kind: "ServiceAccount", name: "hansa-agent", namespace: SYSTEM }],
});

const service = (name: string, type: string, ports: readonly Manifest[]): Manifest => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: meta(name),
  spec: { type, selector: labels, ports },
});

/** Before the agent, because its configuration needs their addresses. */
export const systemManifests = (): Manifest[] => [
  { apiVersion: "v1", kind: "Namespace", metadata: { name: SYSTEM } },
  { apiVersion: "v1", kind: "ServiceAccount", metadata: meta("hansa-agent") },
  role(
    "ClusterRole",
    AGENT_RULES.filter(({ scope }) => scope === "cluster"),
  ),
  binding("ClusterRole"),
  role(
    "Role",
    AGENT_RULES.filter(({ scope }) => scope === "own"),
  ),
  binding("Role"),
  service("hansa-gateway", "LoadBalancer", [{ name: "mtls", port: GATEWAY_PORT }]),
  // Clients may ask before the agent is ready: it then says that it does not know yet, which they try again.
  service("hansa-dns", "ClusterIP", [
    { name: "dns", port: 53, protocol: "UDP" },
    { name: "dns-tcp", port: 53, protocol: "TCP" },
  ]),
];

/** The stanza of docs/dns.md, for the cluster's own Corefile. */
export const dnsStanza = (address: string): string =>
  `clusterset.local:53 {\n    errors\n    forward . ${address}\n}\n`;

export interface AgentManifestOptions {
  /** agent.yaml, without what belongs to the pod (folders, addresses of the pod). */
  readonly config: Manifest & {
    readonly cluster: string;
    readonly region: string;
    readonly zones: readonly string[];
    readonly gateway: { readonly name: string };
  };
  readonly joinToken: string;
}

const CONFIG = "/etc/hansa/agent.yaml";
const SOCKETS = "/run/hansa/s";
const BOOTSTRAP = "/etc/hansa/gateway.json";

/** The pod's own address comes into the configuration at its start: no object knows it before. */
const AGENT_START = `sed "s/POD_IP/$POD_IP/g" ${CONFIG} > /run/hansa/agent.yaml && exec hansa-agent --config /run/hansa/agent.yaml`;
const ENVOY_START = `mkdir -p -m 700 ${SOCKETS} && exec envoy -c ${BOOTSTRAP} --use-dynamic-base-id --concurrency 1 --drain-time-s 45 --log-level warning`;

/** As the agent names the sockets: services/agent/src/proxy/sockets.ts. */
function gatewayBootstrap({ cluster, region, zones, gateway }: AgentManifestOptions["config"]): string {
  const nodeId = `gateway/${gateway.name}`;
  const file = createHash("sha256").update(nodeId).digest("hex").slice(0, 16);
  const bootstrap = envoyBootstrap({
    nodeId,
    cluster,
    adsSocketPath: `${SOCKETS}/${file}.sock`,
    admin: { path: `${SOCKETS}/${file}.admin` },
    locality: { region, zone: zones[0] ?? "default" },
  });
  return JSON.stringify(bootstrap, null, 2);
}

export function agentManifests({ config, joinToken }: AgentManifestOptions): Manifest[] {
  const whole = {
    ...config,
    dataDir: "/var/lib/hansa/agent",
    socketDir: SOCKETS,
    joinTokenFile: "/etc/hansa-join/token",
    dns: { listen: [{ host: "0.0.0.0", port: 53 }] },
  };
  const run = { name: "run", mountPath: "/run/hansa" };
  return [
    { apiVersion: "v1", kind: "Secret", metadata: meta("hansa-join"), stringData: { token: joinToken } },
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: meta("hansa-agent"),
      data: { "agent.yaml": stringify(whole), "gateway.json": gatewayBootstrap(config) },
    },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: meta("hansa-agent"),
      spec: {
        replicas: 1,
        strategy: { type: "Recreate" },
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            serviceAccountName: "hansa-agent",
            terminationGracePeriodSeconds: 5,
            containers: [
              {
                name: "agent",
                image: "hansa/agent",
                command: ["sh", "-c", AGENT_START],
                env: [{ name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } }],
                readinessProbe: {
                  httpGet: { path: "/readyz", port: ADMIN_PORT, scheme: "HTTPS" },
                  periodSeconds: 1,
                },
                volumeMounts: [
                  run,
                  { name: "config", mountPath: "/etc/hansa" },
                  { name: "join", mountPath: "/etc/hansa-join" },
                  { name: "data", mountPath: "/var/lib/hansa" },
                ],
              },
              {
                name: "gateway",
                image: "envoyproxy/envoy",
                command: ["sh", "-c", ENVOY_START],
                readinessProbe: { tcpSocket: { port: GATEWAY_PORT }, periodSeconds: 1 },
                volumeMounts: [run, { name: "config", mountPath: "/etc/hansa" }],
              },
            ],
            volumes: [
              { name: "run", emptyDir: {} },
              { name: "data", emptyDir: {} },
              { name: "config", configMap: { name: "hansa-agent" } },
              { name: "join", secret: { secretName: "hansa-join" } },
            ],
          },
        },
      },
    },
  ];
}

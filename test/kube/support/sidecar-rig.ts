/** One cluster with a real agent that injects and configures sidecars, and pods to call from and to. */
import { vi } from "vitest";
import type { KubeCluster } from "../../../deploy/tools/kube/cluster.ts";
import type { LabImage } from "../../../deploy/tools/kube/images.ts";
import { kinds } from "../../../deploy/tools/kube/kinds.ts";
import { type Kube, startKube } from "../../../deploy/tools/kube/kube.ts";
import { AgentRig } from "../../contract/agent-rig.ts";

const POOL = "10.251.0.0/16";
const [ADS, HOOK] = [15_010, 15_017];
export const SHELL = { image: "busybox", command: ["sleep", "3600"] };

export interface Said {
  readonly code: number | null;
  readonly text: string;
}

/** Namespace, name, its one container, annotations. */
export type PodOf = readonly [string, string, object, Readonly<Record<string, string>>?];

export class SidecarRig {
  readonly agents: AgentRig;
  readonly kube: Kube;

  private constructor(agents: AgentRig, kube: Kube) {
    this.agents = agents;
    this.kube = kube;
  }

  /** `others`: clusters without an agent. */
  static async start(
    options: { readonly others?: readonly string[]; readonly images?: readonly LabImage[] } = {},
  ): Promise<SidecarRig> {
    const agents = await AgentRig.start();
    const host = `127.${agents.octet}.9.1`;
    const kube = await startKube({
      clusters: ["eu", ...(options.others ?? [])],
      nodes: { forwards: [{ port: ADS, to: `${host}:${ADS}` }], images: options.images ?? [] },
    });
    const eu = kube.cluster("eu");
    await eu.apply(kinds());
    const { nodeIp, podCidr } = eu.options.plan;
    const cidrs = [`127.${agents.octet}.1.0/24`, podCidr];
    const namespaces = ["shop", "vault"];
    const token = await agents.joinToken("eu", { cidrs, namespaces });
    const sidecars = {
      host: nodeIp,
      listen: { host, port: ADS },
      webhook: { host, port: HOOK, advertised: host },
      proxyImage: "envoyproxy/envoy:v1.40.0",
      rulesImage: "hansa:lab",
      neighbourCidrs: [podCidr],
    };
    const access = { kubeconfig: kube.kubeconfig, context: "eu", leaseNamespace: "default" };
    const kubernetes = { ...access, clusterSetIps: [POOL], sidecars };
    agents.configure("eu", token, { cidrs, namespaces, source: { kubernetes } });
    await agents.agent("eu");
    return new SidecarRig(agents, kube);
  }

  get eu(): KubeCluster {
    return this.kube.cluster("eu");
  }

  async stop(): Promise<void> {
    await this.kube.close();
    await this.agents.stop();
  }

  /** Waits until pods are injected. */
  async webhook(): Promise<void> {
    const hook = ["get", "mutatingwebhookconfiguration/hansa-sidecars"];
    await vi.waitUntil(async () => (await this.eu.kubectl.run(hook)).code === 0, { timeout: 20_000 });
  }

  apply(...objects: readonly object[]): Promise<void> {
    return this.eu.apply(objects.map((object) => JSON.stringify(object)).join("\n---\n"));
  }

  async namespace(name: string, labels: object): Promise<void> {
    await this.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });
  }

  async label(namespace: string, label: string): Promise<void> {
    await this.eu.kubectl.ok(["label", "--overwrite", "namespace", namespace, label]);
  }

  /** Makes them all, and waits until they are ready. */
  async pods(...pods: readonly PodOf[]): Promise<void> {
    await this.apply(...pods.map(podOf));
    for (const [namespace, name] of pods) await this.ready(namespace, name);
  }

  /** As `hansa inject` would write it: made elsewhere, with an image for the rules that is not the agent's. */
  async injectedWith(rulesImage: string, pod: PodOf): Promise<void> {
    const asked = ["create", "--dry-run=server", "-o", "json", "-f", "-"];
    const text = await this.eu.kubectl.ok(asked, { stdin: JSON.stringify(podOf(pod)) });
    const { apiVersion, kind, metadata, spec } = JSON.parse(text);
    const { name, namespace, labels, annotations } = metadata;
    spec.initContainers[0].image = rulesImage;
    await this.apply({ apiVersion, kind, metadata: { name, namespace, labels, annotations }, spec });
  }

  async ready(namespace: string, name: string): Promise<void> {
    const ready = ["wait", `pod/${name}`, "--for=condition=Ready", "--timeout=28s"];
    await this.eu.kubectl.ok(["-n", namespace, ...ready]);
  }

  async exported(namespace: string, name: string, ports: readonly object[]): Promise<void> {
    const metadata = { name, namespace };
    await this.apply(
      { apiVersion: "v1", kind: "Service", metadata, spec: { selector: { app: name }, ports } },
      { apiVersion: "multicluster.x-k8s.io/v1beta1", kind: "ServiceExport", metadata },
    );
  }

  /** Beside its Service, one of type LoadBalancer on port 80, under `NAME-lb`. */
  async exposed(namespace: string, name: string): Promise<void> {
    const spec = { type: "LoadBalancer", selector: { app: name }, ports: [{ port: 80, targetPort: 8080 }] };
    await this.apply({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: `${name}-lb`, namespace },
      spec,
    });
  }

  loadBalancer(namespace: string, name: string): Promise<string> {
    return this.#field(namespace, `service/${name}`, ".status.loadBalancer.ingress[0].ip");
  }

  clusterIp(namespace: string, name: string): Promise<string> {
    return this.#field(namespace, `service/${name}`, ".spec.clusterIP");
  }

  ip(namespace: string, name: string): Promise<string> {
    return this.#field(namespace, `pod/${name}`, ".status.podIP");
  }

  /** Where the lab reaches a pod by IPv6, which nobody is told. */
  async ipv6(namespace: string, name: string): Promise<string> {
    return new URL(`http://[fd00:10::${await this.ip(namespace, name)}]`).hostname.slice(1, -1);
  }

  /** Waits for it. */
  async importIp(namespace: string, name: string): Promise<string> {
    const asked = ["-n", namespace, "get", `serviceimport/${name}`, "-o", "jsonpath={.spec.ips[0]}"];
    return await vi.waitUntil(async () => (await this.eu.kubectl.run(asked)).stdout, { timeout: 15_000 });
  }

  async inboundOf(proxy: string): Promise<string | undefined> {
    const path = `/v1/proxies/${encodeURIComponent(proxy)}`;
    return (await this.agents.get<{ inbound?: string }>("eu", path)).inbound;
  }

  /** A pod `stranger` in a cluster without an agent. */
  async stranger(cluster: string): Promise<void> {
    const other = this.kube.cluster(cluster);
    await other.apply(JSON.stringify(podOf(["default", "stranger", SHELL])));
    await other.kubectl.ok(["wait", "pod/stranger", "--for=condition=Ready", "--timeout=28s"]);
  }

  /** `@CLUSTER` among the arguments: from there. */
  async curl(namespace: string, from: string, url: string, ...more: string[]): Promise<Said> {
    const cluster = more.find((one) => one.startsWith("@"))?.slice(1) ?? "eu";
    const flags = more.filter((one) => !one.startsWith("@"));
    const asked = ["-n", namespace, "exec", from, "-c", "app", "--", "curl", "-sS", "-m", "5", ...flags, url];
    const { kubectl } = this.kube.cluster(cluster);
    const { code, stdout, stderr } = await kubectl.run(asked, { timeoutMs: 15_000 });
    return { code, text: stdout + stderr };
  }

  #field(namespace: string, object: string, path: string): Promise<string> {
    return this.eu.kubectl.ok(["-n", namespace, "get", object, "-o", `jsonpath={${path}}`]);
  }
}

const podOf = ([namespace, name, container, annotations = {}]: PodOf): object => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace, labels: { app: name }, annotations },
  spec: { containers: [{ name: "app", ...container }], terminationGracePeriodSeconds: 3 },
});

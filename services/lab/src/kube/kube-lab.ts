/**
 * A federation of Kubernetes clusters on this machine: real API servers and nodes (deploy/tools/kube), hub, NATS and
 * Postgres beside them, agent and gateway as pods in each cluster. Owns the order in which they start and end.
 */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { HansaError } from "@hansa/core";
import { callApi } from "@hansa/identity";
import { kubeBinaries } from "../../../../deploy/tools/kube/binaries.ts";
import type { KubeCluster } from "../../../../deploy/tools/kube/cluster.ts";
import type { LabImage } from "../../../../deploy/tools/kube/images.ts";
import { kinds } from "../../../../deploy/tools/kube/kinds.ts";
import { type Kube, startKube } from "../../../../deploy/tools/kube/kube.ts";
import { planClusters } from "../../../../deploy/tools/kube/plan.ts";
import type { LabPaths } from "../../../../deploy/tools/lab-paths.ts";
import { envoyBinary, node24, root } from "../../../../deploy/tools/paths.mjs";
import { type AddressPlan, PORTS } from "../addresses.ts";
import { Component, type ComponentSpec } from "../supervisor/component.ts";
import { Fleet } from "../supervisor/fleet.ts";
import type { Action } from "../supervisor/lab.ts";
import type { Topology, TopologyCluster } from "../topology/types.ts";
import {
  ADMIN_PORT,
  type AgentManifestOptions,
  agentManifests,
  dnsStanza,
  GATEWAY_PORT,
  type Manifest,
  SYSTEM,
  systemManifests,
} from "./manifests.ts";
import { topologyManifests } from "./workloads.ts";

const READY_MS = 60_000;
/** Cluster-set IPs of cluster N: outside everything that plan.ts gives away. */
const poolOf = (index: number): string => `10.${144 + index}.0.0/16`;

export interface KubeLabOptions {
  readonly topology: Topology;
  readonly paths: LabPaths;
  readonly plan: AddressPlan;
  readonly progress: (message: string) => void;
}

const BY_KUBECTL = "pods belong to Kubernetes: use kubectl";

export class KubeLab {
  readonly fleet: Fleet;
  readonly #options: KubeLabOptions;
  readonly #components: Component[] = [];
  #kube: Kube | undefined;

  constructor(options: KubeLabOptions) {
    this.#options = options;
    const { topology, paths, plan } = options;
    const hubNames = planClusters(names(topology), "127.0.0.1").map(({ nodeIp }) => nodeIp);
    this.fleet = new Fleet({ topology, paths, plan, hubNames });
  }

  get kube(): Kube {
    if (this.#kube === undefined) throw new Error("the lab was not started");
    return this.#kube;
  }

  cluster(name: string): KubeCluster {
    return this.kube.cluster(name);
  }

  components(): Component[] {
    return [...this.#components];
  }

  place(): unknown {
    throw new HansaError("HSA6004", `lab call: ${BY_KUBECTL} exec`);
  }

  /** Of hub, NATS and Postgres; the rest is Kubernetes'. */
  async act(action: Action, wanted: readonly string[]): Promise<Component[]> {
    const chosen = this.#components.filter(({ spec }) => wanted.includes(spec.name));
    if (chosen.length < wanted.length)
      throw new HansaError(
        "HSA6004",
        `${wanted.join(" ")}: hub, nats and postgres are components; ${BY_KUBECTL}`,
      );
    for (const component of chosen) await component[action]();
    return chosen;
  }

  async scale(): Promise<void> {
    throw new HansaError("HSA6004", `lab scale: ${BY_KUBECTL} scale`);
  }

  /** What to type next. */
  guide(): string[] {
    const { topology } = this.#options;
    const [first = ""] = names(topology);
    const { services, workloads } = topology;
    const exported = services.find(({ exportedFrom }) => exportedFrom.includes(first));
    const from = workloads.find(({ services: served, replicas }) => served.length === 0 && replicas[first]);
    const lines = [
      `export KUBECONFIG=${this.kube.kubeconfig}`,
      `contexts: ${names(topology).join(", ")}; kubectl is ${kubeBinaries().kubectl}`,
    ];
    if (exported === undefined || from === undefined) return lines;
    const { namespace, name, ports } = exported;
    const url = `http://${name}.${namespace}.svc.clusterset.local:${ports[0]?.port ?? 80}/`;
    const call = `  kubectl --context ${first} -n ${from.namespace} exec deploy/${from.name} -- curl -s ${url}`;
    return [
      ...lines,
      "try:",
      `  kubectl --context ${first} -n ${namespace} get serviceimports`,
      call,
      `  kubectl --context ${first} -n ${namespace} scale deployment/${name} --replicas=0`,
      `${call} # another cluster answers`,
    ];
  }

  async up(): Promise<void> {
    const { topology, progress } = this.#options;
    progress("starting API servers and nodes, Postgres, NATS and the hub");
    const [kube] = await Promise.all([this.#startKube(), this.#startHub()]);
    this.#kube = kube;
    progress(`joining ${names(topology).join(", ")}`);
    await Promise.all(topology.clusters.map((cluster, index) => this.#join(cluster, index)));
    await Promise.all(names(topology).map((name) => this.#workloads(name)));
  }

  /** Ends everything, dependants first. */
  async down(): Promise<void> {
    await this.#kube?.close();
    for (const component of [...this.#components].reverse())
      await component.stop().catch(() => component.kill());
    await this.fleet.end();
  }

  async #startKube(): Promise<Kube> {
    const { topology, paths, plan } = this.#options;
    const dir = join(paths.state, "kube");
    // Pods may run as users of their own, and have to pass.
    mkdirSync(dir, { recursive: true, mode: 0o755 });
    chmodSync(dir, 0o755);
    const forwards = [
      { port: PORTS.hubApi, to: `${plan.shared("hub")}:${PORTS.hubApi}` },
      { port: PORTS.nats, to: `${plan.shared("nats")}:${PORTS.nats}` },
    ];
    return await startKube({
      clusters: names(topology),
      dir,
      nodes: { forwards, images: hansaImages(join(dir, "bin")) },
    });
  }

  async #startHub(): Promise<void> {
    const { federation } = this.fleet;
    await federation.found();
    await Promise.all([this.#launch(this.fleet.postgres()), this.#launch(this.fleet.nats())]);
    await this.#launch(this.fleet.hub());
    // Agents are pods: only the hub is reached from here.
    federation.writeCredentials([]);
  }

  async #launch(spec: ComponentSpec): Promise<void> {
    const component = new Component(spec, () => {});
    this.#components.push(component);
    await component.start();
  }

  async #join(cluster: TopologyCluster, index: number): Promise<void> {
    const api = this.kube.cluster(cluster.name);
    await api.apply(kinds());
    await apply(api, systemManifests());
    const gateway = await addressOf(api, "hansa-gateway", "{.status.loadBalancer.ingress[0].ip}");
    const dns = await addressOf(api, "hansa-dns", "{.spec.clusterIP}");
    const { config, joinToken } = await this.#agentConfig(cluster, index, gateway);
    await apply(api, agentManifests({ config, joinToken }));
    await forwardDns(api, dns);
    await api.kubectl.ok(
      ["-n", SYSTEM, "rollout", "status", "deployment/hansa-agent", `--timeout=${READY_MS}ms`],
      { timeoutMs: READY_MS + 5000 },
    );
  }

  async #workloads(cluster: string): Promise<void> {
    const { topology, progress } = this.#options;
    const objects = topologyManifests(topology, cluster);
    if (objects.length === 0) return;
    const api = this.kube.cluster(cluster);
    await apply(api, objects);
    const namespaces = new Set(topology.workloads.map(({ namespace }) => namespace));
    for (const namespace of namespaces) {
      const args = ["-n", namespace, "wait", "--for=condition=Available", "deployment", "--all"];
      await api.kubectl.ok([...args, `--timeout=${READY_MS}ms`], { timeoutMs: READY_MS + 5000 });
    }
    progress(`workloads of ${cluster} run`);
  }

  async #agentConfig(
    cluster: TopologyCluster,
    index: number,
    gateway: string,
  ): Promise<AgentManifestOptions> {
    const { plan } = this.kube.cluster(cluster.name).options;
    const hub = this.fleet.federation.hubTarget();
    const wanted = {
      namespaces: ["*"],
      cidrs: [plan.podCidr, plan.loadBalancerCidr],
      region: cluster.region,
      zones: [...new Set([...cluster.zones, `${cluster.name}-a`])],
      network: cluster.network,
    };
    const { data } = (await callApi(hub, {
      method: "POST",
      path: "/v1/tokens",
      body: { cluster: cluster.name, grant: wanted },
    })) as { data: { token: string } };
    const config = {
      cluster: cluster.name,
      source: {
        kubernetes: {
          clusterSetIps: [poolOf(index)],
          serviceCidrs: [plan.serviceCidr],
          leaseNamespace: SYSTEM,
          gatewayMode: { entryAddress: "POD_IP" },
        },
      },
      ...wanted,
      hub: { url: `https://${plan.nodeIp}:${PORTS.hubApi}`, caPem: hub.caPem },
      nats: { servers: [`nats://${plan.nodeIp}:${PORTS.nats}`] },
      admin: { host: "0.0.0.0", port: ADMIN_PORT },
      gateway: { name: "gw", address: gateway, port: GATEWAY_PORT, listen: "POD_IP" },
    };
    return { config, joinToken: data.token };
  }
}

const names = ({ clusters }: Topology): string[] => clusters.map(({ name }) => name);

export const apply = async (api: KubeCluster, objects: readonly Manifest[]): Promise<void> =>
  await api.apply(objects.map((object) => JSON.stringify(object)).join("\n---\n"));

/** Adds to the Corefile, as an administrator would by `kubectl edit`. */
async function forwardDns({ kubectl }: KubeCluster, address: string): Promise<void> {
  const place = ["-n", "kube-system", "configmap", "coredns"];
  const before = await kubectl.ok(["get", ...place, "-o", "jsonpath={.data.Corefile}"]);
  const patch = { data: { Corefile: `${before}\n${dnsStanza(address)}` } };
  await kubectl.ok(["patch", ...place, "--type=merge", "-p", JSON.stringify(patch)]);
}

async function addressOf(api: KubeCluster, service: string, path: string): Promise<string> {
  const deadline = performance.now() + READY_MS;
  for (;;) {
    const found = await api.kubectl.ok(["-n", SYSTEM, "get", "service", service, "-o", `jsonpath=${path}`]);
    if (found !== "") return found.trim();
    if (performance.now() > deadline) throw new Error(`${api.name}: Service ${service} has no address`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** This checkout's agent and the machine's Envoy, as images that manifests name. */
export function hansaImages(bin: string): LabImage[] {
  mkdirSync(bin, { recursive: true, mode: 0o755 });
  const agent = `#!/bin/sh\nexec ${node24() ?? "node"} --disable-warning=ExperimentalWarning ${join(root, "services/agent/src/main.ts")} "$@"\n`;
  writeFileSync(join(bin, "hansa-agent"), agent, { mode: 0o755 });
  const workload = join(root, "services/lab/src/workload/main.ts");
  const node = [node24() ?? "node", "--disable-warning=ExperimentalWarning"];
  return [
    { name: "hansa/lab-workload", entrypoint: [...node, workload] },
    { name: "hansa/agent", entrypoint: [join(bin, "hansa-agent")], path: [bin] },
    { name: "envoyproxy/envoy", entrypoint: [envoyBinary()], path: [dirname(envoyBinary())] },
  ];
}

/**
 * A federation of Kubernetes clusters on this machine: real API servers and nodes (deploy/tools/kube), hub, NATS and
 * Postgres beside them, agent and gateway as pods in each cluster. Owns the order in which they start and end.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { HansaError } from "@hansa/core";
import { callApi } from "@hansa/identity";
import { kubeBinaries } from "../../../../deploy/tools/kube/binaries.ts";
import type { KubeCluster } from "../../../../deploy/tools/kube/cluster.ts";
import type { LabImage } from "../../../../deploy/tools/kube/images.ts";
import { type Kube, startKube } from "../../../../deploy/tools/kube/kube.ts";
import { planClusters } from "../../../../deploy/tools/kube/plan.ts";
import type { LabPaths } from "../../../../deploy/tools/lab-paths.ts";
import { root } from "../../../../deploy/tools/paths.mjs";
import { type AddressPlan, PORTS } from "../addresses.ts";
import { Component, type ComponentSpec } from "../supervisor/component.ts";
import { Fleet } from "../supervisor/fleet.ts";
import type { Action } from "../supervisor/lab.ts";
import type { Topology, TopologyCluster, TopologyService } from "../topology/types.ts";
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
    const [first = ""] = names(this.#options.topology);
    const call = this.#call();
    const lines = [
      `export KUBECONFIG=${this.kube.kubeconfig}`,
      `contexts: ${names(this.#options.topology).join(", ")}; kubectl is ${kubeBinaries().kubectl}`,
    ];
    if (call === undefined) return lines;
    const { namespace, name } = call.service;
    const typed = `  kubectl --context ${first} ${call.args.join(" ")}`;
    return [
      ...lines,
      "try:",
      `  kubectl --context ${first} -n ${namespace} get serviceimports`,
      typed,
      `  kubectl --context ${first} -n ${namespace} scale deployment/${name} --replicas=0`,
      `${typed} # another cluster answers`,
      `  npx hansa check --context ${first}`,
    ];
  }

  /** From a mere client of the first cluster to what that exports; undefined: the topology has none. */
  #call(): { readonly service: TopologyService; readonly args: readonly string[] } | undefined {
    const { services, workloads, clusters } = this.#options.topology;
    const first = clusters[0]?.name ?? "";
    const service = services.find(({ exportedFrom }) => exportedFrom.includes(first));
    const from = workloads.find(({ services: served, replicas }) => served.length === 0 && replicas[first]);
    if (service === undefined || from === undefined) return undefined;
    const { namespace, name, ports } = service;
    const url = `http://${name}.${namespace}.svc.clusterset.local:${ports[0]?.port ?? 80}/`;
    // A connection to an address that nothing routes yet would wait for minutes.
    const curl = ["curl", "-sS", "-m", "2", url];
    return { service, args: ["-n", from.namespace, "exec", `deploy/${from.name}`, "--", ...curl] };
  }

  async up(): Promise<void> {
    const { topology, progress } = this.#options;
    progress("starting API servers and nodes, Postgres, NATS and the hub");
    const [kube] = await Promise.all([this.#startKube(), this.#startHub()]);
    this.#kube = kube;
    progress(`joining ${names(topology).join(", ")}`);
    await Promise.all(topology.clusters.map((cluster, index) => this.#join(cluster, index)));
    await Promise.all(names(topology).map((name) => this.#workloads(name)));
    await this.#answered();
  }

  /** What it says to type works when it says so. */
  async #answered(): Promise<void> {
    const call = this.#call();
    const [first = ""] = names(this.#options.topology);
    const deadline = performance.now() + READY_MS;
    for (;;) {
      if (call === undefined) return;
      const { code, stdout, stderr } = await this.cluster(first).kubectl.run(call.args);
      if (code === 0 && stdout !== "") return;
      if (performance.now() > deadline)
        throw new HansaError("HSA6005", `${call.args.at(-1)}: nobody answers in ${first}: ${stderr.trim()}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
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
      nodes: { forwards, images: [workloadImage()] },
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

  /** As its operator: a token, and then what anybody types. */
  async #join(cluster: TopologyCluster, index: number): Promise<void> {
    const { plan } = this.kube.cluster(cluster.name).options;
    const hub = this.fleet.federation.hubTarget();
    const grant = {
      namespaces: ["*"],
      // Pods' own: other clusters are told the addresses behind a headless service.
      cidrs: [plan.podCidr, plan.loadBalancerCidr],
      region: cluster.region,
      // The nodes' own zone is a name of their cluster's.
      zones: [...new Set([...cluster.zones, `${cluster.name}-a`])],
      network: cluster.network,
    };
    const { data } = (await callApi(hub, {
      method: "POST",
      path: "/v1/tokens",
      body: { cluster: cluster.name, grant },
    })) as { data: { token: string } };
    const flags = {
      context: cluster.name,
      region: grant.region,
      zones: grant.zones.join(","),
      network: grant.network,
      cidrs: grant.cidrs.join(","),
      hub: `https://${plan.nodeIp}:${PORTS.hubApi}`,
      nats: `nats://${plan.nodeIp}:${PORTS.nats}`,
      "cluster-set-ips": poolOf(index),
      "gateway-mode": "on",
    };
    await this.#hansa(
      `join-${cluster.name}`,
      ["cluster", "join", "--ephemeral", "--patch-dns", ...flagsOf(flags)],
      data.token,
    );
  }

  async #workloads(cluster: string): Promise<void> {
    const { topology, progress } = this.#options;
    const objects = topologyManifests(topology, cluster);
    if (objects.length === 0) return;
    const api = this.kube.cluster(cluster);
    await api.apply(objects.map((object) => JSON.stringify(object)).join("\n---\n"));
    const namespaces = new Set(topology.workloads.map(({ namespace }) => namespace));
    for (const namespace of namespaces) {
      const args = ["-n", namespace, "wait", "--for=condition=Available", "deployment", "--all"];
      await api.kubectl.ok([...args, `--timeout=${READY_MS}ms`], { timeoutMs: READY_MS + 5000 });
    }
    progress(`workloads of ${cluster} run`);
  }

  /** Throws with what it said last. */
  async #hansa(name: string, args: readonly string[], token: string): Promise<void> {
    const { paths } = this.#options;
    const log = join(paths.logs, `${name}.log`);
    const program = [
      "--disable-warning=ExperimentalWarning",
      join(root, "services/cli/src/main.ts"),
      ...args,
    ];
    const env = { ...process.env, KUBECONFIG: this.kube.kubeconfig, HANSA_JOIN_TOKEN: token };
    // Where no file has a cluster's name.
    const child = spawn(process.execPath, program, {
      cwd: paths.sockets,
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => {
        said += chunk.toString();
      });
    const [status] = await once(child, "close");
    writeFileSync(log, said);
    if (status === 0) return;
    throw new HansaError(
      "HSA6005",
      `hansa ${args.slice(0, 2).join(" ")}: ${said.trim().split("\n").slice(-3).join("; ")} (log: ${log})`,
    );
  }
}

const names = ({ clusters }: Topology): string[] => clusters.map(({ name }) => name);

const flagsOf = (flags: Readonly<Record<string, string>>): string[] =>
  Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);

const workloadImage = (): LabImage => ({
  name: "hansa/lab-workload",
  entrypoint: [
    process.execPath,
    "--disable-warning=ExperimentalWarning",
    join(root, "services/lab/src/workload/main.ts"),
  ],
});

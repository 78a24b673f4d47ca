/**
 * Real Kubernetes control planes on loopback: one etcd, and an API server and a controller-manager for each cluster.
 * Needs no privileges. Pods run where a node emulator is started with it (nodes.ts).
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Child } from "../child.ts";
import { kubeBinaries } from "./binaries.ts";
import { KubeCluster } from "./cluster.ts";
import type { ControlPlaneOptions } from "./control-plane.ts";
import { makeCredentials, serverNames } from "./credentials.ts";
import { Etcd } from "./etcd.ts";
import { writeKubeconfig } from "./kubeconfig.ts";
import { claimLoopback } from "./loopback.ts";
import { egressFlags, hasNodes, type NodesOptions, startNodes } from "./nodes.ts";
import { type ClusterPlan, planClusters } from "./plan.ts";

export interface KubeOptions {
  /** Names of clusters and contexts. */
  readonly clusters: readonly string[];
  /** For certificates, data and logs; missing or empty. Default: a temporary folder that `close` removes. */
  readonly dir?: string;
  /** Loopback address for all of it. Default: one that no other lab on this machine has. */
  readonly address?: string;
  /** One etcd for all clusters, by prefix (default), or one each, so that one cluster can be restored alone. */
  readonly etcd?: "shared" | "each";
  /** Further flags of every API server. */
  readonly apiServerFlags?: readonly string[];
  /** Nodes, so that pods run. Default: none, and pods stay Pending. */
  readonly nodes?: NodesOptions;
}

/** Starts all of it; throws with the end of a log, and leaves nothing running, where that does not come about. */
export async function startKube(options: KubeOptions): Promise<Kube> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), "hansa-kube-"));
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const loopback = options.address === undefined ? await claimLoopback() : undefined;
  const address = loopback?.address ?? options.address!;
  const afterwards = async (): Promise<void> => {
    await loopback?.release();
    if (options.dir === undefined) rmSync(dir, { recursive: true, force: true });
  };
  const kube = new Kube(layOut(options, dir, address), dir, address, options.nodes, afterwards);
  try {
    await kube.start();
    return kube;
  } catch (error) {
    await kube.close();
    throw error;
  }
}

export class Kube {
  readonly dir: string;
  readonly address: string;
  /** A file with a context for each cluster, of an administrator. */
  readonly kubeconfig: string;
  readonly clusters: readonly KubeCluster[];
  readonly #nodesOptions: NodesOptions | undefined;
  readonly #afterwards: () => Promise<void>;
  #nodes: Child | undefined;

  constructor(
    clusters: readonly KubeCluster[],
    dir: string,
    address: string,
    nodes: NodesOptions | undefined,
    afterwards: () => Promise<void>,
  ) {
    this.clusters = clusters;
    this.dir = dir;
    this.address = address;
    this.kubeconfig = kubeconfigIn(dir);
    this.#nodesOptions = nodes;
    this.#afterwards = afterwards;
  }

  cluster(name: string): KubeCluster {
    const found = this.clusters.find((cluster) => cluster.name === name);
    if (found === undefined) throw new Error(`kube: no cluster ${name}`);
    return found;
  }

  async start(): Promise<void> {
    await Promise.all(this.#etcds().map((etcd) => etcd.start()));
    await Promise.all(this.clusters.map((cluster) => cluster.start()));
    await this.#startNodes();
  }

  /** Of the one process that all nodes are; undefined where there are none. */
  get nodesPid(): number | undefined {
    return this.#nodes?.pid;
  }

  /** Ends every process, then removes what was temporary. */
  async close(): Promise<void> {
    await this.#nodes?.kill();
    await Promise.all(this.clusters.map((cluster) => cluster.close()));
    await Promise.all(this.#etcds().map((etcd) => etcd.kill()));
    await this.#afterwards();
  }

  /** Keeps a copy of the etcd of `cluster`, and so of every cluster that shares it. API servers see a short outage. */
  async backUp(cluster: string, name: string): Promise<void> {
    await this.cluster(cluster).etcd.backUp(name);
  }

  /** Sets the etcd of `cluster` back to a copy and starts what watches it anew, pods apart: versions go backwards. */
  async restore(cluster: string, name: string): Promise<void> {
    const { etcd } = this.cluster(cluster);
    const sharing = this.clusters.filter((each) => each.etcd === etcd);
    await Promise.all(sharing.map((each) => each.killApiServer()));
    await etcd.restore(name);
    await etcd.start();
    await Promise.all(sharing.map((each) => each.startApiServer()));
    await Promise.all(sharing.map((each) => each.restartControllerManager()));
    if (this.nodesPid !== undefined) process.kill(this.nodesPid, "SIGHUP");
  }

  /** Ends every pod's programs and the nodes at once, and starts them anew: a power cut. */
  async restartNodes(): Promise<void> {
    await this.#nodes?.kill();
    await this.#startNodes();
  }

  async #startNodes(): Promise<void> {
    if (this.#nodesOptions === undefined) return;
    const options = this.clusters.map((cluster) => cluster.options);
    this.#nodes = await startNodes(this.dir, options, this.#nodesOptions);
  }

  #etcds(): Etcd[] {
    return [...new Set(this.clusters.map(({ etcd }) => etcd))];
  }
}

function kubeconfigIn(dir: string): string {
  return join(dir, "kubeconfig");
}

function layOut(options: KubeOptions, dir: string, address: string): KubeCluster[] {
  const binaries = kubeBinaries();
  const plans = planClusters(options.clusters, address);
  const etcdOf = etcds(plans, options.etcd ?? "shared", binaries.etcd, dir, address);
  const { apiServerFlags = [] } = options;
  const clusters = plans.map((plan) => {
    const own = join(dir, plan.name);
    const etcd = etcdOf(plan);
    const runsPods = hasNodes(plan.name, options.nodes);
    const control: ControlPlaneOptions = {
      binaries,
      plan,
      // Pods have IPv4 alone, and so have Services where there are pods.
      serviceCidrs: runsPods ? [plan.serviceCidr] : [plan.serviceCidr, plan.serviceCidrV6],
      address,
      dir: own,
      etcdUrl: etcd.url,
      credentials: makeCredentials(join(own, "credentials"), plan.name, serverNames(plan, address)),
      kubeconfig: join(own, "kubeconfig"),
      apiServerFlags: [...apiServerFlags, ...(runsPods ? egressFlags(own) : [])],
    };
    return new KubeCluster(control, etcd);
  });
  const accesses = clusters.map(({ name, url, caPem, adminToken: token }) => ({ name, url, caPem, token }));
  writeKubeconfig(kubeconfigIn(dir), accesses);
  for (const access of accesses) writeKubeconfig(join(dir, access.name, "kubeconfig"), [access]);
  return clusters;
}

function etcds(
  plans: readonly ClusterPlan[],
  how: "shared" | "each",
  binary: string,
  dir: string,
  address: string,
): (plan: ClusterPlan) => Etcd {
  const make = (plan: ClusterPlan, folder: string): Etcd =>
    new Etcd({
      binary,
      dir: folder,
      address,
      clientPort: plan.etcdClientPort,
      peerPort: plan.etcdPeerPort,
    });
  if (how === "each") return (plan) => make(plan, join(dir, plan.name, "etcd"));
  const shared = make(plans[0]!, join(dir, "etcd"));
  return () => shared;
}

/**
 * The nodes of a lab's clusters: one process (test/kube/node) that runs pods in network namespaces and ends all of them
 * when it ends. Needs root, or a machine that lets its users make namespaces.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Argv, type Child, diesWithParent, startChild } from "../child.ts";
import { nodeEmulatorBinary } from "./binaries.ts";
import type { ControlPlaneOptions } from "./control-plane.ts";
import { type LabImage, labImages } from "./images.ts";

/** Lets pods of every cluster reach a server of this machine at `port` of their first node's address (plan's `nodeIp`). */
export interface Forward {
  readonly port: number;
  /** host:port. */
  readonly to: string;
}

export interface NodesOptions {
  /** Clusters that have nodes. Default: all. */
  readonly clusters?: readonly string[];
  /** Default 1. Zones are `CLUSTER-a`, `CLUSTER-b`, … in turn. */
  readonly perCluster?: number;
  readonly images?: readonly LabImage[];
  readonly forwards?: readonly Forward[];
}

const zones = ["a", "b", "c"];

export const hasNodes = (cluster: string, options: NodesOptions | undefined): boolean =>
  options !== undefined && options.clusters?.includes(cluster) !== false;

/** Resolves when the nodes are registered and take pods. */
export async function startNodes(
  dir: string,
  clusters: readonly ControlPlaneOptions[],
  options: NodesOptions = {},
): Promise<Child> {
  const emulator = nodeEmulatorBinary();
  const stateDir = join(dir, "nodes");
  mkdirSync(stateDir, { recursive: true, mode: 0o755 });
  const ready = join(stateDir, "ready");
  rmSync(ready, { force: true });
  const config = {
    stateDir,
    images: [...(options.images ?? []), ...labImages(stateDir, emulator)],
    clusters: clusters
      .filter(({ plan }) => hasNodes(plan.name, options))
      .map((cluster) => clusterConfig(cluster, options)),
  };
  const file = join(stateDir, "config.json");
  writeFileSync(file, JSON.stringify(config, null, 2), { mode: 0o600 });
  return await startChild({
    argv: privileged([emulator, file]),
    log: join(stateDir, "nodes.log"),
    stopSignal: "SIGTERM",
    isReady: async () => existsSync(ready),
    readyWithinMs: 60_000,
  });
}

/** Who is not root becomes it in a user namespace; pods then all run as that one user. */
function privileged(argv: Argv): Argv {
  if (process.getuid?.() === 0) return argv;
  // Again behind the change of user, which clears it.
  return ["unshare", "--user", "--map-root-user", "--", ...diesWithParent("SIGTERM", argv)];
}

function clusterConfig({ plan, kubeconfig, address, dir }: ControlPlaneOptions, options: NodesOptions) {
  const { name, podCidr, serviceCidr, loadBalancerCidr, outerIp, dnsIp, kubernetesIp } = plan;
  const prefix = plan.nodeIp.slice(0, plan.nodeIp.lastIndexOf(".") + 1);
  const nodes = Array.from({ length: options.perCluster ?? 1 }, (_, index) => ({
    name: `${name}-node-${index}`,
    ip: `${prefix}${index + 1}`,
    labels: {
      "topology.kubernetes.io/region": name,
      "topology.kubernetes.io/zone": `${name}-${zones[index % zones.length]}`,
    },
  }));
  const ranges = { podCidr, serviceCidr, loadBalancerCidr, outerIp, dnsIp, kubernetesIp };
  const apiServer = `${address}:${plan.port}`;
  const egressSocket = egressSocketIn(dir);
  return { name, kubeconfig, apiServer, egressSocket, nodes, ...ranges, forwards: options.forwards ?? [] };
}

/** API server flags by which it reaches nodes, Services and pods where those are in a network of their own. */
export function egressFlags(dir: string): string[] {
  const file = join(dir, "egress.json");
  const connection = {
    proxyProtocol: "HTTPConnect",
    transport: { uds: { udsName: egressSocketIn(dir) } },
  };
  const config = {
    apiVersion: "apiserver.k8s.io/v1beta1",
    kind: "EgressSelectorConfiguration",
    egressSelections: [{ name: "cluster", connection }],
  };
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  writeFileSync(file, JSON.stringify(config));
  return [`--egress-selector-config-file=${file}`];
}

function egressSocketIn(dir: string): string {
  return join(dir, "egress.sock");
}

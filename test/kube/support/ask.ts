/** Ways in which the specs ask a cluster of the lab. */
import { expect } from "vitest";
import type { KubeCluster } from "../../../deploy/tools/kube/cluster.ts";
import type { KubectlResult } from "../../../deploy/tools/kube/kubectl.ts";

/** What the image `echo` answers. */
export interface Echo {
  readonly cluster: string;
  readonly namespace: string;
  readonly pod: string;
  readonly client: string;
}

/** Runs a shell command in a pod by kubectl exec. */
export function run(cluster: KubeCluster, pod: string, command: string): Promise<KubectlResult> {
  return cluster.kubectl.run(["exec", pod, "--", "sh", "-c", command], { timeoutMs: 15_000 });
}

/** Calls an echo from the pod `client`. */
export async function echo(cluster: KubeCluster, url: string): Promise<Echo> {
  const { code, stdout, stderr } = await run(cluster, "client", `curl -sS -m 5 ${url}`);
  if (code !== 0) throw new Error(`${url}: ${stderr}`);
  return JSON.parse(stdout) as Echo;
}

/** Polls a kubectl command for an output; resolves to it. */
export async function expectOutput(
  cluster: KubeCluster,
  args: readonly string[],
  pattern: RegExp,
  timeout = 15_000,
): Promise<string> {
  let output = "";
  const ask = async (): Promise<string> => {
    output = (await cluster.kubectl.run(args)).stdout;
    return output;
  };
  await expect.poll(ask, { timeout, interval: 100 }).toMatch(pattern);
  return output;
}

/** One field of one object, "" where there is none. */
export async function field(cluster: KubeCluster, object: string, path: string): Promise<string> {
  return (await cluster.kubectl.run(["get", object, "-o", `jsonpath={${path}}`])).stdout;
}

/** Name of the first pod with a label. */
export async function podWith(cluster: KubeCluster, label: string): Promise<string> {
  const path = "jsonpath={.items[0].metadata.name}";
  return await cluster.kubectl.ok(["get", "pods", "-l", label, "-o", path]);
}

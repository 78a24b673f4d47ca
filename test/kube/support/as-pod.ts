/** An agent as a pod of its cluster: with a service account's folder at the place where a pod has it. */
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { KubeCluster } from "../../../deploy/tools/kube/cluster.ts";

const ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount";

/** What kubelet tells a pod of its API server. */
export const inPod = ({ options: { address, plan } }: KubeCluster): NodeJS.ProcessEnv => ({
  KUBERNETES_SERVICE_HOST: address,
  KUBERNETES_SERVICE_PORT: String(plan.port),
});

/** A command line that runs another where a pod finds its service account. Nothing of it is seen outside. */
export function asPod(cluster: KubeCluster, folder: string, token = cluster.adminToken): string[] {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const account = { "ca.crt": cluster.caPem, token, namespace: "default" };
  for (const [name, text] of Object.entries(account))
    writeFileSync(join(folder, name), text, { mode: 0o600 });
  const script = `mount -t tmpfs none /run && mkdir -p ${ACCOUNT} && cp ${folder}/* ${ACCOUNT}/ && exec "$@"`;
  const asRoot = process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"];
  return ["unshare", ...asRoot, "--mount", "--", "sh", "-c", script, "sh"];
}

/** Replaces the token of a process that was started so, at once, as kubelet does. */
export function replaceToken(pid: number, token: string): void {
  const file = join(`/proc/${pid}/root`, ACCOUNT, "token");
  writeFileSync(`${file}.new`, token, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

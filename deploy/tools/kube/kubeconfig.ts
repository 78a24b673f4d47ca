/** A kubeconfig file (JSON is YAML): one context for each cluster, named as the cluster. */
import { writeFileSync } from "node:fs";

export interface Access {
  /** Names the context, its cluster and its user. */
  readonly name: string;
  readonly url: string;
  readonly caPem: string;
  readonly token: string;
}

export function writeKubeconfig(path: string, accesses: readonly Access[]): void {
  const config = {
    apiVersion: "v1",
    kind: "Config",
    "current-context": accesses[0]?.name ?? "",
    clusters: accesses.map(({ name, url, caPem }) => ({
      name,
      cluster: { server: url, "certificate-authority-data": Buffer.from(caPem).toString("base64") },
    })),
    users: accesses.map(({ name, token }) => ({ name, user: { token } })),
    contexts: accesses.map(({ name }) => ({ name, context: { cluster: name, user: name } })),
  };
  writeFileSync(path, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
}

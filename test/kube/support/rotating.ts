/** Credentials in files that are replaced under whoever reads them: a service account's folder, and those that a kubeconfig names. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServerCertificate } from "@hansa/identity";
import { inCluster, type MaterialSource } from "@hansa/kube";

export interface AccountFolder {
  readonly source: MaterialSource;
  setToken(token: string): void;
  remove(): void;
}

function folder(): { readonly path: string; set(name: string, text: string): void; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "hansa-credentials-"));
  return {
    path,
    set(name, text) {
      writeFileSync(join(path, `${name}.new`), text, { mode: 0o600 });
      renameSync(join(path, `${name}.new`), join(path, name));
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

export async function accountFolder(server: string, caPem: string, token: string): Promise<AccountFolder> {
  const { path, set, remove } = folder();
  set("namespace", "default");
  set("ca.crt", caPem);
  set("token", token);
  const { hostname, port } = new URL(server);
  const env = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
  const source = await inCluster(env, path);
  return { source, setToken: (next) => set("token", next), remove };
}

export interface ContextFiles {
  readonly kubeconfig: string;
  set(caPem: string, own: ServerCertificate): void;
  remove(): void;
}

/** A kubeconfig that names a CA, a client certificate and its key by file. */
export function contextFiles(server: string, token: string): ContextFiles {
  const { path, set, remove } = folder();
  const named = { cluster: "c", user: "u" };
  const user = { "client-certificate": "client.crt", "client-key": "client.key", token };
  const config = {
    "current-context": "x",
    clusters: [{ name: "c", cluster: { server, "certificate-authority": "ca.crt" } }],
    users: [{ name: "u", user }],
    contexts: [{ name: "x", context: named }],
  };
  set("kubeconfig", JSON.stringify(config));
  return {
    kubeconfig: join(path, "kubeconfig"),
    set(caPem, { certPem, keyPem }) {
      set("ca.crt", caPem);
      set("client.crt", certPem);
      set("client.key", keyPem);
    },
    remove,
  };
}

/**
 * Credentials of one context of a kubeconfig, by client-node's KubeConfig (the only use of that package; its requests and
 * informers are not used). Refuses what would send credentials unprotected. Exec plugins and OIDC work as KubeConfig does them.
 */
import { readFile } from "node:fs/promises";
import { HansaError, isHansaError } from "@hansa/core";
import type { KubeConfig } from "@kubernetes/client-node";
import type { Material, MaterialSource } from "./material.ts";

export interface KubeconfigPlace {
  /** Default: KUBECONFIG, else ~/.kube/config. */
  readonly path?: string | undefined;
  /** Default: the file's current context. */
  readonly context?: string | undefined;
}

type Options = Parameters<KubeConfig["applyToHTTPSOptions"]>[0];

/** Throws HSA7004. */
export async function kubeconfig({ path, context }: KubeconfigPlace): Promise<MaterialSource> {
  const file = path ?? "the default kubeconfig";
  let config = await load(file, path, context);
  const name = `context ${config.getCurrentContext()} of ${file}`;
  const server = checkedServer(config, name);
  return {
    server,
    namespace: config.getContextObject(config.getCurrentContext())?.namespace ?? "default",
    name,
    async read(refused) {
      if (refused || !remembers(config)) {
        const next = await load(file, path, context);
        if (checkedServer(next, name) !== server)
          throw new HansaError("HSA7004", `${name}: names another server than before; restart to move to it`);
        config = next;
      }
      return await material(config, name);
    },
  };
}

/** The same checks, for what needs client-node's own object. Throws HSA7004. */
export async function loadKubeconfig({ path, context }: KubeconfigPlace): Promise<KubeConfig> {
  const file = path ?? "the default kubeconfig";
  const config = await load(file, path, context);
  checkedServer(config, `context ${config.getCurrentContext()} of ${file}`);
  return config;
}

/** KubeConfig itself keeps what these give, until it ends. All else is in files, which may have changed. */
function remembers(config: KubeConfig): boolean {
  const user = config.getCurrentUser();
  return user?.exec != null || (user?.authProvider != null && !user.authProvider.config?.tokenFile);
}

async function load(
  file: string,
  path: string | undefined,
  context: string | undefined,
): Promise<KubeConfig> {
  const { KubeConfig } = await import("@kubernetes/client-node");
  const config = new KubeConfig();
  try {
    if (path === undefined) config.loadFromDefault();
    else config.loadFromFile(path);
  } catch (cause) {
    throw new HansaError("HSA7004", `${file}: cannot be read (${(cause as Error).message})`, { cause });
  }
  if (context !== undefined) config.setCurrentContext(context);
  const wanted = config.getCurrentContext();
  if (config.getContextObject(wanted) === null) {
    const known = config.getContexts().map(({ name }) => name);
    throw new HansaError(
      "HSA7004",
      `${file}: has no context ${JSON.stringify(wanted ?? "")}; it has ${known.join(", ") || "none"}`,
    );
  }
  return config;
}

function checkedServer(config: KubeConfig, name: string): string {
  const refuse = (problem: string): never => {
    throw new HansaError("HSA7004", `${name}: ${problem}`);
  };
  const cluster = config.getCurrentCluster() ?? refuse("names a cluster that is not there");
  if (config.getCurrentUser() === null) refuse("names a user that is not there");
  const url = URL.parse(cluster.server) ?? refuse(`server ${JSON.stringify(cluster.server)} is no URL`);
  if (url.protocol !== "https:")
    refuse(`server ${cluster.server} is not https: credentials would be readable`);
  if (url.pathname !== "/") refuse(`server ${cluster.server} has a path; only a whole host is supported`);
  if (cluster.skipTLSVerify)
    refuse("insecure-skip-tls-verify lets anyone take the credentials; give the CA instead");
  if (cluster.proxyUrl !== undefined) refuse("proxy-url is not supported; connect without a proxy");
  return url.origin;
}

async function material(config: KubeConfig, name: string): Promise<Material> {
  const options: Options = {};
  try {
    await config.applyToHTTPSOptions(options);
    // KubeConfig keeps the token of a token file for 60 s by its own clock, and answers an old one after a refusal.
    const tokenFile: unknown = config.getCurrentUser()?.authProvider?.config?.tokenFile;
    const token = typeof tokenFile === "string" ? await readFile(tokenFile, "utf8") : undefined;
    return materialOf(options, token?.trim(), name);
  } catch (cause) {
    if (isHansaError(cause)) throw cause;
    throw new HansaError("HSA7004", `${name}: ${(cause as Error).message}`, { cause });
  }
}

function materialOf(options: Options, token: string | undefined, name: string): Material {
  const text = (value: unknown): string | undefined =>
    typeof value === "string" || Buffer.isBuffer(value) ? value.toString() : undefined;
  const ca = text(options.ca);
  if (ca === undefined)
    throw new HansaError("HSA7004", `${name}: names no certificate-authority; give the cluster's CA`);
  const headers: Record<string, string> = {};
  for (const [header, value] of Object.entries(options.headers ?? {}))
    headers[header.toLowerCase()] = String(value);
  if (typeof options.auth === "string")
    headers.authorization = `Basic ${Buffer.from(options.auth).toString("base64")}`;
  if (token !== undefined) headers.authorization = `Bearer ${token}`;
  return {
    tls: { ca, cert: text(options.cert), key: text(options.key), serverName: text(options.servername) },
    headers,
  };
}

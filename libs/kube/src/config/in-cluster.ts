/**
 * Credentials of this pod's service account: files that the kubelet replaces. Read here and not by client-node's KubeConfig, which
 * says the same with three lines more but costs an agent 86 MiB of memory and 0.4 s of CPU at import (measured).
 */
import { readFile } from "node:fs/promises";
import { isIPv6 } from "node:net";
import { join } from "node:path";
import { HansaError } from "@hansa/core";
import type { MaterialSource } from "./material.ts";

const FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount";

export interface PodEnvironment {
  readonly KUBERNETES_SERVICE_HOST?: string | undefined;
  readonly KUBERNETES_SERVICE_PORT?: string | undefined;
}

/** Throws HSA7004 where this is no pod with a service account. */
export async function inCluster(env: PodEnvironment, folder: string = FOLDER): Promise<MaterialSource> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = env;
  if (!host || !port)
    throw new HansaError(
      "HSA7004",
      "this process is in no pod (KUBERNETES_SERVICE_HOST or _PORT is not set); give a kubeconfig",
    );
  const read = (name: string): Promise<string> => readText(join(folder, name));
  return {
    server: `https://${isIPv6(host) ? `[${host}]` : host}:${port}`,
    namespace: await read("namespace"),
    name: `service account in ${folder}`,
    async read() {
      const [ca, token] = await Promise.all([read("ca.crt"), read("token")]);
      return { tls: { ca }, headers: { authorization: `Bearer ${token}` } };
    },
  };
}

async function readText(path: string): Promise<string> {
  const text = await readFile(path, "utf8").then(
    (content) => content.trim(),
    (cause: Error) => {
      throw new HansaError("HSA7004", `${path}: cannot be read (${cause.message})`, { cause });
    },
  );
  if (text === "") throw new HansaError("HSA7004", `${path}: is empty; its writer has to fill it`);
  return text;
}

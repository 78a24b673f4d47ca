/** Names on the command line: clusters, `NAME[.NS][:PORT]`, `NS/NAME` and `CLUSTER/NS/WORKLOAD`. Pure. */
import { HansaError, isLabel, parseClusterName } from "@hansa/core";

export interface ServiceName {
  readonly namespace: string;
  readonly name: string;
  /** Port name or number; undefined: all. */
  readonly port: string | undefined;
}

export const NAMESPACE_OPTION = ["-n, --namespace <ns>", "namespace"] as const;

/** `pay`, `pay.shop`, `pay.shop:80`, `shop/pay`. Throws HSA1001, also where no namespace is known. */
export function parseService(text: string, defaultNamespace: string | undefined): ServiceName {
  const [, slashNs, name = "", dotNs, port] =
    /^(?:([a-z0-9-]+)\/)?([a-z0-9-]+)(?:\.([a-z0-9-]+))?(?::([a-z0-9-]+))?$/.exec(text) ?? [];
  const namespace = slashNs ?? dotNs ?? defaultNamespace;
  const twice = slashNs !== undefined && dotNs !== undefined;
  if (!isLabel(name) || twice || (namespace !== undefined && !isLabel(namespace)))
    throw new HansaError(
      "HSA1001",
      `${text}: the service must be NS/NAME or NAME[.NS][:PORT], e.g. shop/pay`,
    );
  if (namespace === undefined)
    throw new HansaError("HSA1001", `${text}: in which namespace? Say shop/${name}, ${name}.shop or -n shop`);
  return { namespace, name, port };
}

export interface WorkloadName {
  readonly cluster: string;
  readonly namespace: string;
  readonly workload: string;
}

export function parseWorkload(text: string): WorkloadName {
  const parts = text.split("/");
  const [cluster = "", namespace = "", workload = ""] = parts;
  if (
    parts.length !== 3 ||
    parseClusterName(cluster) === undefined ||
    !isLabel(namespace) ||
    !isLabel(workload)
  )
    throw new HansaError("HSA1001", `${text}: must be CLUSTER/NAMESPACE/WORKLOAD, e.g. eu/shop/web`);
  return { cluster, namespace, workload };
}

export function namespaceOption(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  const text = String(value);
  if (!isLabel(text)) throw new HansaError("HSA1001", `-n ${text}: must be a namespace (lower-case label)`);
  return text;
}

/** A cluster's name on the command line; throws HSA1001. */
export function clusterName(word: string | undefined): string {
  const name = word === undefined ? undefined : parseClusterName(word);
  if (name === undefined)
    throw new HansaError(
      "HSA1001",
      `${word ?? ""}: must be a cluster's name (lower-case letters, digits, -)`,
    );
  return name;
}

export const clusterOption = (value: unknown): string | undefined =>
  value === undefined ? undefined : clusterName(String(value));

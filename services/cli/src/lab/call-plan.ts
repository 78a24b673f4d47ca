/** What `hansa lab call` was asked: `CLUSTER/NS/WORKLOAD SERVICE[:PORT][/PATH]` read into a plan. Pure. */
import { HansaError, isLabel } from "@hansa/core";

export interface CallTarget {
  readonly namespace: string;
  readonly service: string;
  /** Port number or name; undefined: the service's first. */
  readonly port: string | undefined;
  readonly path: string;
}

export interface CallSource {
  readonly cluster: string;
  readonly namespace: string;
  readonly workload: string;
}

export function parseSource(text: string): CallSource {
  const parts = text.split("/");
  const [cluster = "", namespace = "", workload = ""] = parts;
  if (parts.length !== 3 || !parts.every(isLabel))
    throw new HansaError(
      "HSA1001",
      `${text}: the caller must be CLUSTER/NAMESPACE/WORKLOAD, e.g. eu/shop/web`,
    );
  return { cluster, namespace, workload };
}

/** `defaultNamespace` is the caller's. */
export function parseTarget(text: string, defaultNamespace: string): CallTarget {
  const match = /^([a-z0-9-]+)(?:\.([a-z0-9-]+))?(?::([a-z0-9-]+))?(\/.*)?$/.exec(text);
  const [, service = "", namespace = defaultNamespace, port, path = "/"] = match ?? [];
  if (!isLabel(service) || !isLabel(namespace))
    throw new HansaError(
      "HSA1001",
      `${text}: the service must be NAME[.NS][:PORT][/PATH], e.g. pay, pay.shop:80/slow?ms=50`,
    );
  return { namespace, service, port, path };
}

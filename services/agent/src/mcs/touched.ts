/** Which imports a change may concern. Sums, gateways and policies route calls; no import shows them. */
import type { ChangedRegister, FederationReader } from "@hansa/model";
import type { ServiceName } from "./imports.ts";

/** `"all"` where a membership changed. A link is this importer's evidence of a peer: it concerns what the peer serves. */
export function touchedImports(
  changed: readonly ChangedRegister[],
  fed: FederationReader,
  self: string,
): "all" | readonly ServiceName[] {
  const services = new Map<string, ServiceName>();
  const add = (namespace: string, name: string): void => {
    services.set(`${namespace}/${name}`, { namespace, name });
  };
  for (const { cluster, key } of changed) {
    const [kind = "", first = "", second = ""] = key.split("/", 3);
    if (kind === "membership") return "all";
    if (kind === "service" || kind === "endpoint") add(first, second);
    else if (kind === "link" && cluster === self)
      for (const { namespace, name } of fed.serviceNames(first)) add(namespace, name);
  }
  return [...services.values()];
}

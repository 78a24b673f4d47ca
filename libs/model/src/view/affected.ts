/** Which services a change may concern, so that an importer computes nothing else again. */
import { exportersOf } from "./merge.ts";
import { type FederationReader, membersInSight } from "./reader.ts";

export interface ServiceKey {
  readonly namespace: string;
  readonly name: string;
}

/** A register that changed, as the fold reports it. */
export interface ChangedRegister {
  /** Name of the cluster; undefined where its membership is unknown. */
  readonly cluster?: string | undefined;
  readonly key: string;
}

/** `"all"` where membership, policy or identities changed; a link is `link/<peer>`, this importer's evidence of a peer. */
export function affectedServices(
  changed: readonly ChangedRegister[],
  fed: FederationReader,
): "all" | readonly ServiceKey[] {
  const services = new Map<string, ServiceKey>();
  const add = (namespace: string, name: string): void => {
    services.set(`${namespace}/${name}`, { namespace, name });
  };
  for (const { cluster, key } of changed) {
    const [kind = "", namespace = "", name = ""] = key.split("/");
    if (kind === "service" || kind === "load" || kind === "endpoint") add(namespace, name);
    else if (kind === "gateway" || kind === "link") {
      const exporter = kind === "link" ? namespace : cluster;
      if (exporter === undefined) return "all";
      for (const served of fed.serviceNames(exporter)) add(served.namespace, served.name);
    } else if (!INERT.includes(kind)) return "all";
  }
  return [...services.keys()].sort().map((key) => services.get(key)!);
}

/**
 * Registers that no route depends on: bundles go to secrets, asks to the asked, and what operators order takes effect
 * on members, whose memberships the fold then names as changed.
 */
const INERT: readonly string[] = ["", "bundle", "want", "foreign", "command", "hubkey", "operators"];

/** Everything that `importer` may route to: what it serves itself and what others export to it, in order. */
export function serviceKeys(fed: FederationReader, importer: string): ServiceKey[] {
  const candidates = new Map<string, ServiceKey>();
  for (const member of membersInSight({ fed, observer: importer }))
    for (const { namespace, name } of fed.serviceNames(member.cluster))
      candidates.set(`${namespace}/${name}`, { namespace, name });
  return [...candidates.keys()]
    .sort()
    .map((key) => candidates.get(key)!)
    .filter(({ namespace, name }) => exportersOf({ fed, observer: importer }, namespace, name).length > 0);
}

/** What this cluster serves, by service, computed again for changed services only; and the bundles of the members. */
import type { ClusterName, TrustDomain } from "@hansa/core";
import type { BundleValue } from "@hansa/events";
import { type FederationReader, type ServiceKey, type ServingPort, servingPorts } from "@hansa/model";
import type { TrustBundles } from "@hansa/xds";
import type { LocalReader } from "../local-reader.ts";

export class ServingCache {
  readonly #ports = new Map<string, readonly ServingPort[]>();

  update(reader: LocalReader, self: ClusterName, services: readonly ServiceKey[], all: boolean): void {
    if (all) this.#ports.clear();
    else for (const { namespace, name } of services) this.#ports.delete(`${namespace}/${name}`);
    for (const port of servingPorts(all ? reader : reader.only(services), self)) {
      const key = `${port.namespace}/${port.service}`;
      this.#ports.set(key, [...(this.#ports.get(key) ?? []), port]);
    }
  }

  of(namespace: string, name: string): readonly ServingPort[] {
    return this.#ports.get(`${namespace}/${name}`) ?? [];
  }

  all(): ServingPort[] {
    return [...this.#ports.values()].flat();
  }
}

/** Own roots come from the CA itself; others' from their bundle registers, while these have effect. */
export function readBundles(
  reader: FederationReader,
  self: ClusterName,
  own: readonly [TrustDomain, readonly string[]],
): TrustBundles {
  const bundles = new Map<TrustDomain, readonly string[]>([own]);
  for (const member of reader.members()) {
    if (member.cluster === self) continue;
    const value = reader.effective(member.cluster, "bundle", self)?.value as BundleValue | undefined;
    if (value !== undefined && value.trustDomain === member.trustDomain)
      bundles.set(member.trustDomain, value.roots);
  }
  return bundles;
}

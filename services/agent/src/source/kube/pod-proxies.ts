/**
 * The proxies of a cluster's pods: one for each pod that was injected, with the applications that its services' endpoints
 * name. Kept pod by pod: what did not change is the same object.
 */
import { type TrustDomain, workloadId } from "@hansa/core";
import type { EndpointValue } from "@hansa/events";
import type { Sidecar } from "../../proxy/inventory.ts";
import type { Fact } from "../facts.ts";
import { MESH_PORT } from "./endpoints.ts";
import type { PodObject } from "./objects.ts";

export interface PodProxiesOptions {
  readonly trustDomain: TrustDomain;
  /** Of pods that no endpoint places. */
  readonly zone: string;
}

interface Served {
  readonly service: string;
  readonly value: EndpointValue;
}

export class PodProxies {
  readonly #options: PodProxiesOptions;
  readonly #pods = new Map<string, PodObject>();
  /** `ns/pod` → endpoint register → what is served there. */
  readonly #served = new Map<string, Map<string, Served>>();
  readonly #podOf = new Map<string, string>();
  readonly #dirty = new Set<string>();
  #proxies = new Map<string, Sidecar>();

  constructor(options: PodProxiesOptions) {
    this.#options = options;
  }

  pod(key: string, pod: PodObject | undefined): void {
    if (pod?.meshed === true) this.#pods.set(key, pod);
    else if (!this.#pods.delete(key)) return;
    this.#dirty.add(key);
  }

  /** Of any fact: only endpoints count. */
  fact({ type, key, value }: Fact, isSet: boolean): void {
    if (type !== "EndpointSet") return;
    const before = this.#podOf.get(key);
    if (before !== undefined) this.#serve(before, key, undefined);
    this.#podOf.delete(key);
    const [, namespace = "", service = ""] = key.split("/");
    const endpoint = value as EndpointValue;
    // Endpoints that the mesh does not dial serve nothing.
    if (!isSet || Object.keys(endpoint.ports).length === 0) return;
    const pod = `${namespace}/${endpoint.workload}`;
    this.#podOf.set(key, pod);
    this.#serve(pod, key, { service, value: endpoint });
  }

  /** All of them; the same map as before where nothing changed. */
  proxies(): ReadonlyMap<string, Sidecar> {
    if (this.#dirty.size === 0) return this.#proxies;
    const proxies = new Map(this.#proxies);
    for (const key of this.#dirty) {
      const pod = this.#pods.get(key);
      if (pod === undefined) proxies.delete(key);
      else proxies.set(key, this.#sidecar(key, pod));
    }
    this.#dirty.clear();
    this.#proxies = proxies;
    return proxies;
  }

  #serve(pod: string, key: string, served: Served | undefined): void {
    const own = this.#served.get(pod) ?? new Map<string, Served>();
    if (served === undefined) own.delete(key);
    else own.set(key, served);
    if (own.size === 0) this.#served.delete(pod);
    else this.#served.set(pod, own);
    if (this.#pods.has(pod)) this.#dirty.add(pod);
  }

  #sidecar(key: string, { namespace, name, uid, serviceAccount }: PodObject): Sidecar {
    const served = [...(this.#served.get(key)?.values() ?? [])];
    const apps = served.flatMap(({ service, value }) =>
      Object.entries(value.appPorts ?? {}).map(
        ([portKey, port]) =>
          [`${namespace}/${service}/${portKey}`, { address: value.address, port }] as const,
      ),
    );
    return {
      kind: "sidecar",
      id: key,
      spiffeId: workloadId(this.#options.trustDomain, namespace, serviceAccount),
      namespace,
      workload: name,
      address: served[0]?.value.address ?? "",
      inboundPort: MESH_PORT,
      zone: served[0]?.value.zone ?? this.#options.zone,
      apps: new Map(apps.sort(([a], [b]) => (a < b ? -1 : 1))),
      services: [...new Set(served.map(({ service }) => service))].sort(),
      pod: { namespace, name, uid, serviceAccount },
    };
  }
}

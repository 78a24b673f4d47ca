/**
 * The proxies of a cluster's pods: one for each pod that was injected, with the applications that its services' endpoints
 * name. Kept pod by pod: what did not change is the same object.
 */
import { type TrustDomain, workloadId } from "@hansa/core";
import type { EndpointValue } from "@hansa/events";
import type { Inbound } from "@hansa/inject";
import { type Sidecar, sameProxy } from "../../proxy/inventory.ts";
import type { Fact } from "../facts.ts";
import { MESH_PORT } from "./endpoints.ts";
import type { NamespaceObject, PodObject } from "./objects.ts";

export interface PodProxiesOptions {
  readonly trustDomain: TrustDomain;
  /** Of pods that no endpoint places. */
  readonly zone: string;
  /** Of pods that neither say themselves nor by their namespace; undefined where nobody is known as a neighbour: strict. */
  readonly inbound: Inbound | undefined;
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
  readonly #namespaces = new Map<string, NamespaceObject>();
  readonly #dirty = new Set<string>();
  #proxies: ReadonlyMap<string, Sidecar> = new Map();

  constructor(options: PodProxiesOptions) {
    this.#options = options;
  }

  pod(key: string, pod: PodObject | undefined): void {
    if (pod?.meshed === true) this.#pods.set(key, pod);
    else if (!this.#pods.delete(key)) return;
    this.#dirty.add(key);
  }

  namespace(name: string, namespace: NamespaceObject | undefined): void {
    const before = this.#namespaces.get(name);
    if (namespace === undefined) this.#namespaces.delete(name);
    else this.#namespaces.set(name, namespace);
    if (before?.inbound === namespace?.inbound && before !== undefined) return;
    for (const [key, pod] of this.#pods) if (pod.namespace === name) this.#dirty.add(key);
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
    let proxies: Map<string, Sidecar> | undefined;
    for (const key of this.#dirty) {
      const pod = this.#pods.get(key);
      const before = this.#proxies.get(key);
      const now = pod === undefined ? undefined : this.#sidecar(key, pod);
      // An endpoint that is ready, or no longer, is served as before.
      if (before === now || (before !== undefined && now !== undefined && sameProxy(before, now))) continue;
      proxies ??= new Map(this.#proxies);
      if (now === undefined) proxies.delete(key);
      else proxies.set(key, now);
    }
    this.#dirty.clear();
    this.#proxies = proxies ?? this.#proxies;
    return this.#proxies;
  }

  #serve(pod: string, key: string, served: Served | undefined): void {
    const own = this.#served.get(pod) ?? new Map<string, Served>();
    if (served === undefined) own.delete(key);
    else own.set(key, served);
    if (own.size === 0) this.#served.delete(pod);
    else this.#served.set(pod, own);
    if (this.#pods.has(pod)) this.#dirty.add(pod);
  }

  /** The pod's own word, else its namespace's, else the cluster's. A word that nobody knows opens nothing. */
  #inbound({ namespace, inbound }: PodObject): Inbound {
    const known = this.#namespaces.get(namespace);
    if (known === undefined || this.#options.inbound === undefined) return "strict";
    const said = inbound ?? known.inbound ?? this.#options.inbound;
    return said === "permissive" ? "permissive" : "strict";
  }

  #sidecar(key: string, pod: PodObject): Sidecar {
    const { namespace, name, uid, serviceAccount } = pod;
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
      address: served[0]?.value.address ?? pod.ip,
      inboundPort: MESH_PORT,
      zone: served[0]?.value.zone ?? this.#options.zone,
      apps: new Map(apps.sort(([a], [b]) => (a < b ? -1 : 1))),
      services: [...new Set(served.map(({ service }) => service))].sort(),
      pod: { namespace, name, uid, serviceAccount },
      inbound: this.#inbound(pod),
    };
  }
}

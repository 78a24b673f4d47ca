/**
 * All facts of a cluster, kept up to date: a change of an object computes the Services that it touches again and nothing
 * else. What comes out depends on the objects alone, not on the order in which they came.
 */
import { sameJson, type TrustDomain, workloadId } from "@hansa/core";
import { identityKey } from "@hansa/events";
import { type Fact, factOf } from "../facts.ts";
import type { Validity } from "./export-check.ts";
import { Grouped } from "./grouped.ts";
import type {
  ExportObject,
  NamedObject,
  PodObject,
  ServiceObject,
  SliceEndpoint,
  SliceObject,
} from "./objects.ts";
import { type KubePlace, type ServiceFacts, serviceFacts } from "./service-facts.ts";

/** An object was set, or is gone. */
export type ObjectChange =
  | { readonly kind: "service"; readonly key: string; readonly value: ServiceObject | undefined }
  | { readonly kind: "slice"; readonly key: string; readonly value: SliceObject | undefined }
  | { readonly kind: "pod"; readonly key: string; readonly value: PodObject | undefined }
  | { readonly kind: "export"; readonly key: string; readonly value: ExportObject | undefined };

export interface FactChanges {
  readonly set: readonly Fact[];
  /** Facts that are no longer so. */
  readonly gone: readonly Fact[];
  /** `ns/name` of exports whose validity may have changed. */
  readonly exports: readonly string[];
}

/** `namespace/name`, as objects are keyed. */
export const objectKey = ({ namespace, name }: NamedObject): string => `${namespace}/${name}`;

export class KubeFacts {
  readonly #place: KubePlace;
  readonly #trustDomain: TrustDomain;
  readonly #services = new Map<string, ServiceObject>();
  readonly #exports = new Map<string, ExportObject>();
  readonly #pods = new Map<string, PodObject>();
  /** Service → its slices; the group is the Service's key. */
  readonly #slices = new Grouped<SliceObject>((slice) => [`${slice.namespace}/${slice.service}`]);
  /** Pod → slices that name it. */
  readonly #byPod = new Grouped<SliceObject>((slice) =>
    slice.endpoints.flatMap(({ pod }) => (pod === "" ? [] : [`${slice.namespace}/${pod}`])),
  );
  readonly #known = new Map<string, ServiceFacts & { readonly byKey: ReadonlyMap<string, Fact> }>();
  /** Identity → who needs it: Services by key, and `pod` for each meshed pod. */
  readonly #identities = new Map<string, { readonly fact: Fact; count: number }>();
  readonly #dirty = new Set<string>();
  #set = new Map<string, Fact>();
  #gone = new Map<string, Fact>();
  /** Services computed since the start: what changes cost. */
  computedCount = 0;
  /** Endpoints that the mesh cannot dial. */
  unmeshedCount = 0;

  constructor(place: KubePlace, trustDomain: TrustDomain) {
    this.#place = place;
    this.#trustDomain = trustDomain;
  }

  apply(change: ObjectChange): void {
    switch (change.kind) {
      case "service":
        put(this.#services, change.key, change.value);
        this.#dirty.add(change.key);
        return;
      case "export":
        put(this.#exports, change.key, change.value);
        this.#dirty.add(change.key);
        return;
      case "slice":
        for (const service of this.#slices.put(change.key, change.value)) this.#dirty.add(service);
        this.#byPod.put(change.key, change.value);
        return;
      case "pod":
        this.#podChanged(change.key, change.value);
    }
  }

  /** What changed since the last call. */
  take(): FactChanges {
    const exports = [...this.#dirty];
    for (const key of this.#dirty) this.#compute(key);
    this.#dirty.clear();
    const changes = { set: [...this.#set.values()], gone: [...this.#gone.values()], exports };
    this.#set = new Map();
    this.#gone = new Map();
    return changes;
  }

  /** Every fact, after `take`. */
  all(): Map<string, Fact> {
    const facts = new Map<string, Fact>();
    for (const { byKey } of this.#known.values()) for (const [key, fact] of byKey) facts.set(key, fact);
    for (const { fact } of this.#identities.values()) facts.set(fact.key, fact);
    return facts;
  }

  exports(): ReadonlyMap<string, ExportObject> {
    return this.#exports;
  }

  services(): ReadonlyMap<string, ServiceObject> {
    return this.#services;
  }

  /** Addresses of a Service's endpoints that serve. */
  addressesOf(key: string): string[] {
    return [...new Set(this.#serving(key).flatMap(({ addresses }) => addresses))].sort();
  }

  /** Addresses of the nodes on which a Service's gateways serve. */
  nodesOf(key: string): string[] {
    const namespace = key.slice(0, key.indexOf("/"));
    const nodes = this.#serving(key).flatMap(
      ({ pod }) => this.#pods.get(`${namespace}/${pod}`)?.nodeIps ?? [],
    );
    return [...new Set(nodes)].sort();
  }

  #serving(key: string): SliceEndpoint[] {
    const endpoints = this.#slices.of(key).flatMap((slice) => slice.endpoints);
    return endpoints.filter(({ serving, terminating }) => serving && !terminating);
  }

  validityOf(key: string): Validity | undefined {
    return this.#known.get(key)?.validity;
  }

  /** Services with endpoints that the mesh cannot dial, and how many (HSA4009). */
  unmeshed(): { readonly key: string; readonly count: number }[] {
    return [...this.#known].flatMap(([key, { unmeshedCount: count }]) =>
      count === 0 ? [] : [{ key, count }],
    );
  }

  /** Some of its endpoints cannot be dialled by the mesh, or nothing is known of it. */
  isUnmeshed(key: string): boolean {
    return this.#known.get(key)?.unmeshedCount !== 0;
  }

  #podChanged(key: string, pod: PodObject | undefined): void {
    const before = this.#pods.get(key);
    put(this.#pods, key, pod);
    if (before?.meshed === true) this.#identity(before.namespace, before.serviceAccount, -1);
    if (pod?.meshed === true) this.#identity(pod.namespace, pod.serviceAccount, 1);
    for (const slice of this.#byPod.of(key)) this.#dirty.add(`${slice.namespace}/${slice.service}`);
  }

  #compute(key: string): void {
    this.computedCount += 1;
    const object = this.#exports.get(key);
    const before = this.#known.get(key);
    const now =
      object === undefined
        ? undefined
        : serviceFacts(
            {
              object,
              service: this.#services.get(key),
              slices: this.#slices.of(key),
              podOf: (namespace, name) => this.#pods.get(`${namespace}/${name}`),
            },
            this.#place,
          );
    const byKey = new Map<string, Fact>();
    for (const fact of now?.facts ?? []) {
      const known = before?.byKey.get(fact.key);
      const same = known !== undefined && sameJson(known.value, fact.value);
      byKey.set(fact.key, same ? known : fact);
      if (!same) this.#note(fact, true);
    }
    for (const [factKey, fact] of before?.byKey ?? []) if (!byKey.has(factKey)) this.#note(fact, false);
    const namespace = key.slice(0, key.indexOf("/"));
    this.unmeshedCount += (now?.unmeshedCount ?? 0) - (before?.unmeshedCount ?? 0);
    for (const account of now?.serviceAccounts ?? []) this.#identity(namespace, account, 1);
    for (const account of before?.serviceAccounts ?? []) this.#identity(namespace, account, -1);
    if (now === undefined) this.#known.delete(key);
    else this.#known.set(key, { ...now, byKey });
  }

  #note(fact: Fact, isSet: boolean): void {
    (isSet ? this.#gone : this.#set).delete(fact.key);
    (isSet ? this.#set : this.#gone).set(fact.key, fact);
  }

  /** Identities outlive a pod that is replaced by one of the same account: they are counted. */
  #identity(namespace: string, account: string, by: 1 | -1): void {
    const key = identityKey(namespace, account);
    const known = this.#identities.get(key);
    const count = (known?.count ?? 0) + by;
    if (count === 0) {
      this.#identities.delete(key);
      if (known !== undefined) this.#note(known.fact, false);
      return;
    }
    if (known !== undefined) known.count = count;
    else {
      const spiffeId = workloadId(this.#trustDomain, namespace, account);
      const fact = factOf("IdentitySet", key, { spiffeId });
      this.#identities.set(key, { fact, count });
      this.#note(fact, true);
    }
  }
}

function put<T>(map: Map<string, T>, key: string, value: T | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}

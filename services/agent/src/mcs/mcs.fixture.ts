/** For specs: an import as it is served, and an API server that keeps what is written to it. */
import { type AccountKey, type ClusterName, type FederationName, trustDomainOf } from "@hansa/core";
import type { Grant, ServiceValue } from "@hansa/events";
import type { Write } from "@hansa/kube";
import type { FederationReader, ImportedEndpoint, Participant, RegisterOf, RegisterView } from "@hansa/model";
import type { Json } from "../source/kube/json.ts";
import type { ServedImport } from "./imports.ts";
import { type ActualImport, type ActualSlice, projectImport, projectMcsSlice } from "./objects.ts";

export const endpoint = (address: string, more: Partial<ImportedEndpoint> = {}): ImportedEndpoint => ({
  id: address,
  address,
  family: address.includes(":") ? "IPv6" : "IPv4",
  hostname: "",
  ready: true,
  serving: true,
  terminating: false,
  zone: "a",
  ports: { http: 8080 },
  ...more,
});

export const served = (
  endpoints: Readonly<Record<string, readonly ImportedEndpoint[]>>,
  more: Partial<ServedImport> = {},
): ServedImport => ({
  namespace: "shop",
  name: "pay",
  type: "ClusterSetIP",
  ports: [{ name: "http", portKey: "http", port: 80, transport: "TCP" }],
  ipFamilies: ["IPv4"],
  ips: ["10.250.0.9"],
  clusters: Object.keys(endpoints)
    .sort()
    .map((cluster) => ({
      cluster: cluster as ClusterName,
      portKeys: ["http"],
      reachable: true,
      endpoints: endpoints[cluster] ?? [],
    })),
  sessionAffinity: "None",
  labels: {},
  annotations: {},
  ...more,
});

/** Server-side apply as far as one manager sees it: what it no longer applies is gone. */
export class MemoryServer {
  /** `<plural> <namespace>/<name>` → object. */
  readonly objects = new Map<string, Json>();
  #uid = 0;

  run(writes: readonly Write[]): void {
    for (const write of writes) {
      const { resource, namespace, name, subresource } = write.target;
      const key = `${resource.plural} ${namespace}/${name}`;
      const before = this.objects.get(key) as { metadata: Json; status?: Json } | undefined;
      if (write.kind === "delete") this.objects.delete(key);
      else if (subresource === "status") this.objects.set(key, { ...before, ...write.fields });
      else {
        const { labels, annotations, ownerReferences, fields } = write;
        const uid = before?.metadata.uid ?? this.#newUid();
        const metadata = { namespace, name, labels, annotations, ownerReferences, uid, generation: 1 };
        this.objects.set(key, { metadata, ...fields, status: before?.status });
      }
    }
  }

  #newUid(): string {
    this.#uid += 1;
    return `uid-${this.#uid}`;
  }

  import(key = "shop/pay"): ActualImport | undefined {
    const object = this.objects.get(`serviceimports ${key}`);
    return object === undefined ? undefined : projectImport(object);
  }

  slices(): ActualSlice[] {
    return [...this.objects].flatMap(([key, object]) =>
      key.startsWith("endpointslices ") ? (projectMcsSlice(object) ?? []) : [],
    );
  }
}

/** A fold of services alone, each exported to all. */
export class Exports implements FederationReader {
  readonly options = { genesis: { federation: "lab.hansa" as FederationName } };
  readonly #services = new Map<string, Map<string, RegisterOf<"ServiceSet">>>();

  constructor(clusters: readonly string[]) {
    for (const cluster of clusters) this.#services.set(cluster, new Map());
  }

  set(cluster: string, name: string, value: Partial<ServiceValue> | null): this {
    const key = `service/shop/${name}`;
    const position = { epoch: 1, seq: 1 };
    const whole: ServiceValue = {
      type: "ClusterSetIP",
      ports: [{ name: "http", port: 80, protocol: "http" }],
      serviceAccounts: [name],
      createdMs: 0,
      export: { sinceMs: 0, to: "all" },
      ...value,
    };
    if (value === null) this.#services.get(cluster)?.delete(key);
    else
      this.#services
        .get(cluster)
        ?.set(key, { type: "ServiceSet", key, lane: "sum", at: 0, position, value: whole });
    return this;
  }

  members(): readonly Participant[] {
    return [...this.#services.keys()].map((cluster) => this.member(cluster)!);
  }

  member(cluster: string): Participant | undefined {
    if (!this.#services.has(cluster)) return undefined;
    return {
      cluster: cluster as ClusterName,
      account: cluster as AccountKey,
      trustDomain: trustDomainOf(cluster, "lab.hansa"),
      membership: { admittedMs: 0, grant: { region: cluster, network: "" } as Grant },
      state: "active",
    };
  }

  effective(cluster: string, key: string): RegisterView | undefined {
    return this.#services.get(cluster)?.get(key);
  }

  effect<View extends RegisterView>(_cluster: string, view: View): View {
    return view;
  }

  ofType<Type extends RegisterView["type"]>(cluster: string, type: Type): Iterable<RegisterOf<Type>> {
    const all: Iterable<RegisterView> = this.#services.get(cluster)?.values() ?? [];
    return [...all].filter((view) => view.type === type) as RegisterOf<Type>[];
  }

  ofService(): Iterable<RegisterView> {
    return [];
  }

  serviceNames(cluster: string): Iterable<{ namespace: string; name: string }> {
    return [...(this.#services.get(cluster)?.keys() ?? [])].map((key) => ({
      namespace: "shop",
      name: key.split("/")[2] ?? "",
    }));
  }
}

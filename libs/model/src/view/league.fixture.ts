/** A federation of plain registers for the specs of the view: no logs, no signatures, every register has effect. */
import {
  type AccountKey,
  type ClusterName,
  type FederationName,
  parseFederationName,
  trustDomainOf,
} from "@hansa/core";
import {
  type EndpointValue,
  type Grant,
  type LinkState,
  type LinkValue,
  parseKey,
  type ServiceExportValue,
  type ServicePort,
  type ServiceValue,
} from "@hansa/events";
import type { MemberState, RegisterOf, RegisterView } from "../fold/types.ts";
import type { FederationReader, Participant } from "./reader.ts";
import type { Vantage } from "./types.ts";

export interface MemberOptions {
  readonly region?: string;
  readonly network?: string;
  readonly state?: MemberState;
  readonly admittedMs?: number;
}

export interface ServeOptions {
  readonly ports?: readonly ServicePort[];
  readonly healthy?: number;
  readonly total?: number;
  readonly weight?: number;
  readonly sinceMs?: number;
  readonly to?: "all" | readonly string[];
  readonly exported?: boolean;
  readonly serviceAccounts?: readonly string[];
  readonly type?: "ClusterSetIP" | "Headless";
  readonly zone?: string;
  /** Further fields of the service and of its export. */
  readonly fields?: Partial<ServiceValue>;
  readonly exportFields?: Partial<ServiceExportValue>;
}

export const HTTP: ServicePort = { name: "http", port: 80, protocol: "http" };
export const NAMESPACE = "shop";

export class League implements FederationReader {
  readonly options = {
    genesis: { federation: parseFederationName("lab.hansa") ?? ("" as FederationName) },
  };
  readonly #members = new Map<string, Participant>();
  readonly #registers = new Map<string, Map<string, RegisterView>>();
  #position = 0;

  /** Adds or changes a member. */
  admit(name: string, options: MemberOptions = {}): this {
    const grant: Grant = {
      namespaces: ["*"],
      cidrs: ["0.0.0.0/0"],
      region: options.region ?? name,
      zones: [],
      network: options.network ?? "",
      claims: [],
      quotas: { services: 1, endpoints: 1, identities: 1, bytesPerSecond: 1, recordsPerSecond: 1 },
    };
    this.#members.set(name, {
      cluster: name as ClusterName,
      account: name as AccountKey,
      trustDomain: trustDomainOf(name, this.options.genesis.federation),
      membership: { admittedMs: options.admittedMs ?? 0, grant },
      state: options.state ?? "active",
    });
    return this;
  }

  set(cluster: string, key: string, value: RegisterView["value"]): this {
    const type = parseKey(key)?.type;
    if (type === undefined) throw new Error(`not a key: ${key}`);
    this.#position += 1;
    const lane = type === "EndpointSet" ? "ep" : "sum";
    const view = { type, key, lane, value, position: { epoch: 1, seq: this.#position }, at: this.#position };
    this.#of(cluster).set(key, view as RegisterView);
    return this;
  }

  remove(cluster: string, key: string): this {
    this.#of(cluster).delete(key);
    return this;
  }

  /** A service `shop/<name>` behind one gateway, seen through its sums. */
  serve(cluster: string, name: string, options: ServeOptions = {}): this {
    const ports = options.ports ?? [HTTP];
    const region = this.#members.get(cluster)?.membership.grant.region ?? cluster;
    const healthy = options.healthy ?? 2;
    const exported = options.exported ?? true;
    this.set(cluster, `service/${NAMESPACE}/${name}`, {
      type: options.type ?? "ClusterSetIP",
      ports,
      serviceAccounts: options.serviceAccounts ?? [name],
      createdMs: 0,
      export: exported
        ? { sinceMs: options.sinceMs ?? 0, to: options.to ?? "all", ...options.exportFields }
        : null,
      ...options.fields,
    });
    for (const port of ports) {
      const portKey = port.name === "" ? `p--${port.port}` : port.name;
      const total = options.total ?? healthy;
      this.set(cluster, `load/${NAMESPACE}/${name}/${portKey}/${region}/${options.zone ?? "a"}`, {
        healthy,
        total,
        desired: total,
        weight: options.weight ?? healthy,
      });
    }
    return this.gateway(cluster);
  }

  gateway(cluster: string, name = "gw", ready = true): this {
    const index = [...this.#members.keys()].indexOf(cluster);
    const address = `10.0.${index}.${name === "gw" ? 1 : 2 + name.length}`;
    return this.set(cluster, `gateway/${name}`, { address, port: 15443, region: cluster, ready });
  }

  endpoint(cluster: string, service: string, id: string, options: Partial<EndpointValue> = {}): this {
    const index = [...this.#members.keys()].indexOf(cluster);
    return this.set(cluster, `endpoint/${NAMESPACE}/${service}/${id}`, {
      address: `10.1.${index}.${id.replace(/\D/g, "")}`,
      ports: { http: 15006 },
      ready: true,
      region: this.#members.get(cluster)?.membership.grant.region ?? cluster,
      zone: "a",
      weight: 1,
      serviceAccount: service,
      workload: service,
      ...options,
    });
  }

  link(importer: string, peer: string, state: LinkState): this {
    return this.set(importer, `link/${peer}`, linkValue(state));
  }

  members(): readonly Participant[] {
    return [...this.#members.values()];
  }

  member(cluster: string): Participant | undefined {
    return this.#members.get(cluster);
  }

  effective(cluster: string, key: string): RegisterView | undefined {
    return this.#of(cluster).get(key);
  }

  effect<View extends RegisterView>(_cluster: string, view: View): View {
    return view;
  }

  ofType<Type extends RegisterView["type"]>(cluster: string, type: Type): Iterable<RegisterOf<Type>> {
    return [...this.#of(cluster).values()].filter((view) => view.type === type) as RegisterOf<Type>[];
  }

  ofService(cluster: string, namespace: string, name: string): Iterable<RegisterView> {
    return [...this.#of(cluster).values()].filter(({ key }) => {
      const [kind = "", ns, service] = key.split("/");
      return ["service", "load", "endpoint"].includes(kind) && ns === namespace && service === name;
    });
  }

  serviceNames(cluster: string): Iterable<{ namespace: string; name: string }> {
    return [...this.ofType(cluster, "ServiceSet")].map(({ key }) => {
      const [, namespace = "", name = ""] = key.split("/");
      return { namespace, name };
    });
  }

  #of(cluster: string): Map<string, RegisterView> {
    const registers = this.#registers.get(cluster) ?? new Map<string, RegisterView>();
    this.#registers.set(cluster, registers);
    return registers;
  }
}

export const linkValue = (state: LinkState): LinkValue => ({
  lease: state === "stale" || state === "lost" ? "lost" : "ok",
  probe: state === "unreachable" || state === "lost" ? "fail" : "ok",
  state,
  stage: "",
  sinceMs: 0,
  rttMs: null,
  selfDoubt: false,
});

export const vantage = (cluster: string, region = cluster, zone = "a"): Vantage => ({
  cluster: cluster as ClusterName,
  region,
  zone,
});

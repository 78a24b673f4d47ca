/** Clusters with real API servers, each with a real agent on a real hub: what a user of the MCS API meets. */
import { kinds } from "../../deploy/tools/kube/kinds.ts";
import { type Kube, type KubeOptions, startKube } from "../../deploy/tools/kube/kube.ts";
import { AgentRig, type Name, until } from "../contract/agent-rig.ts";

/** Of each cluster's agent, on the address of its admin API. */
export const DNS_PORT = 15_053;
const NUMBER = { eu: 1, us: 2, ap: 3 } as const;

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
  readonly observedGeneration: number;
}

export interface KubeObjectJson {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly { readonly kind: string; readonly uid: string }[];
  };
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status?: {
    readonly clusters?: readonly { cluster: string }[];
    readonly conditions?: readonly Condition[];
  };
  readonly addressType?: string;
  readonly ports?: readonly unknown[];
  readonly endpoints?: readonly { readonly addresses: readonly string[]; readonly hostname?: string }[];
}

export const podCidr = (name: Name): string => `10.24${NUMBER[name]}.0.0/16`;
export const poolOf = (name: Name): string => `10.25${NUMBER[name]}.0.0/16`;

export class McsRig {
  readonly kube: Kube;
  readonly agents: AgentRig;
  readonly names: readonly Name[];

  /** `more`: of each agent's source. */
  static async start(
    names: readonly Name[],
    more: Readonly<Record<string, unknown>> = {},
    lab: Partial<KubeOptions> = {},
  ): Promise<McsRig> {
    const [kube, agents] = await Promise.all([startKube({ clusters: names, ...lab }), AgentRig.start()]);
    const rig = new McsRig(kube, agents, names);
    await Promise.all(names.map((name) => kube.cluster(name).apply(kinds())));
    for (const name of names) {
      const cidrs = [`127.${agents.octet}.${NUMBER[name]}.0/24`, podCidr(name)];
      const namespaces = ["shop", "late"];
      const token = await agents.joinToken(name, { cidrs, namespaces });
      const source = { kubernetes: rig.source(name, more) };
      const dns = { listen: [{ host: agents.address(name, 2), port: DNS_PORT }] };
      agents.configure(name, token, { cidrs, namespaces: [...namespaces, "private"], source, dns });
    }
    await Promise.all(names.map((name) => agents.agent(name)));
    return rig;
  }

  constructor(kube: Kube, agents: AgentRig, names: readonly Name[]) {
    this.kube = kube;
    this.agents = agents;
    this.names = names;
  }

  source(name: Name, more: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
    return {
      kubeconfig: this.kube.kubeconfig,
      context: name,
      clusterSetIps: [poolOf(name)],
      leaseNamespace: "default",
      ...more,
    };
  }

  async stop(): Promise<void> {
    await this.agents.stop();
    await this.kube.close();
  }

  async apply(name: Name, ...objects: readonly object[]): Promise<void> {
    await this.kube.cluster(name).apply(objects.map((object) => JSON.stringify(object)).join("\n---\n"));
  }

  async delete(name: Name, kind: string, object: string): Promise<void> {
    await this.kube.cluster(name).kubectl.ok(["-n", "shop", "delete", kind, object, "--wait=false"]);
  }

  /** undefined where there is none. */
  async get(name: Name, kind: string, object: string): Promise<KubeObjectJson | undefined> {
    const { kubectl } = this.kube.cluster(name);
    const { code, stdout, stderr } = await kubectl.run([
      "-n",
      namespaceOf(object),
      "get",
      kind,
      nameOf(object),
      "-o",
      "json",
    ]);
    if (code === 0) return JSON.parse(stdout);
    if (stderr.includes("NotFound")) return undefined;
    throw new Error(stderr);
  }

  async list(name: Name, kind: string, selector: string): Promise<readonly KubeObjectJson[]> {
    const { kubectl } = this.kube.cluster(name);
    return JSON.parse(await kubectl.ok(["-n", "shop", "get", kind, "-l", selector, "-o", "json"])).items;
  }

  /** Waits for an import that satisfies `holds`. */
  async import(
    name: Name,
    service: string,
    holds: (found: KubeObjectJson) => boolean = () => true,
  ): Promise<KubeObjectJson> {
    let found: KubeObjectJson | undefined;
    await until(`${name} imports ${service}`, async () => {
      found = await this.get(name, "serviceimport", service);
      return found !== undefined && holds(found);
    });
    return found as KubeObjectJson;
  }

  async noImport(name: Name, service: string): Promise<void> {
    await until(
      `${name} imports ${service} no more`,
      async () => (await this.get(name, "serviceimport", service)) === undefined,
    );
  }

  /** Waits for a condition of an export, or of another kind, by `Type=Status/Reason`. */
  async condition(name: Name, service: string, wanted: string, kind = "serviceexport"): Promise<Condition> {
    let shown: readonly Condition[] = [];
    const texts = () => shown.map(({ type, status, reason }) => `${type}=${status}/${reason}`);
    try {
      await until(`${name} says ${wanted} of ${service}`, async () => {
        shown = (await this.get(name, kind, service))?.status?.conditions ?? [];
        return texts().includes(wanted);
      });
    } catch (cause) {
      throw new Error(`${name}: ${service} has ${texts().join(" ") || "no condition"}, not ${wanted}`, {
        cause,
      });
    }
    return shown[texts().indexOf(wanted)] as Condition;
  }
}

/** `ns/name`, or a name in `shop`. */
const namespaceOf = (object: string): string =>
  object.includes("/") ? (object.split("/")[0] ?? "") : "shop";
const nameOf = (object: string): string => object.split("/").at(-1) ?? "";
const metadata = (object: string, more: object = {}) => ({
  namespace: namespaceOf(object),
  name: nameOf(object),
  ...more,
});

export const namespace = (name: string, labels: object = {}) => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name, labels },
});

export const service = (name: string, spec: object = {}) => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: metadata(name, { labels: { secret: "x" } }),
  spec: { ports: [{ name: "tcp", port: 42, protocol: "TCP" }], ...spec },
});

export const serviceExport = (name: string, spec: object = {}, annotations: object = {}) => ({
  apiVersion: "multicluster.x-k8s.io/v1beta1",
  kind: "ServiceExport",
  metadata: metadata(name, { annotations }),
  spec,
});

/** Endpoints of a Service without selector, as an operator would give them. */
export const slice = (of: string, addresses: readonly string[]) => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: metadata(`${of}-manual`, { labels: { "kubernetes.io/service-name": nameOf(of) } }),
  addressType: "IPv4",
  ports: [{ name: "tcp", port: 4242, protocol: "TCP" }],
  endpoints: addresses.map((address, index) => ({
    addresses: [address],
    hostname: `${nameOf(of)}-${index}`,
    conditions: { ready: true },
  })),
});

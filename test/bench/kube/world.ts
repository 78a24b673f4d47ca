/**
 * Two clusters with real API servers in one flat network: us exports services whose pods nobody runs, eu runs one pod
 * with a real Envoy that the webhook injected; only eu has nodes, so that nothing writes the rules of us's Services, which
 * in a real cluster is the work of other machines. Real agents, hub, NATS and Postgres; both agents note the stages of a change.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { endpointKey } from "@hansa/events";
import {
  ENDPOINT_SLICES,
  type KubeClient,
  PODS,
  type Resource,
  SERVICE_ACCOUNTS,
  SERVICES,
  serviceExports,
} from "@hansa/kube";
import type { Child } from "../../../deploy/tools/child.ts";
import { kinds } from "../../../deploy/tools/kube/kinds.ts";
import { type Kube, startKube } from "../../../deploy/tools/kube/kube.ts";
import { root } from "../../../deploy/tools/paths.mjs";
import { AgentRig } from "../../contract/agent-rig.ts";
import { asPod, inPod } from "../../kube/support/as-pod.ts";
import { clientOf, ports } from "../../kube/support/client.ts";
import { each, sure } from "../../kube/support/slices.ts";
import type { Note } from "../propagation/probe.ts";
import { sleep, until } from "../support/numbers.ts";

export const CLUSTERS = ["eu", "us"] as const;
export type Cluster = (typeof CLUSTERS)[number];

const PROBE = join(root, "test/bench/propagation/probe.ts");
const NAMESPACE = "shop";
const [ADS, HOOK] = [15_010, 15_017];
const TOKEN_SECONDS = 7200;
/** Imports, slices and conditions are written at 50 a second. */
const WRITTEN_WITHIN_MS = 900_000;
const QUOTAS = {
  services: 10_000,
  endpoints: 40_000,
  identities: 100,
  bytesPerSecond: 8e6,
  recordsPerSecond: 500,
};

const serviceName = (index: number): string => `s${index}`;
/** Of the register that a turn changes. */
export const turnedKey = (index: number): string =>
  endpointKey(NAMESPACE, serviceName(index), addressOf(index));
const addressOf = (index: number): string => `10.80.${index >> 8}.${index & 255}`;

export class KubeWorld {
  readonly kube: Kube;
  readonly rig: AgentRig;
  readonly #agents: Partial<Record<Cluster, Child>> = {};
  readonly #clients: Readonly<Record<Cluster, KubeClient>>;
  #services = 0;
  /** Services whose endpoint is not ready now. */
  readonly #unready = new Set<number>();

  /** Throws, and leaves nothing running, where one of the parts does not come up. */
  static async start(): Promise<KubeWorld> {
    const rig = await AgentRig.start();
    const forwards = [{ port: ADS, to: doorOf(rig, "eu") }];
    const kube = await startKube({ clusters: CLUSTERS, nodes: { clusters: ["eu"], forwards } });
    const world = new KubeWorld(kube, rig);
    try {
      mkdirSync(world.#notes);
      for (const name of CLUSTERS) await world.#join(name);
      await world.#prepare();
      return world;
    } catch (error) {
      await world.stop();
      throw error;
    }
  }

  private constructor(kube: Kube, rig: AgentRig) {
    this.kube = kube;
    this.rig = rig;
    const client = (name: Cluster): KubeClient =>
      clientOf(kube.cluster(name), ports(), { rights: undefined });
    this.#clients = { eu: client("eu"), us: client("us") };
  }

  async #join(name: Cluster): Promise<void> {
    const { rig } = this;
    const cluster = this.kube.cluster(name);
    await cluster.apply(kinds());
    const { nodeIp, podCidr } = cluster.options.plan;
    const cidrs = [`${rig.address(name, 0)}/24`, podCidr, "10.80.0.0/16"];
    const token = await rig.joinToken(name, { cidrs, network: "flat", quotas: QUOTAS });
    const [host = ""] = doorOf(rig, name).split(":");
    const sidecars = {
      host: nodeIp,
      listen: { host, port: ADS },
      webhook: { host, port: HOOK, advertised: host },
      proxyImage: "envoyproxy/envoy:v1.40.0",
      rulesImage: "hansa:lab",
    };
    const clusterSetIps = [name === "eu" ? "10.251.0.0/16" : "10.252.0.0/16"];
    const kubernetes = { clusterSetIps, leaseNamespace: "default", sidecars };
    rig.configure(name, token, { cidrs, network: "flat", source: { kubernetes } });
    const flags = `--import=${pathToFileURL(PROBE).href} ${process.env.HANSA_BENCH_NODE_FLAGS ?? ""}`;
    const env = { NODE_OPTIONS: flags, HANSA_BENCH_PROBE: this.#notes, ...inPod(cluster) };
    const within = asPod(cluster, join(rig.folder, name, "account"));
    this.#agents[name] = await rig.agent(name, { env, within });
    await rig.envoy(name, "gateway/gw", rig.address(name, 1));
  }

  async stop(): Promise<void> {
    await this.kube.close();
    await this.rig.stop();
  }

  pid(name: Cluster): number {
    return this.#agents[name]!.pid;
  }

  /** What an agent has noted since CLOCK_MONOTONIC was `sinceMs`. */
  notes(name: Cluster, sinceMs: number): Note[] {
    return readFileSync(join(this.#notes, `${name}.jsonl`), "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Note)
      .filter(({ atMs }) => atMs >= sinceMs);
  }

  async #prepare(): Promise<void> {
    const injected = { name: NAMESPACE, labels: { "hansa.dev/inject": "enabled" } };
    await this.kube
      .cluster("us")
      .apply(JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } }));
    const eu = this.kube.cluster("eu");
    await until("eu's webhook is there", async () => (await eu.kubectl.run(["get", HOOK_OBJECT])).code === 0);
    await eu.apply(JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: injected }));
    const shell = { name: "app", image: "busybox", command: ["sleep", "86400"] };
    await this.#create("eu", PODS, pod("caller", { containers: [shell] }));
    await eu.kubectl.ok(["-n", NAMESPACE, "wait", "pod/caller", "--for=condition=Ready", "--timeout=60s"]);
  }

  /** Until us exports `count` services of one pod each, and both clusters show them. */
  async grow(count: number): Promise<void> {
    const fresh = Array.from({ length: count - this.#services }, (_, index) =>
      String(this.#services + index),
    );
    this.#services = count;
    await each(fresh, async (text) => {
      const index = Number(text);
      const name = serviceName(index);
      const ports = [{ name: "http", port: 80, protocol: "TCP" }];
      await this.#create("us", PODS, podThatNobodyRuns(name));
      await this.#create("us", SERVICES, { ...object("v1", "Service", name), spec: { ports } });
      await this.#create("us", ENDPOINT_SLICES, slice(index, true));
      await this.#create("us", EXPORTS, object("multicluster.x-k8s.io/v1beta1", "ServiceExport", name));
    });
    for (const name of CLUSTERS) {
      const deadlineMs = performance.now() + WRITTEN_WITHIN_MS;
      while ((await this.#slicesOfImports(name)) < count) {
        if (performance.now() > deadlineMs) throw new Error(`${name}: not all imports have slices`);
        await sleep(2000);
      }
    }
  }

  /** Turns the endpoint of a service. Throws where the API server refuses, and then nothing has turned. */
  async turn(index: number): Promise<void> {
    const ready = this.#unready.has(index);
    const target = { resource: ENDPOINT_SLICES, namespace: NAMESPACE, name: serviceName(index) };
    await sure(this.#clients.us, { method: "PUT", target, body: slice(index, ready) });
    if (ready) this.#unready.delete(index);
    else this.#unready.add(index);
  }

  /** `<node id> <token>` of pods of eu that nobody runs, made where they are not there. */
  async callers(count: number): Promise<string> {
    const lines: string[] = [];
    for (let index = 0; index < count; index += 1) {
      const name = `caller-${index}`;
      await this.#create("eu", PODS, podThatNobodyRuns(name)).catch(() => {});
      lines.push(`${NAMESPACE}/${name} ${await this.#tokenOf(name)}`);
    }
    return `${lines.join("\n")}\n`;
  }

  /** Roots that the agent of eu shows its pods. */
  async doorRoots(): Promise<string> {
    const path = "jsonpath={.webhooks[0].clientConfig.caBundle}";
    const bundle = await this.kube.cluster("eu").kubectl.ok(["get", HOOK_OBJECT, "-o", path]);
    return Buffer.from(bundle, "base64").toString();
  }

  get #notes(): string {
    return join(this.rig.folder, "notes");
  }

  get doorAddress(): string {
    return doorOf(this.rig, "eu");
  }

  async #tokenOf(podName: string): Promise<string> {
    const boundObjectRef = { kind: "Pod", apiVersion: "v1", name: podName };
    const answer = await sure(this.#clients.eu, {
      method: "POST",
      target: { resource: SERVICE_ACCOUNTS, namespace: NAMESPACE, name: "default", subresource: "token" },
      body: {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        spec: { audiences: ["hansa"], expirationSeconds: TOKEN_SECONDS, boundObjectRef },
      },
    });
    return (answer.status as { readonly token: string }).token;
  }

  async #slicesOfImports(name: Cluster): Promise<number> {
    const all = await sure(this.#clients[name], {
      method: "GET",
      target: { resource: ENDPOINT_SLICES, namespace: NAMESPACE },
      query: { labelSelector: "multicluster.kubernetes.io/service-name" },
      answerBytesMax: 2 ** 28,
    });
    return (all.items as readonly unknown[]).length;
  }

  async #create(name: Cluster, resource: Resource, body: object): Promise<void> {
    await sure(this.#clients[name], { method: "POST", target: { resource, namespace: NAMESPACE }, body });
  }
}

/** Where pods' proxies come for their configuration. */
const doorOf = (rig: AgentRig, name: Cluster): string => `127.${rig.octet}.9.${name === "eu" ? 1 : 2}:${ADS}`;

const EXPORTS = serviceExports("v1beta1");
const HOOK_OBJECT = "mutatingwebhookconfiguration/hansa-sidecars";

const object = (apiVersion: string, kind: string, name: string, labels: object = {}) => ({
  apiVersion,
  kind,
  metadata: { name, namespace: NAMESPACE, labels },
});

const pod = (name: string, spec: object, labels: object = {}): object => ({
  ...object("v1", "Pod", name, labels),
  spec: { terminationGracePeriodSeconds: 1, ...spec },
});

/** Counts as one with a proxy; no node takes it. */
const podThatNobodyRuns = (name: string): object =>
  pod(
    name,
    { containers: [{ name: "none", image: "none" }], schedulingGates: [{ name: "hansa.dev/never" }] },
    { "hansa.dev/proxy": "sidecar" },
  );

const slice = (index: number, ready: boolean): object => ({
  ...object("discovery.k8s.io/v1", "EndpointSlice", serviceName(index), {
    "kubernetes.io/service-name": serviceName(index),
  }),
  addressType: "IPv4",
  ports: [{ name: "http", port: 8080, protocol: "TCP" }],
  endpoints: [
    {
      addresses: [addressOf(index)],
      conditions: { ready },
      targetRef: { kind: "Pod", name: serviceName(index), namespace: NAMESPACE },
    },
  ],
});

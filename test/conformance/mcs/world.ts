/**
 * One spec's clusters: a namespace of its own in each, a request pod that commands run in, and words for what specs do
 * and wait for. Bounds are the official suite's.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { KubeCluster } from "../../../deploy/tools/kube/cluster.ts";
import {
  HELLO,
  helloDeployment,
  helloExport,
  helloService,
  type Json,
  REQUEST,
  requestPod,
} from "./objects.ts";

/** Imports, conditions, names; endpoint slices and pods; one command. */
export const AWAIT_MS = 20_000;
export const PODS_MS = 60_000;
const EXEC_MS = 10_000;
const POLL_MS = 200;
/** Creation times count in seconds: which export is older must be told. */
export const OLDER_MS = 1100;

export interface Condition {
  readonly type: string;
  readonly status: string;
}

// biome-ignore lint/suspicious/noExplicitAny: objects as the API server gives them.
export type Found = any;

export class World {
  readonly namespace = `mcs-conformance-${randomBytes(4).toString("hex")}`;
  /** The first exports. */
  readonly clusters: readonly KubeCluster[];

  constructor(clusters: readonly KubeCluster[]) {
    this.clusters = clusters;
  }

  get first(): KubeCluster {
    return this.clusters[0]!;
  }

  get second(): KubeCluster {
    return this.clusters[1]!;
  }

  async open(): Promise<void> {
    const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: this.namespace } };
    await Promise.all(
      this.clusters.map(async (cluster) => {
        await cluster.apply(JSON.stringify(namespace));
        await eventually(`the default account of ${cluster.name}`, PODS_MS, async () =>
          assert.notEqual(await this.get(cluster, "serviceaccount", "default"), undefined),
        );
        await this.apply(cluster, requestPod);
      }),
    );
    await Promise.all(
      this.clusters.map((cluster) =>
        this.#kubectl(cluster, ["wait", "--for=condition=Ready", `pod/${REQUEST}`, `--timeout=${PODS_MS}ms`]),
      ),
    );
  }

  async close(): Promise<void> {
    await Promise.all(
      this.clusters.map(({ kubectl }) =>
        kubectl.run(["delete", "namespace", this.namespace, "--wait=false"]),
      ),
    );
  }

  // === doing ===

  async apply(cluster: KubeCluster, ...objects: readonly Json[]): Promise<void> {
    const stdin = objects.map((object) => JSON.stringify(object)).join("\n---\n");
    await this.#kubectl(cluster, ["apply", "--server-side", "-f", "-"], stdin);
  }

  /** Service and pods of hello, on this cluster. */
  async deploy(
    cluster: KubeCluster,
    service: Json = helloService(),
    workload: Json | null = helloDeployment(),
  ): Promise<void> {
    await this.apply(cluster, service, ...(workload === null ? [] : [workload]));
  }

  async export(cluster: KubeCluster, spec: Json = {}): Promise<void> {
    await this.apply(cluster, helloExport(spec));
  }

  async unexport(cluster: KubeCluster): Promise<void> {
    await this.#kubectl(cluster, ["delete", "serviceexport", HELLO, "--wait=false"]);
  }

  /** Stdout of a command in the request pod; "" where it failed, as the official suite takes it. */
  async exec(cluster: KubeCluster, ...command: readonly string[]): Promise<string> {
    const args = ["-n", this.namespace, "exec", REQUEST, "--", ...command];
    return (await cluster.kubectl.run(args, { timeoutMs: EXEC_MS })).stdout;
  }

  async #kubectl({ kubectl }: KubeCluster, args: readonly string[], stdin?: string): Promise<string> {
    return await kubectl.ok(["-n", this.namespace, ...args], {
      timeoutMs: PODS_MS + 10_000,
      ...(stdin === undefined ? {} : { stdin }),
    });
  }

  // === looking ===

  async get(cluster: KubeCluster, kind: string, name: string): Promise<Found | undefined> {
    const text = await this.#kubectl(cluster, ["get", kind, name, "--ignore-not-found", "-o", "json"]);
    return text === "" ? undefined : JSON.parse(text);
  }

  async list(cluster: KubeCluster, kind: string, selector: string): Promise<readonly Found[]> {
    return JSON.parse(await this.#kubectl(cluster, ["get", kind, "-l", selector, "-o", "json"])).items;
  }

  /** Waits for hello's ServiceImport, and for it to be as `check` says. */
  async import(cluster: KubeCluster, check: (found: Found) => void = () => {}): Promise<Found> {
    return await eventually(`the ServiceImport of ${cluster.name}`, AWAIT_MS, async () => {
      const found = await this.get(cluster, "serviceimport", HELLO);
      assert.ok(found !== undefined, "ServiceImport was not found");
      check(found);
      return found;
    });
  }

  async noImport(cluster: KubeCluster): Promise<void> {
    await eventually(`no ServiceImport in ${cluster.name}`, AWAIT_MS, async () =>
      assert.equal(await this.get(cluster, "serviceimport", HELLO), undefined, "ServiceImport still exists"),
    );
  }

  /** Nothing is there now: what the spec waits for comes from the export. */
  async nothingYet(): Promise<void> {
    for (const cluster of this.clusters)
      assert.equal(await this.get(cluster, "serviceimport", HELLO), undefined, "an import before any export");
  }

  async condition(cluster: KubeCluster, type: string, status: string): Promise<void> {
    await eventually(`${type}=${status} in ${cluster.name}`, AWAIT_MS, async () => {
      const found = await this.get(cluster, "serviceexport", HELLO);
      const conditions: readonly Condition[] = found?.status?.conditions ?? [];
      const shown = conditions.map((each) => `${each.type}=${each.status}`);
      assert.ok(shown.includes(`${type}=${status}`), `conditions are ${shown.join(" ") || "none"}`);
    });
  }

  get fqdn(): string {
    return `${HELLO}.${this.namespace}.svc.clusterset.local`;
  }

  /** What answers a connection from the request pod; "" where nobody does. */
  async call(cluster: KubeCluster, host: string, port = 42): Promise<string> {
    // Something is sent that nobody reads: an answer must come all the same.
    return await this.exec(cluster, "sh", "-c", `echo hi | nc -v -w 2 -4 ${host} ${port}`);
  }

  async lookup(cluster: KubeCluster, name: string, type = "A"): Promise<string> {
    return await this.exec(cluster, "nslookup", `-type=${type}`, `${name}.`);
  }
}

/** Tries until it does not throw; then throws what it threw last. */
export async function eventually<T>(what: string, withinMs: number, run: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    try {
      return await run();
    } catch (error) {
      if (performance.now() > deadline)
        throw new Error(`${what}: not within ${withinMs} ms: ${(error as Error).message}`, { cause: error });
      await pause(POLL_MS);
    }
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Addresses that nslookup printed for the name, without the server's own. */
export const addressesIn = (text: string): string[] =>
  [...text.matchAll(/Name:.*\s*Address:\s*(\S+)/g)].map(([, address = ""]) => address).sort();

/** `service = 0 50 42 target` of nslookup. */
export const recordsIn = (text: string): { port: number; target: string }[] =>
  [...text.matchAll(/service = \d+ \d+ (\d+) (\S+)/g)]
    .map(([, port = "", target = ""]) => ({ port: Number(port), target: target.replace(/\.$/, "") }))
    .sort((a, b) => (a.target < b.target ? -1 : 1));

/**
 * One lab from nothing to running and back: the order in which parts start, and what people do to them afterwards.
 * Owns the set of components. What each component is: fleet.ts; what agents are told of replicas: replicas.ts.
 */
import { join } from "node:path";
import { HansaError } from "@hansa/core";
import { type LabPaths, makePrivate } from "../../../../deploy/tools/lab-paths.ts";
import type { AddressPlan } from "../addresses.ts";
import type { Topology } from "../topology/types.ts";
import { Component, type ComponentSpec } from "./component.ts";
import { Fleet } from "./fleet.ts";
import { drain } from "./probes.ts";
import { type Replica, Replicas, replicaName } from "./replicas.ts";

export type Action = "start" | "stop" | "kill" | "pause" | "resume";
export type Progress = (message: string) => void;

/** Between a replica's removal from the source and its end: callers everywhere have heard by then. */
const TERMINATION_GRACE_MS = 1000;

/** Envoys and apps that start at once: more only queue for the processor. */
const STARTS_AT_ONCE = 4;

export class Lab {
  readonly topology: Topology;
  readonly paths: LabPaths;
  readonly replicas: Replicas;
  readonly fleet: Fleet;
  readonly #components = new Map<string, Component>();
  readonly #progress: Progress;
  #scaling: Promise<void> = Promise.resolve();
  #ending = false;

  constructor(topology: Topology, paths: LabPaths, plan: AddressPlan, progress: Progress) {
    this.topology = topology;
    this.paths = paths;
    this.replicas = new Replicas(topology, plan);
    this.fleet = new Fleet({ topology, paths, plan });
    this.#progress = progress;
  }

  components(): Component[] {
    return [...this.#components.values()];
  }

  component(name: string): Component | undefined {
    return this.#components.get(name);
  }

  place(): unknown {
    return this.fleet.place(this.replicas);
  }

  async up(): Promise<void> {
    this.#progress("genesis: operator key, hub key, fingerprint");
    await this.fleet.federation.found();
    this.#progress("starting Postgres and NATS");
    await Promise.all([this.#launch(this.fleet.postgres()), this.#launch(this.fleet.nats())]);
    this.#progress("starting the hub");
    await this.#launch(this.fleet.hub());
    for (const { name } of this.topology.clusters) {
      makePrivate(join(this.paths.state, "clusters", name));
      this.#publish(name);
    }
    this.#progress(`joining ${this.topology.clusters.map(({ name }) => name).join(", ")}`);
    await inTurns(this.topology.clusters, STARTS_AT_ONCE, async (cluster) => {
      await this.#launch(await this.fleet.agent(cluster));
    });
    this.fleet.federation.writeCredentials();
    await inTurns(this.topology.clusters, STARTS_AT_ONCE, async (cluster) => {
      await this.#launch(this.fleet.gateway(cluster));
    });
    const all = this.topology.clusters.flatMap(({ name }) => this.replicas.of(name));
    this.#progress(`starting ${all.length} workloads and their sidecars`);
    await inTurns(all, STARTS_AT_ONCE, (replica) => this.#startReplica(replica));
  }

  /** Ends everything, dependants first. Never throws: what cannot be stopped is killed. */
  async down(): Promise<void> {
    this.#ending = true;
    const order: readonly ComponentSpec["kind"][][] = [
      ["app", "sidecar", "gateway"],
      ["agent"],
      ["hub"],
      ["nats", "postgres"],
    ];
    for (const kinds of order) {
      const ending = this.components().filter(({ spec }) => kinds.includes(spec.kind));
      await Promise.all(ending.map((component) => component.stop().catch(() => component.kill())));
    }
    await this.fleet.end().catch((error: unknown) => this.#progress(`postgres: ${String(error)}`));
  }

  /** Components whose name is `pattern` or lies below it; throws HSA6004 where none does. */
  select(pattern: string): Component[] {
    const chosen = this.components().filter(
      ({ spec: { name } }) => name === pattern || name.startsWith(`${pattern}/`),
    );
    if (chosen.length === 0)
      throw new HansaError(
        "HSA6004",
        `${pattern}: no component has this name or lies below it; see \`hansa lab status\``,
      );
    return chosen;
  }

  async act(action: Action, patterns: readonly string[]): Promise<Component[]> {
    const chosen = [...new Set(patterns.flatMap((pattern) => this.select(pattern)))];
    if (action === "start") {
      await inTurns(startOrder(chosen), STARTS_AT_ONCE, (component) => component.start());
      return chosen;
    }
    const fits = chosen.filter(({ state }) =>
      action === "resume" ? state === "paused" : state === "running" || state === "paused",
    );
    if (fits.length === 0)
      throw new HansaError(
        "HSA6004",
        `${patterns.join(" ")}: nothing there can ${action} (${chosen.map(({ state }) => state).join(", ")})`,
      );
    await Promise.all(fits.map((component) => component[action]()));
    return fits;
  }

  /** One after the other: a new replica may get the address of one that is just ending. */
  scale(cluster: string, namespace: string, workload: string, count: number): Promise<void> {
    const scaled = this.#scaling.then(() => this.#scale(cluster, namespace, workload, count));
    this.#scaling = scaled.catch(() => {});
    return scaled;
  }

  async #scale(cluster: string, namespace: string, workload: string, count: number): Promise<void> {
    const { added, removed } = this.replicas.scale(cluster, namespace, workload, count);
    this.#publish(cluster);
    if (removed.length > 0)
      await this.#terminate(removed.flatMap((replica) => this.select(replicaName(replica))));
    await inTurns(added, STARTS_AT_ONCE, (replica) => this.#startReplica(replica));
  }

  /** As a kubelet does it: no more is sent there, connections are ended politely, then the processes. */
  async #terminate(gone: readonly Component[]): Promise<void> {
    await Promise.all(
      gone.map(({ spec, state }) => (spec.admin && state === "running" ? drain(spec.admin) : false)),
    );
    await new Promise((resolve) => setTimeout(resolve, TERMINATION_GRACE_MS));
    await Promise.all(gone.map((component) => component.stop()));
    for (const { spec } of gone) this.#components.delete(spec.name);
  }

  async #startReplica(replica: Replica): Promise<void> {
    await Promise.all([this.#launch(this.fleet.app(replica)), this.#launch(this.fleet.sidecar(replica))]);
  }

  async #launch(spec: ComponentSpec): Promise<void> {
    const component = new Component(spec, (changed) => this.#changed(changed));
    this.#components.set(spec.name, component);
    await component.start();
  }

  #changed({ spec }: Component): void {
    if (!this.#ending && (spec.kind === "app" || spec.kind === "sidecar")) this.#publish(spec.cluster);
  }

  #publish(cluster: string): void {
    this.replicas.publish(cluster, this.fleet.sourceFile(cluster), (name) => this.component(name));
  }
}

/** Servers before those who need them, as in `up`. */
function startOrder(components: readonly Component[]): Component[] {
  const rank = ["postgres", "nats", "hub", "agent", "gateway", "app", "sidecar"];
  return [...components].sort((a, b) => rank.indexOf(a.spec.kind) - rank.indexOf(b.spec.kind));
}

async function inTurns<Item>(
  items: readonly Item[],
  atOnce: number,
  run: (item: Item) => Promise<void>,
): Promise<void> {
  const waiting = [...items];
  const worker = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await run(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/**
 * Which replicas a lab has, by cluster, and what their cluster's agent is told of them. Stands in the place of a
 * scheduler and kubelet: gives addresses and zones, and calls a replica ready while its app and sidecar both run.
 */
import { renameSync, writeFileSync } from "node:fs";
import { HansaError } from "@hansa/core";
import type { AddressPlan } from "../addresses.ts";
import { fileSourceOf } from "../topology/file-source.ts";
import { REPLICAS_PER_CLUSTER_MAX, type Topology, type TopologyWorkload } from "../topology/types.ts";
import type { Component } from "./component.ts";

export interface Replica {
  readonly cluster: string;
  readonly workload: TopologyWorkload;
  /** `<workload>-<n>`. */
  readonly id: string;
  readonly address: string;
  readonly zone: string;
}

/** `<cluster>/<ns>/<workload>/<id>`: the prefix of its components' names. */
export const replicaName = (replica: Replica): string =>
  `${replica.cluster}/${replica.workload.namespace}/${replica.workload.name}/${replica.id}`;

/** Name of its proxy at its agent. */
export const proxyIdOf = (replica: Replica): string =>
  `${replica.workload.namespace}/${replica.workload.name}/${replica.id}`;

export class Replicas {
  readonly #topology: Topology;
  readonly #plan: AddressPlan;
  readonly #all = new Map<string, Replica>();
  readonly #desired = new Map<string, Map<string, number>>();

  constructor(topology: Topology, plan: AddressPlan) {
    this.#topology = topology;
    this.#plan = plan;
    for (const { name } of topology.clusters)
      for (const workload of topology.workloads) {
        const count = workload.replicas[name];
        if (count !== undefined) this.scale(name, workload.namespace, workload.name, count);
      }
  }

  clusterNumber(cluster: string): number {
    return this.#topology.clusters.findIndex(({ name }) => name === cluster) + 1;
  }

  of(cluster: string): Replica[] {
    return [...this.#all.values()].filter((replica) => replica.cluster === cluster);
  }

  /** Adds or removes (the newest first) until there are `count`. Says what came and what goes. */
  scale(
    cluster: string,
    namespace: string,
    name: string,
    count: number,
  ): { added: Replica[]; removed: Replica[] } {
    const workload = this.#topology.workloads.find(
      (one) => one.name === name && one.namespace === namespace && one.replicas[cluster] !== undefined,
    );
    if (!workload)
      throw new HansaError("HSA6004", `${cluster}/${namespace}/${name}: the topology has no such workload`);
    const present = this.of(cluster).filter((replica) => replica.workload === workload);
    const others = this.of(cluster).length - present.length;
    if (count + others > REPLICAS_PER_CLUSTER_MAX)
      throw new HansaError(
        "HSA6004",
        `${cluster}: at most ${REPLICAS_PER_CLUSTER_MAX} replicas fit in one cluster`,
      );
    const removed = present.slice(count);
    for (const replica of removed) this.#all.delete(replicaName(replica));
    const added: Replica[] = [];
    while (present.length - removed.length + added.length < count) added.push(this.#add(cluster, workload));
    const desired = this.#desired.get(cluster) ?? new Map<string, number>();
    this.#desired.set(cluster, desired.set(`${namespace}/${name}`, count));
    return { added, removed };
  }

  #add(cluster: string, workload: TopologyWorkload): Replica {
    const zones = this.#topology.clusters.find(({ name }) => name === cluster)?.zones ?? [];
    const siblings = this.of(cluster);
    const taken = new Set(siblings.map((replica) => replica.address));
    const number = this.clusterNumber(cluster);
    let index = 0;
    while (taken.has(this.#plan.replica(number, index))) index += 1;
    const ids = new Set(siblings.map((replica) => replica.id));
    let ordinal = 1;
    while (ids.has(`${workload.name}-${ordinal}`)) ordinal += 1;
    const replica: Replica = {
      cluster,
      workload,
      id: `${workload.name}-${ordinal}`,
      address: this.#plan.replica(number, index),
      zone: zones[(ordinal - 1) % zones.length] ?? "",
    };
    this.#all.set(replicaName(replica), replica);
    return replica;
  }

  /** Writes the cluster's file source, atomically, from the components as they are now. */
  publish(cluster: string, file: string, component: (name: string) => Component | undefined): void {
    const isRunning = (name: string) => component(name)?.state === "running";
    const running = this.of(cluster).map((replica) => ({
      namespace: replica.workload.namespace,
      workload: replica.workload.name,
      id: replica.id,
      address: replica.address,
      zone: replica.zone,
      ready: isRunning(`${replicaName(replica)}/app`) && isRunning(`${replicaName(replica)}/sidecar`),
    }));
    const text = fileSourceOf(this.#topology, cluster, running, this.#desired.get(cluster) ?? new Map());
    writeFileSync(`${file}.new`, text, { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }
}

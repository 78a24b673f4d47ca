/** Writes what became of Hansa's own custom resources into their status. Writes only while it may. */
import { canonicalJson, sameJson } from "@hansa/core";
import {
  ALLOW_POLICIES,
  type Applier,
  FAILOVER_POLICIES,
  type KubePorts,
  MESH_GATEWAYS,
  type ObjectTarget,
  type Resource,
} from "@hansa/kube";
import type { EventWriter } from "../../mcs/event-writer.ts";
import { STATUS_MANAGER } from "../../mcs/names.ts";
import { acceptedCondition } from "./policy-conditions.ts";
import type { JudgedPolicy, PolicyFacts } from "./policy-facts.ts";
import type { PolicyObjectKind } from "./policy-objects.ts";

const LOOK_MS = 1000;
/** Between tries of what was refused. */
const REFUSED_AGAIN_MS = 30_000;

export const POLICY_RESOURCES: Readonly<Record<PolicyObjectKind, Resource>> = {
  AllowPolicy: ALLOW_POLICIES,
  FailoverPolicy: FAILOVER_POLICIES,
  MeshGateway: MESH_GATEWAYS,
};

export interface PolicyWriterOptions {
  readonly policies: PolicyFacts;
  readonly applier: Pick<Applier, "write">;
  readonly events: Pick<EventWriter, "statusApplied">;
  readonly ports: KubePorts;
  readonly mayWrite: () => boolean;
}

export class PolicyWriter {
  readonly #options: PolicyWriterOptions;
  readonly #dirty = new Set<string>();
  /** What was sent for an object, until it is seen to have come about. */
  readonly #sent = new Map<string, string>();
  readonly #refused = new Set<string>();
  #mightWrite = false;
  #stops: (() => void)[] = [];

  constructor(options: PolicyWriterOptions) {
    this.#options = options;
  }

  start(): void {
    const { timers } = this.#options.ports;
    const look = timers.every(LOOK_MS, () => this.#look());
    const again = timers.every(REFUSED_AGAIN_MS, () => {
      for (const id of this.#refused) this.#again(id);
      this.#refused.clear();
    });
    this.#stops.push(
      () => look.cancel(),
      () => again.cancel(),
    );
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }

  /** Policies that were judged anew, by id. */
  changed(ids: Iterable<string>): void {
    for (const id of ids) this.#dirty.add(id);
    if (this.#mightWrite) this.#write();
  }

  #look(): void {
    const may = this.#options.mayWrite();
    if (may && !this.#mightWrite) {
      this.#sent.clear();
      for (const id of this.#options.policies.ids()) this.#dirty.add(id);
    }
    this.#mightWrite = may;
    if (may) this.#write();
  }

  #write(): void {
    for (const id of this.#dirty) {
      const judged = this.#options.policies.get(id);
      if (judged === undefined) this.#sent.delete(id);
      else this.#writeOne(id, judged);
    }
    this.#dirty.clear();
  }

  #writeOne(id: string, { object, outcome, facts }: JudgedPolicy): void {
    const now = new Date(this.#options.ports.clock.nowMs()).toISOString().replace(/\.\d+Z$/, "Z");
    const context = { generation: object.generation, before: object.conditions, now };
    const condition = acceptedCondition(outcome, context);
    const before = object.conditions.find(({ type }) => type === condition.type);
    const said = canonicalJson({ ...condition, lastTransitionTime: "" });
    if (sameJson(before, condition) || this.#sent.get(id) === said) return;
    this.#sent.set(id, said);
    const addresses = facts.flatMap(({ value }) => ("address" in value ? value.address : []));
    const target: ObjectTarget = {
      resource: POLICY_RESOURCES[object.kind],
      ...(object.namespace === "" ? {} : { namespace: object.namespace }),
      name: object.name,
      subresource: "status",
    };
    const status = { conditions: [condition], ...(object.kind === "MeshGateway" ? { addresses } : {}) };
    const write = {
      kind: "apply",
      target,
      objectKind: object.kind,
      fieldManager: STATUS_MANAGER,
      force: true,
      fields: { status },
    } as const;
    void this.#options.applier.write(write).then((written) => {
      if (written.outcome === "applied")
        this.#options.events.statusApplied({ write, before: object.conditions, uid: written.uid });
      if ("problem" in written) this.#refused.add(id);
      if (written.outcome === "not-writer" || written.outcome === "full") this.#again(id);
    });
  }

  #again(id: string): void {
    this.#sent.delete(id);
    this.#dirty.add(id);
  }
}

/**
 * Writes Events about objects whose status Hansa writes, where `kubectl describe` shows them. Owns their pace: what a mass of
 * objects has in common is told of some of them, and of all in their conditions.
 */
import { createHash } from "node:crypto";
import {
  Applier,
  apiVersionOf,
  EVENTS,
  type KubeClient,
  type KubePorts,
  type ObjectTarget,
  type Write,
  type WriteLimits,
} from "@hansa/kube";
import type { ConditionObject } from "../source/kube/objects.ts";
import { type ConditionEvent, conditionEvents } from "./condition-events.ts";
import { FIELD_MANAGER } from "./names.ts";

const LIMITS: WriteLimits = { writesPerSecondMax: 2, burstMax: 50, atOnceMax: 2, waitingMax: 500 };
const COMPONENT = "hansa-agent";
/** Of an Event's message, and of the part of its name that is its object's. */
const [MESSAGE_CHARS_MAX, NAME_CHARS_MAX] = [1024, 200];
/** Where Events of objects without a namespace are. */
const DEFAULT_NAMESPACE = "default";

export interface EventWriterOptions {
  readonly client: KubeClient;
  readonly ports: KubePorts;
  readonly mayWrite: () => boolean;
}

/** A status that was applied, and to which object. */
export interface AppliedStatus {
  readonly write: Extract<Write, { readonly kind: "apply" }>;
  readonly before: readonly ConditionObject[];
  readonly uid: string;
}

export class EventWriter {
  readonly #applier: Applier;
  readonly #clock: KubePorts["clock"];

  constructor({ client, ports, mayWrite }: EventWriterOptions) {
    this.#applier = new Applier({ client, ports, mayWrite, limits: LIMITS });
    this.#clock = ports.clock;
  }

  /** Nobody waits for it: an Event that cannot be written is none. */
  statusApplied({ write, before, uid }: AppliedStatus): void {
    const { conditions = [] } = write.fields.status as { readonly conditions?: readonly ConditionObject[] };
    const at = new Date(this.#clock.nowMs()).toISOString().replace(/\.\d+Z$/, "Z");
    for (const event of conditionEvents(before, conditions))
      void this.#applier.write(eventWrite(event, { target: write.target, kind: write.objectKind, uid }, at));
  }

  stop(): void {
    this.#applier.stop();
  }
}

interface Regarded {
  readonly target: ObjectTarget;
  readonly kind: string;
  readonly uid: string;
}

function eventWrite(
  { type, reason, message }: ConditionEvent,
  { target, kind, uid }: Regarded,
  at: string,
): Write {
  const id = createHash("sha256").update(`${uid} ${type} ${reason} ${at}`).digest("hex").slice(0, 16);
  const { resource, namespace, name } = target;
  return {
    kind: "apply",
    target: {
      resource: EVENTS,
      namespace: namespace ?? DEFAULT_NAMESPACE,
      name: `${name.slice(0, NAME_CHARS_MAX).replace(/[^a-z0-9]+$/, "")}.${id}`,
    },
    objectKind: "Event",
    fieldManager: FIELD_MANAGER,
    force: true,
    fields: {
      involvedObject: { apiVersion: apiVersionOf(resource), kind, namespace, name, uid },
      type,
      reason,
      message: message.slice(0, MESSAGE_CHARS_MAX),
      source: { component: COMPONENT },
      reportingComponent: COMPONENT,
      firstTimestamp: at,
      lastTimestamp: at,
      count: 1,
    },
  };
}

/** What of Hansa is in a cluster already, and a way to ask its agent. */
import { type CODES, HansaError, isCode } from "@hansa/core";
import type { ApiCall, ApiTarget } from "@hansa/identity";
import { problemError, type Resource } from "@hansa/kube";
import { parse } from "yaml";
import { list, number, object, text } from "../shell/api.ts";
import type { KubeDoor } from "./door.ts";
import { AGENT, NAMESPACE } from "./place.ts";

const CONFIG_MAPS: Resource = { group: "", version: "v1", plural: "configmaps", namespaced: true };
const PODS: Resource = { group: "", version: "v1", plural: "pods", namespaced: true };
const STATEFUL_SETS: Resource = { group: "apps", version: "v1", plural: "statefulsets", namespaced: true };

const EXEC_TIMEOUT_MS = 15_000;

export interface Installed {
  readonly cluster: string;
  /** The agent's configuration. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Name of the Helm release that owns it; "" = none does. */
  readonly helm: string;
}

export async function installedAgent(door: KubeDoor): Promise<Installed | undefined> {
  const found = await door.read({ resource: CONFIG_MAPS, namespace: NAMESPACE, name: AGENT });
  if (found === undefined) return undefined;
  const config = object(parse(text(object(found.data)["agent.yaml"])));
  const annotations = object(found.metadata.annotations);
  return {
    cluster: text(config.cluster),
    config,
    helm: text(annotations["meta.helm.sh/release-name"]),
  };
}

/** Throws HSA7041. */
export async function mustBeInstalled(door: KubeDoor): Promise<Installed> {
  const installed = await installedAgent(door);
  if (installed === undefined)
    throw new HansaError("HSA7041", `context ${door.context}: has no ConfigMap ${NAMESPACE}/${AGENT}`);
  return installed;
}

export interface AgentState {
  readonly ready: boolean;
  /** Why it is not, as far as the cluster tells. */
  readonly reason: string;
}

export async function agentState(door: KubeDoor): Promise<AgentState> {
  const set = await door.read({ resource: STATEFUL_SETS, namespace: NAMESPACE, name: AGENT });
  if (set === undefined) return { ready: false, reason: `no StatefulSet ${NAMESPACE}/${AGENT}` };
  const status = object(set.status);
  const isCurrent =
    number(status.observedGeneration) === number(set.metadata.generation) &&
    status.currentRevision === status.updateRevision;
  if (isCurrent && number(status.readyReplicas) === 1) return { ready: true, reason: "" };
  const pod = await door.read({ resource: PODS, namespace: NAMESPACE, name: `${AGENT}-0` });
  return { ready: false, reason: pod === undefined ? `no pod ${AGENT}-0 yet` : podReason(pod.status) };
}

/** What its containers wait for, or said last before they ended. */
export function podReason(value: unknown): string {
  const status = object(value);
  const reasons = list(status.containerStatuses).flatMap((container) => {
    const { waiting, terminated } = object(container.state);
    const last = object(object(container.lastState).terminated);
    const ended = terminated === undefined ? last : object(terminated);
    const said = text(ended.message).trim().split("\n").at(-1) ?? "";
    const waits = object(waiting);
    const why = [text(waits.reason), said || text(waits.message)].filter((part) => part !== "").join(": ");
    if (container.ready === true) return [];
    return [`${text(container.name)} is not ready${why === "" ? "" : ` (${why})`}`];
  });
  const conditions = list(status.conditions)
    .filter(
      ({ type, status: is, message }) => type === "PodScheduled" && is === "False" && text(message) !== "",
    )
    .map(({ message }) => text(message));
  return [...conditions, ...reasons].join("; ") || `pod ${AGENT}-0 is ${text(status.phase) || "not there"}`;
}

/** Its admin API, asked from within its own container. */
export function agentTarget(door: KubeDoor): ApiTarget {
  return {
    url: `kubernetes://${door.context}`,
    caPem: "",
    token: "",
    async via(call: ApiCall) {
      const timeoutMs = call.timeoutMs ?? EXEC_TIMEOUT_MS;
      const place = { namespace: NAMESPACE, pod: `${AGENT}-0`, container: "agent" };
      const ran = await door.exec(
        place,
        ["hansa-ask", JSON.stringify(call)],
        Math.max(timeoutMs, EXEC_TIMEOUT_MS),
      );
      if (!ran.ok) {
        const { kind } = ran.problem;
        if (kind === "forbidden") throw problemError(ran.problem, `context ${door.context}`);
        throw new HansaError("HSA1012", `context ${door.context}: ${ran.problem.message}`);
      }
      return answerIn(ran.stdout, `${ran.stderr.trim() || `exit status ${ran.code}`}`);
    },
  };
}

export function answerIn(stdout: string, otherwise: string): unknown {
  let said: Record<string, unknown>;
  try {
    said = object(JSON.parse(stdout));
  } catch {
    throw new HansaError("HSA1012", `the agent's pod: hansa-ask gave no answer: ${otherwise}`);
  }
  if (said.error === undefined) return said.answer;
  const { code, message, details } = object(said.error);
  const known = isCode(text(code)) ? (text(code) as keyof typeof CODES) : "HSA1011";
  throw new HansaError(known, text(message), details === undefined ? {} : { details: object(details) });
}

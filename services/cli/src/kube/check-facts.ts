/** What `hansa check --context` looks at in a cluster of Kubernetes. Asks only; judges nothing. */
import { isHansaError } from "@hansa/core";
import { callApi } from "@hansa/identity";
import type { KubeObject, Resource } from "@hansa/kube";
import type { PathFacts, SourceFacts } from "../check/facts.ts";
import { pathFacts, readSource } from "../check/gather-agent.ts";
import { answerOf, list, object, strings, text } from "../shell/api.ts";
import type { KubeDoor } from "./door.ts";
import { readBase } from "./installation.ts";
import { agentState, agentTarget, mustBeInstalled } from "./installed.ts";
import { type Manifest, targetOf } from "./objects.ts";
import { AGENT, GATEWAY_SERVICE, NAMESPACE } from "./place.ts";
import { clockFinding, type Finding, versionFinding } from "./preflight.ts";
import { balancerAddress } from "./settings.ts";

export interface KubeFacts {
  readonly context: string;
  readonly server: readonly Finding[];
  /** Kinds that are not there or not served. */
  readonly kindsMissing: readonly string[];
  /** `verb resource.group`, as the roles in the cluster grant. */
  readonly granted: ReadonlySet<string>;
  readonly agent: { readonly ready: boolean; readonly reason: string };
  /** What it says itself; an error's text where it does not. */
  readonly says:
    | { readonly notReady: readonly string[]; readonly isWriter: boolean; readonly source: SourceFacts }
    | string;
  readonly lease: { readonly holder: string; readonly ageMs: number } | undefined;
  /** Ways that it has looked at; undefined where it does not answer. */
  readonly paths: readonly PathFacts[] | undefined;
  readonly gateway: { readonly configured: string; readonly service: string; readonly type: string };
}

const rbac = (plural: string, namespaced: boolean): Resource => ({
  group: "rbac.authorization.k8s.io",
  version: "v1",
  plural,
  namespaced,
});
const LEASES: Resource = { group: "coordination.k8s.io", version: "v1", plural: "leases", namespaced: true };
const SERVICES: Resource = { group: "", version: "v1", plural: "services", namespaced: true };

export async function kubeFacts(door: KubeDoor): Promise<KubeFacts> {
  const { config } = await mustBeInstalled(door);
  const own = { namespace: NAMESPACE, name: AGENT };
  const [server, kindsMissing, clusterRole, role, agent, says, paths, lease, service] = await Promise.all([
    serverFacts(door),
    missingKinds(door),
    door.read({ resource: rbac("clusterroles", false), name: AGENT }),
    door.read({ resource: rbac("roles", true), ...own }),
    agentState(door),
    ownAccount(door),
    agentPaths(door),
    door.read({ resource: LEASES, ...own }),
    door.read({ resource: SERVICES, namespace: NAMESPACE, name: GATEWAY_SERVICE }),
  ]);
  const { holderIdentity, renewTime } = object(lease?.spec);
  return {
    context: door.context,
    server,
    kindsMissing,
    granted: new Set([...grantsOf(clusterRole?.rules), ...grantsOf(role?.rules)]),
    agent,
    says,
    paths,
    lease:
      lease === undefined
        ? undefined
        : { holder: text(holderIdentity), ageMs: Date.now() - Date.parse(text(renewTime)) },
    gateway: {
      configured: text(object(config.gateway).address),
      service: balancerAddress(service),
      type: text(object(service?.spec).type),
    },
  };
}

async function serverFacts(door: KubeDoor): Promise<Finding[]> {
  const askedMs = Date.now();
  const info = await door.server();
  if (!info.ok) return [{ check: "version", ok: false, message: info.problem.message }];
  const version = versionFinding(info.version);
  return info.clockMs === null
    ? [version]
    : [version, clockFinding(info.clockMs - (askedMs + Date.now()) / 2)];
}

async function missingKinds(door: KubeDoor): Promise<string[]> {
  const kinds = await Promise.all(
    readBase().crds.map(async (crd) => unserved(crd, await door.read(targetOf(crd)))),
  );
  return kinds.flat();
}

/** A kind of which the API server serves no version that this `hansa` knows. */
export function unserved(wanted: Manifest, found: KubeObject | undefined): string[] {
  const { name } = wanted.metadata;
  const conditions = list(object(found?.status).conditions);
  if (!conditions.some(({ type, status }) => type === "Established" && status === "True")) return [name];
  const served = servedIn(found);
  if (servedIn(wanted).some((version) => served.includes(version))) return [];
  return [`${name} is served as ${served.join(", ") || "nothing"} alone`];
}

const servedIn = (crd: Manifest | KubeObject | undefined): string[] =>
  list(object(crd?.spec).versions).flatMap(({ name, served }) => (served === true ? [text(name)] : []));

export const grantsOf = (rules: unknown): string[] =>
  list(rules).flatMap((rule) =>
    strings(rule.apiGroups).flatMap((group) =>
      strings(rule.resources).flatMap((resource) =>
        strings(rule.verbs).map((verb) => rightText(verb, resource, group)),
      ),
    ),
  );

export const rightText = (verb: string, resource: string, group: string): string =>
  `${verb} ${resource}${group === "" ? "" : `.${group}`}`;

/** undefined where it does not answer. */
export async function agentPaths(door: KubeDoor): Promise<PathFacts[] | undefined> {
  try {
    return pathFacts(answerOf(await callApi(agentTarget(door), { path: "/v1/paths" }), "agent").data);
  } catch (error) {
    if (!isHansaError(error)) throw error;
    return undefined;
  }
}

async function ownAccount(door: KubeDoor): Promise<KubeFacts["says"]> {
  try {
    const { data } = answerOf(await callApi(agentTarget(door), { path: "/v1/status" }), "agent");
    const isWriter = object(data.writer).elected === true;
    return { notReady: strings(data.notReady), isWriter, source: readSource(data.source) };
  } catch (error) {
    if (!isHansaError(error)) throw error;
    return error.message;
  }
}

/**
 * Allow policies → principals (design §4, contract of the exporting cluster). Expanded over present members and the
 * identities they have published, into exact ids and whole namespaces only: no pattern reaches Envoy, and `*` never
 * reaches the mesh's own namespace.
 */
import { SYSTEM_NAMESPACE, workloadId } from "@hansa/core";
import type { AllowPolicy, Caller, PolicyValue } from "@hansa/events";
import {
  membersInSight,
  type Participant,
  type Register,
  readAll,
  registerName,
  type Sight,
} from "../view/reader.ts";

/** An exact SPIFFE id, or the prefix `spiffe://<td>/ns/<ns>/`. */
export interface Principal {
  readonly kind: "exact" | "prefix";
  readonly value: string;
}

export interface AllowInForce {
  /** `<ns>/<name>` of the policy. */
  readonly name: string;
  readonly callers: readonly Principal[];
  readonly because: string;
}

/** A cluster's allow policies by the `<ns>/<service>` that they name; not expanded yet, which costs most. */
export interface Allows {
  readonly sight: Sight;
  readonly exporter: string;
  readonly byService: ReadonlyMap<string, readonly Register<AllowPolicy>[]>;
}

export function allowsBy(sight: Sight, exporter: string): Allows {
  const byService = new Map<string, Register<AllowPolicy>[]>();
  for (const register of readAll(sight, exporter, "policy")) {
    if (!isAllow(register)) continue;
    const [, , namespace = ""] = register.key.split("/");
    const service = `${namespace}/${register.value.service}`;
    const allows = byService.get(service);
    if (allows === undefined) byService.set(service, [register]);
    else allows.push(register);
  }
  return { sight, exporter, byService };
}

/** Policies that name the service, in order of their names. */
export const allowsOf = (allows: Allows, namespace: string, service: string): AllowInForce[] =>
  (allows.byService.get(`${namespace}/${service}`) ?? []).map((register) => ({
    name: register.key.slice("policy/allow/".length),
    callers: distinct(register.value.from.flatMap((caller) => expand(allows.sight, caller))),
    because: registerName(allows.exporter, register),
  }));

/** Who may call the service from other trust domains. Empty = nobody. */
export const callersOf = (allows: Allows, namespace: string, service: string): Principal[] =>
  distinct(allowsOf(allows, namespace, service).flatMap(({ callers }) => callers));

export const admits = (principal: Principal, id: string): boolean =>
  principal.kind === "exact" ? id === principal.value : id.startsWith(principal.value);

const isAllow = (register: Register<PolicyValue>): register is Register<AllowPolicy> =>
  "from" in register.value;

function expand(sight: Sight, caller: Caller): Principal[] {
  return membersInSight(sight)
    .filter(({ cluster }) => caller.cluster === "*" || caller.cluster === cluster)
    .flatMap((member) => expandIn(sight, member, caller));
}

function expandIn(sight: Sight, member: Participant, { namespace, serviceAccount }: Caller): Principal[] {
  if (namespace !== "*" && serviceAccount !== "*")
    return [{ kind: "exact", value: workloadId(member.trustDomain, namespace, serviceAccount) }];
  if (namespace === SYSTEM_NAMESPACE) return [];
  if (namespace !== "*") return [wholeNamespace(member, namespace)];
  const known = readAll(sight, member.cluster, "identity")
    .map((register) => register.key.split("/"))
    .map(([, ns = "", account = ""]) => ({ ns, account }))
    .filter(({ ns }) => ns !== SYSTEM_NAMESPACE);
  if (serviceAccount === "*") return known.map(({ ns }) => wholeNamespace(member, ns));
  return known
    .filter(({ account }) => account === serviceAccount)
    .map(({ ns, account }) => ({ kind: "exact", value: workloadId(member.trustDomain, ns, account) }));
}

function wholeNamespace(member: Participant, namespace: string): Principal {
  return { kind: "prefix", value: `spiffe://${member.trustDomain}/ns/${namespace}/` };
}

function distinct(principals: readonly Principal[]): Principal[] {
  const byName = new Map(principals.map((principal) => [`${principal.value} ${principal.kind}`, principal]));
  return [...byName.keys()].sort().map((name) => byName.get(name)!);
}

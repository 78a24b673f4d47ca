/**
 * Allow policies → principals (design §4, contract of the exporting cluster). Expanded over present members and the
 * identities they have published, into exact ids and whole namespaces only: no pattern reaches Envoy, and `*` never
 * reaches the mesh's own namespace.
 */
import { SYSTEM_NAMESPACE, workloadId } from "@hansa/core";
import type { AllowPolicy, Caller, PolicyValue } from "@hansa/events";
import { isPresent, type Participant, readAll, registerName, type Sight } from "../view/reader.ts";

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

/** Allow policies by the service they name. */
export type Allows = ReadonlyMap<string, readonly AllowInForce[]>;

/** All allow policies of `exporter` by `<ns>/<service>`, each list in order of the policies' names. */
export function allowsBy(sight: Sight, exporter: string): Allows {
  const allows = new Map<string, AllowInForce[]>();
  for (const register of readAll(sight, exporter, "policy")) {
    const { value } = register;
    if (!isAllow(value)) continue;
    const [, , namespace = "", name = ""] = register.key.split("/");
    const service = `${namespace}/${value.service}`;
    const allow: AllowInForce = {
      name: `${namespace}/${name}`,
      callers: distinct(value.from.flatMap((caller) => expand(sight, caller))),
      because: registerName(exporter, register),
    };
    allows.set(service, [...(allows.get(service) ?? []), allow]);
  }
  return allows;
}

/** Who may call the service from other trust domains. Empty = nobody. */
export const callersOf = (allows: Allows, namespace: string, service: string): Principal[] =>
  distinct((allows.get(`${namespace}/${service}`) ?? []).flatMap(({ callers }) => callers));

export const admits = (principal: Principal, id: string): boolean =>
  principal.kind === "exact" ? id === principal.value : id.startsWith(principal.value);

const isAllow = (policy: PolicyValue): policy is AllowPolicy => "from" in policy;

function expand(sight: Sight, caller: Caller): Principal[] {
  const members = caller.cluster === "*" ? sight.fed.members() : [sight.fed.member(caller.cluster)];
  return members.filter(isPresent).flatMap((member) => expandIn(sight, member, caller));
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

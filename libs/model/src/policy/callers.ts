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

/** Policies of `exporter` that name the service, in order of their names. */
export function allowsOf(sight: Sight, exporter: string, namespace: string, service: string): AllowInForce[] {
  const policies = readAll(sight, exporter, "policy").filter(({ key }) =>
    key.startsWith(`policy/allow/${namespace}/`),
  );
  return policies.flatMap((register) => {
    const { value } = register;
    if (!isAllow(value) || value.service !== service) return [];
    return {
      name: register.key.split("/").slice(2).join("/"),
      callers: distinct(value.from.flatMap((caller) => expand(sight, caller))),
      because: registerName(exporter, register),
    };
  });
}

/** Who may call a service of `exporter` from other trust domains. Empty = nobody. */
export const callersOf = (sight: Sight, exporter: string, namespace: string, service: string): Principal[] =>
  distinct(allowsOf(sight, exporter, namespace, service).flatMap(({ callers }) => callers));

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

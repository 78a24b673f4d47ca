/**
 * Who may call one served port, as Envoy RBAC (design §4): own trust domain, then the callers that the exporter
 * allowed, then nobody. HTTP gets it by ECDS, so that a change judges the next request of a live connection; TCP gets
 * it in the chain, so that a change also ends connections (envoy-dataplane §6.4).
 */
import { assert, SYSTEM_NAMESPACE, type TrustDomain } from "@hansa/core";
import type { ServingPort } from "@hansa/model";
import type { HttpFilterSchema } from "../../gen/index.ts";
import {
  type FilterSchema,
  HttpRBACSchema,
  NetworkRBACSchema,
  TypedExtensionConfigSchema,
} from "../../gen/index.ts";
import { ADS, byText, encoded, extension, type Init, typed } from "./message.ts";
import { accessPolicyName } from "./names.ts";
import { type Rule, uriMatcher } from "./uri-matcher.ts";

type Caller = ServingPort["callers"][number];

export const DEFAULT_DENY = "default-deny";
const HTTP_RBAC = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC";

/** `spiffe://<td>/…` → `<td>`. Callers come from the model, which writes nothing else. */
export function domainOfCaller(caller: Caller): TrustDomain {
  const domain = /^spiffe:\/\/([a-z0-9.-]+)\/./.exec(`${caller.value}.`)?.[1];
  assert(domain !== undefined, `caller ${caller.value}: not a SPIFFE id or prefix`);
  assert(
    caller.kind === "exact" || caller.value.endsWith("/"),
    `caller ${caller.value}: a prefix ends with /`,
  );
  return domain as TrustDomain;
}

const sortedCallers = (callers: readonly Caller[]): Caller[] =>
  [...callers].sort((a, b) => byText(a.kind, b.kind) || byText(a.value, b.value));

/** Exact ids stand before the system namespaces' exclusion, prefixes after it: `*` never admits an agent. */
export function accessRules(ownDomain: TrustDomain, callers: readonly Caller[]): readonly Rule[] {
  const sorted = sortedCallers(callers);
  const allow = (caller: Caller): Rule => ({
    match: caller.kind,
    value: caller.value,
    verdict: "allow",
    name: `allow:${caller.value}`,
  });
  const prefixes = sorted.filter(
    (caller) => caller.kind === "prefix" && domainOfCaller(caller) !== ownDomain,
  );
  return [
    { match: "prefix", value: `spiffe://${ownDomain}/`, verdict: "allow", name: "own-trust-domain" },
    ...sorted.filter((caller) => caller.kind === "exact" && domainOfCaller(caller) !== ownDomain).map(allow),
    ...[...new Set(prefixes.map(domainOfCaller))].sort(byText).map(
      (domain): Rule => ({
        match: "prefix",
        value: `spiffe://${domain}/ns/${SYSTEM_NAMESPACE}/`,
        verdict: "deny",
        name: "system-namespace",
      }),
    ),
    ...prefixes.map(allow),
  ];
}

/** The same callers as the handshake of a plain TCP port takes them: own trust domain, then the allowed ones. */
export const admittedCallers = (ownDomain: TrustDomain, callers: readonly Caller[]): readonly Caller[] => [
  { kind: "prefix", value: `spiffe://${ownDomain}/` },
  ...sortedCallers(callers).filter((caller) => domainOfCaller(caller) !== ownDomain),
];

/** ECDS resource of an HTTP RBAC filter. `rules` is never empty: an RBAC filter without rules is off. */
export function accessPolicyFor(name: string, rules: readonly Rule[]): Uint8Array {
  assert(rules.length > 0, `${name}: no rules`);
  return encoded(
    TypedExtensionConfigSchema,
    typed(name, HttpRBACSchema, { matcher: uriMatcher(rules, DEFAULT_DENY) }),
  );
}

/** The HTTP filter that waits for `accessPolicyFor`: requests get 500 until it came (fails closed). */
export const accessFilter = (name: string): Init<typeof HttpFilterSchema> => ({
  name,
  configType: { case: "configDiscovery", value: { configSource: ADS, typeUrls: [HTTP_RBAC] } },
});

/** Network RBAC of a plain TCP chain; stands behind the guard. */
export function tcpAccessFilter(rules: readonly Rule[]): Init<typeof FilterSchema> {
  assert(rules.length > 0, "tcp access: no rules");
  return extension("envoy.filters.network.rbac", NetworkRBACSchema, {
    statPrefix: "access",
    matcher: uriMatcher(rules, DEFAULT_DENY),
  });
}

export const servingPolicyFor = (serving: ServingPort, ownDomain: TrustDomain): Uint8Array =>
  accessPolicyFor(accessPolicyName(serving.sni), accessRules(ownDomain, serving.callers));

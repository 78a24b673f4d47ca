import { expect, test } from "vitest";
import { accessPolicyFor, accessRules, admittedCallers } from "./access-policy.ts";
import { domain } from "./fixtures.ts";

const eu = domain("eu");
const us = domain("us");
const ap = domain("ap");
const exact = (value: string) => ({ kind: "exact", value }) as const;
const prefix = (value: string) => ({ kind: "prefix", value }) as const;

test("own trust domain first, exact ids, then prefixes behind the system namespace's exclusion", () => {
  const rules = accessRules(eu, [
    prefix(`spiffe://${us}/ns/shop/`),
    exact(`spiffe://${us}/ns/hansa-system/sa/agent`),
    prefix(`spiffe://${ap}/`),
  ]);
  expect(rules.map(({ match, value, verdict }) => `${verdict} ${match} ${value}`)).toEqual([
    `allow prefix spiffe://${eu}/`,
    `allow exact spiffe://${us}/ns/hansa-system/sa/agent`,
    `deny prefix spiffe://${ap}/ns/hansa-system/`,
    `deny prefix spiffe://${us}/ns/hansa-system/`,
    `allow prefix spiffe://${ap}/`,
    `allow prefix spiffe://${us}/ns/shop/`,
  ]);
});

test("the order of callers does not matter", () => {
  const callers = [
    exact(`spiffe://${us}/ns/a/sa/b`),
    prefix(`spiffe://${ap}/`),
    exact(`spiffe://${us}/ns/a/sa/a`),
  ];
  expect(accessRules(eu, [...callers].reverse())).toEqual(accessRules(eu, callers));
  expect(admittedCallers(eu, [...callers].reverse())).toEqual(admittedCallers(eu, callers));
});

test("a prefix that could match another trust domain, or no SPIFFE id, breaks an invariant", () => {
  for (const caller of [prefix(`spiffe://${us}`), prefix("spiffe://"), exact("https://eu/x"), prefix("")])
    expect(() => accessRules(eu, [caller])).toThrow(/invariant broken/);
  expect(() => accessPolicyFor("rbac/x", [])).toThrow(/no rules/);
});

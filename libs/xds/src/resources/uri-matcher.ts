/**
 * Decisions on the caller's URI SAN with the matcher API: a list, first match decides, and never without an answer for
 * no match. Several SANs arrive as one string joined by `,` (envoy-dataplane §6.1).
 */
import {
  ActionSchema,
  RBAC_Action,
  UriSanInputSchema,
  type XdsMatcher_MatcherList_FieldMatcherSchema,
  type XdsMatcher_OnMatchSchema,
  type XdsMatcherSchema,
} from "../../gen/index.ts";
import { type Init, typed } from "./message.ts";

export interface Rule {
  readonly match: "exact" | "prefix" | "contains";
  readonly value: string;
  readonly verdict: "allow" | "deny";
  /** Shown to operators as `rbac_access_denied_matched_policy[name]`. */
  readonly name: string;
}

const action = (name: string, verdict: Rule["verdict"]): Init<typeof XdsMatcher_OnMatchSchema> => ({
  onMatch: {
    case: "action",
    value: typed("action", ActionSchema, {
      name,
      action: verdict === "allow" ? RBAC_Action.ALLOW : RBAC_Action.DENY,
    }),
  },
});

const fieldMatcher = (rule: Rule): Init<typeof XdsMatcher_MatcherList_FieldMatcherSchema> => ({
  predicate: {
    matchType: {
      case: "singlePredicate",
      value: {
        input: typed("uri", UriSanInputSchema, {}),
        matcher: { case: "valueMatch", value: { matchPattern: { case: rule.match, value: rule.value } } },
      },
    },
  },
  onMatch: action(rule.name, rule.verdict),
});

/** What no rule matches is denied under `otherwise`. */
export const uriMatcher = (rules: readonly Rule[], otherwise: string): Init<typeof XdsMatcherSchema> => ({
  matcherType: { case: "matcherList", value: { matchers: rules.map(fieldMatcher) } },
  onNoMatch: action(otherwise, "deny"),
});

/**
 * First network filter of every chain that terminates mTLS: exactly one URI SAN. Without it a leaf of one domain that
 * also names an id of another passes every prefix and classic principal (envoy-dataplane §6.1: 200 bypass).
 */
import { type FilterSchema, NetworkRBACSchema } from "../../gen/index.ts";
import { extension, type Init } from "./message.ts";
import { uriMatcher } from "./uri-matcher.ts";

export const GUARD_STAT = "one_uri";

export const oneUriGuard = (): Init<typeof FilterSchema> =>
  extension("envoy.filters.network.rbac", NetworkRBACSchema, {
    statPrefix: GUARD_STAT,
    matcher: uriMatcher(
      [
        { match: "contains", value: ",", verdict: "deny", name: "multi-uri" },
        { match: "prefix", value: "spiffe://", verdict: "allow", name: "one-uri" },
      ],
      "no-uri",
    ),
  });

/** Invariant of every RBAC matcher, HTTP or network: it has rules and ends in a denial. */
import { ActionSchema, anyUnpack, RBAC_Action, type XdsMatcher } from "../../../gen/index.ts";
import type { Collector } from "./facts.ts";

/** At least one rule, and a denial for whatever no rule matches. */
export function demandDecides(matcher: XdsMatcher | undefined, place: string, collector: Collector): void {
  const list = matcher?.matcherType.case === "matcherList" ? matcher.matcherType.value.matchers : [];
  collector.demand(list.length > 0, `${place} has no rules`);
  const last = matcher?.onNoMatch?.onMatch;
  const any = last?.case === "action" ? last.value.typedConfig : undefined;
  const action = any === undefined ? undefined : anyUnpack(any, ActionSchema);
  collector.demand(action?.action === RBAC_Action.DENY, `${place} does not deny by default`);
}

/**
 * Settles trust after a record: operator commands, memberships, key rings, freezes and quotas, until nothing changes
 * any more. Idempotent and independent of the order in which the registers arrived.
 */
import type { AccountKey } from "@hansa/core";
import { type MembershipValue, membershipKey, type OperatorOrder, type RecordEvidence } from "@hansa/events";
import type { Considered } from "./operators.ts";
import { QuotaIndex } from "./quota.ts";
import type { Source } from "./source.ts";
import { type CarriedCommand, type CountedType, carriedBy, QUOTA_OF, type World } from "./world.ts";

/** True where a source or key became known, so that parked records may go on. */
export function settleTrust(world: World): boolean {
  let grown = false;
  for (let again = true; again; ) {
    again = settleCommands(world);
    again = settleMemberships(world) || again;
    grown ||= again;
  }
  for (const name of world.touchedQuotas) settleQuota(world, name);
  world.touchedQuotas.clear();
  return grown;
}

// === commands ===

function settleCommands(world: World): boolean {
  let accepted = false;
  for (const [name, carried] of world.dirtyCommands) {
    world.dirtyCommands.delete(name);
    const considered = considerCommand(world, carried);
    if (considered.kind !== "accepted") continue;
    accepted = true;
    followOrder(world, considered.order);
  }
  return accepted;
}

/** The hub's announcements have no id of their own; a command's register names it. */
export function considerCommand(world: World, { key, value }: CarriedCommand): Considered {
  return world.book.consider(value, key.startsWith("command/") ? key.slice("command/".length) : undefined);
}

function followOrder(world: World, order: OperatorOrder): void {
  if (order.do === "operators") {
    reconsiderAll(world);
  } else if (order.do === "hubkey") {
    refreshHub(world);
  } else {
    refreshCluster(world, order.cluster);
    // A membership with the new key may have come before the order that allows it.
    world.dirtyMemberships.add(order.cluster);
  }
}

/** Other operators: earlier refusals may hold now, and what they did not keep has ended. */
function reconsiderAll(world: World): void {
  for (const source of world.sources.values())
    for (const type of ["CommandSet", "HubkeySet", "OperatorsSet"])
      for (const register of source.ofType(type)) {
        const carried = carriedBy(world, source, register);
        if (carried !== undefined) world.dirtyCommands.set(`${source.account} ${register.key}`, carried);
      }
  refreshHub(world);
  for (const cluster of world.members.clusters()) {
    refreshCluster(world, cluster);
    world.dirtyMemberships.add(cluster);
  }
}

// === memberships ===

function settleMemberships(world: World): boolean {
  if (world.hub.frozen !== undefined) return false;
  let admitted = false;
  for (const cluster of world.dirtyMemberships) {
    world.dirtyMemberships.delete(cluster);
    const register = world.hub.logs.sum.registers.get(membershipKey(cluster));
    const view = register?.view;
    if (view?.type !== "MembershipSet") {
      // A value of a newer version is not a withdrawal: what was known goes on.
      if (register !== undefined && register.hash !== null) continue;
      world.members.withdraw(cluster);
      world.changeMember(cluster);
      continue;
    }
    admitted = considerMembership(world, cluster, view.value) || admitted;
  }
  return admitted;
}

function considerMembership(world: World, cluster: string, value: MembershipValue): boolean {
  const known = world.members.get(cluster)?.account;
  const admission = world.members.consider(cluster, value);
  if (admission.kind === "refused") return false;
  world.addSource(admission.account, value.cluster);
  for (const type of Object.keys(QUOTA_OF)) world.touchedQuotas.add(`${admission.account} ${type}`);
  const newKeys = refreshCluster(world, cluster);
  return newKeys || known !== admission.account;
}

// === keys ===

function refreshHub(world: World): void {
  refreshSource(world, world.hub, world.members.hubKeys());
  for (const register of world.hub.ofType("MembershipSet"))
    world.dirtyMemberships.add(register.key.slice("membership/".length));
}

function refreshCluster(world: World, cluster: string): boolean {
  world.changeMember(cluster);
  const source = world.sourceOf(cluster);
  return source !== undefined && refreshSource(world, source, world.members.keysOf(cluster));
}

/** A new key lifts a freeze: operators have dealt with the source. */
function refreshSource(world: World, source: Source, keys: readonly string[]): boolean {
  const changed = source.keys.set(keys);
  if (source.frozen !== undefined && source.keys.latest?.id !== source.frozen.keyId) {
    source.frozen = undefined;
    world.disputes.delete(source.account);
    if (source === world.hub) refreshHub(world);
    world.changeMember(source.cluster);
  }
  return changed;
}

/** Trust changes of the source stop; its facts go on (design §4 Membership). */
export function freeze(world: World, source: Source, reason: string, proof: readonly RecordEvidence[]): void {
  if (source.frozen !== undefined) return;
  const bundle = source.get("bundle");
  source.frozen = {
    reason,
    keyId: source.keys.latest?.id ?? "",
    bundle: bundle?.type === "BundleSet" ? bundle : null,
    proof,
  };
  world.changeMember(source.cluster);
}

// === quotas ===

/** An index exists only while a source is over a quota, or has been. */
function settleQuota(world: World, name: string): void {
  const [account = "", type = ""] = name.split(" ");
  const source = world.sources.get(account as AccountKey);
  const grant = source && world.members.get(source.cluster)?.membership.grant;
  if (source === undefined || grant === undefined) return;
  const quota = grant.quotas[QUOTA_OF[type as CountedType]];
  let index = world.quotas.get(name);
  if (index === undefined) {
    if (source.countOf(type) <= quota) return;
    index = new QuotaIndex();
    for (const register of source.ofType(type)) index.add(register.key);
    world.quotas.set(name, index);
  }
  for (const key of index.settle(quota))
    world.change({ cluster: source.cluster, lane: type === "EndpointSet" ? "ep" : "sum", key, type });
}

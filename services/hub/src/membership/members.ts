/**
 * The hub's side of leaving, evicting and re-keying. The fold decides who is a member; this part follows it: ends the
 * credentials of those who are out, and repairs its own rows after a restore. It never decides by itself that a
 * cluster is gone.
 */
import { type AccountKey, canonicalJson, HansaError } from "@hansa/core";
import {
  type CommandValue,
  commandKey,
  countersign,
  currentVersion,
  type MembershipRequest,
  membershipKey,
  type OperatorPayload,
  type RegisterEvent,
  verifyCommand,
  wantKey,
} from "@hansa/events";
import type { Federation, Member as FoldMember } from "@hansa/model";
import type { CommandTx, Member, MemberState } from "@hansa/store";
import type { LeaderContext } from "../context.ts";

/** Answers the outbox row's id; null where the cluster has left already. */
export async function leave(
  hub: LeaderContext,
  leaderEpoch: number,
  actor: string,
  cluster: string,
): Promise<number | null> {
  const { keys, store } = hub;
  return store.command(leaderEpoch, async (tx) => {
    const member = await tx.member(cluster);
    if (member === null) throw new HansaError("HSA1005", `cluster ${cluster}: not known`);
    if (member.state !== "active") return null;
    const { hubSignature: _, ...fields } = member.membership;
    const membership = countersign({ ...fields, state: "left" }, keys.signer, keys.fingerprint);
    const accountJwt = await suspendedJwt(hub, member);
    await tx.saveMember({ ...member, state: "left", membership, accountJwt, suspended: true });
    await tx.revokeTokensOfCluster(cluster);
    const key = membershipKey(cluster);
    const outboxId = await tx.enqueue({
      type: "MembershipSet",
      v: currentVersion("MembershipSet"),
      key,
      at: tx.nowMs,
      data: membership,
    });
    await tx.audit({
      actor,
      action: "leave",
      subject: cluster,
      details: { incarnation: member.incarnation },
    });
    return outboxId;
  });
}

const suspendedJwt = ({ keys }: LeaderContext, { account, cluster }: Member): Promise<string> =>
  keys.issuer.issueAccount({ accountKey: account as AccountKey, name: cluster, suspended: true });

/** Puts an operator-signed command into the hub's log. Refuses here what every fold would refuse. */
export async function submitCommand(
  hub: LeaderContext,
  leaderEpoch: number,
  actor: string,
  fed: Federation,
  value: CommandValue,
): Promise<number> {
  const checked = verifyCommand(value, fed.operators(), hub.keys.fingerprint, hub.crypto);
  if (checked.kind === "problem") throw new HansaError(checked.code, checked.message);
  const { order, id } = checked.payload;
  if ("cluster" in order) {
    const member = fed.member(order.cluster);
    if (member === undefined)
      throw new HansaError("HSA1005", `command ${id}: cluster ${order.cluster} is not known`);
    const { incarnation } = member.membership;
    // Operators may admit an evicted name before it asks again.
    const isAhead = order.do === "admit" && order.incarnation === incarnation + 1;
    if (incarnation !== order.incarnation && !isAhead)
      throw new HansaError(
        "HSA3007",
        `command ${id}: names incarnation ${order.incarnation} of ${order.cluster}, which is at ${incarnation}`,
      );
  }
  return hub.store.command(leaderEpoch, async (tx) => {
    const details = { order, signatures: value.signatures.map(({ key }) => key) };
    await tx.audit({ actor, action: `command ${order.do}`, subject: id, details });
    return tx.enqueue(commandEvent(checked.payload, value, tx.nowMs));
  });
}

/**
 * Copies commands in force that stand in other members' logs into the hub's: who joins later must hear them although
 * their carrier may have forgotten them, or be the very cluster that they put out. Answers what it copied.
 */
export async function carryCommands(
  hub: LeaderContext,
  leaderEpoch: number,
  fed: Federation,
  carried: ReadonlySet<string>,
): Promise<string[]> {
  const copied: string[] = [];
  // Of orders that share a register (hub key, operators) the newest holds.
  const newest = new Map(
    fed.commands().map((command) => {
      const event = commandEvent(command.payload, command.value, hub.clock.nowMs());
      return [event.key, { ...command, event }];
    }),
  );
  for (const { hash, payload, value, event } of newest.values()) {
    const held = fed.get("hub", event.key);
    if (carried.has(hash) || (held !== undefined && canonicalJson(held.value) === canonicalJson(value)))
      continue;
    await hub.store.command(leaderEpoch, async (tx) => {
      const details = { order: payload.order };
      await tx.audit({ actor: "logs", action: `carry ${payload.order.do}`, subject: payload.id, details });
      await tx.enqueue(event);
    });
    copied.push(hash);
  }
  return copied;
}

function commandEvent({ order, id }: OperatorPayload, data: CommandValue, at: number): RegisterEvent {
  if (order.do === "hubkey")
    return { type: "HubkeySet", v: currentVersion("HubkeySet"), key: "hubkey", at, data };
  if (order.do === "operators")
    return { type: "OperatorsSet", v: currentVersion("OperatorsSet"), key: "operators", at, data };
  return { type: "CommandSet", v: currentVersion("CommandSet"), key: commandKey(id), at, data };
}

/** Asks a source for a snapshot, in the hub's own log. */
export function want(
  hub: LeaderContext,
  leaderEpoch: number,
  actor: string,
  cluster: string,
  nonce: string,
): Promise<number> {
  return hub.store.command(leaderEpoch, async (tx) => {
    await tx.audit({ actor, action: "want", subject: cluster, details: {} });
    return tx.enqueue({
      type: "WantSet",
      v: currentVersion("WantSet"),
      key: wantKey(cluster),
      at: tx.nowMs,
      data: { nonce },
    });
  });
}

/** Makes the hub's rows and account JWTs follow the fold. */
export async function followFold(hub: LeaderContext, leaderEpoch: number, fed: Federation): Promise<void> {
  const rows = new Map((await hub.store.members()).map((row) => [row.cluster, row]));
  for (const member of fed.members()) {
    const row = rows.get(member.cluster);
    if (row !== undefined && isSame(row, member)) continue;
    // A join or leave that the fold has not seen yet: the row is ahead, by design.
    if (row !== undefined && isAhead(row, member)) continue;
    await hub.store.command(leaderEpoch, (tx) => follow(hub, tx, member));
    hub.log.info("member follows the logs", { cluster: member.cluster, state: member.state });
  }
}

const stateOf = (member: FoldMember): MemberState =>
  member.state === "evicted" || member.state === "left" ? member.state : "active";

const isSame = (row: Member, member: FoldMember): boolean =>
  row.state === stateOf(member) &&
  row.incarnation === member.membership.incarnation &&
  row.signingKey === member.signingKey;

const isAhead = (row: Member, member: FoldMember): boolean =>
  row.incarnation > member.membership.incarnation ||
  (row.incarnation === member.membership.incarnation && row.state === "left" && member.state !== "evicted");

async function follow(hub: LeaderContext, tx: CommandTx, member: FoldMember): Promise<void> {
  const before = await tx.member(member.cluster);
  const state = stateOf(member);
  const suspended = state !== "active";
  const account = { accountKey: member.account, name: member.cluster };
  const accountJwt = await hub.keys.issuer.issueAccount({ ...account, suspended });
  const { userKey } = JSON.parse(member.membership.request) as MembershipRequest;
  await tx.saveMember({
    cluster: member.cluster,
    signingKey: member.signingKey,
    account: member.account,
    incarnation: member.membership.incarnation,
    state,
    membership: member.membership,
    accountJwt,
    userKey,
    suspended,
  });
  if (suspended) await tx.revokeTokensOfCluster(member.cluster);
  // A restored archive may have forgotten that a token was used: what admitted this entry admits nobody else.
  if (before === null || before.incarnation < member.membership.incarnation)
    await tx.useJoinTokens(member.cluster, member.membership.admittedMs);
  await tx.audit({
    actor: "logs",
    action: `follow ${state}`,
    subject: member.cluster,
    details: { incarnation: member.membership.incarnation },
  });
}

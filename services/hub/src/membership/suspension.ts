/** Takes a source that writes above its granted rate off the bus for a while, through its account's claims. */
import type { AccountKey } from "@hansa/core";
import type { CommandTx, Member } from "@hansa/store";
import type { LeaderContext } from "../context.ts";
import { pushAccounts } from "./accounts.ts";

async function set(
  hub: LeaderContext,
  leaderEpoch: number,
  cluster: string,
  suspended: boolean,
  why: string,
): Promise<boolean> {
  const changed = await hub.store.command(leaderEpoch, async (tx: CommandTx) => {
    const member: Member | null = await tx.member(cluster);
    if (member === null || member.state !== "active" || member.suspended === suspended) return false;
    const account = { accountKey: member.account as AccountKey, name: cluster, suspended };
    const accountJwt = await hub.keys.issuer.issueAccount(account);
    await tx.saveMember({ ...member, suspended, accountJwt });
    const action = suspended ? "suspend" : "resume";
    await tx.audit({ actor: "hub", action, subject: cluster, details: { why } });
    return true;
  });
  if (changed) await pushAccounts(hub);
  return changed;
}

/** False where it is suspended already, or no active member. */
export const suspend = (hub: LeaderContext, leaderEpoch: number, cluster: string): Promise<boolean> =>
  set(hub, leaderEpoch, cluster, true, "above its granted rate");

export const resume = (hub: LeaderContext, leaderEpoch: number, cluster: string): Promise<boolean> =>
  set(hub, leaderEpoch, cluster, false, "its time is over");

/** A leader that ended took its timers along. */
export async function resumeAll(hub: LeaderContext, leaderEpoch: number): Promise<void> {
  for (const { cluster, state, suspended } of await hub.store.members())
    if (state === "active" && suspended) await resume(hub, leaderEpoch, cluster);
}

/**
 * Takes a source that writes above its granted rate off the bus for a while, through its account's claims. Who is a
 * member is not decided here.
 */
import type { AccountKey, TimerHandle } from "@hansa/core";
import type { CommandTx } from "@hansa/store";
import type { LeaderContext } from "../context.ts";
import type { Accounts } from "./accounts.ts";

export class Suspensions {
  readonly #hub: LeaderContext;
  readonly #leaderEpoch: number;
  readonly #accounts: Accounts;
  /** Until when, by cluster. */
  readonly #timers = new Map<string, TimerHandle>();

  constructor(hub: LeaderContext, leaderEpoch: number, accounts: Accounts) {
    this.#hub = hub;
    this.#leaderEpoch = leaderEpoch;
    this.#accounts = accounts;
  }

  /** Nothing where it is suspended already, or no active member. `onDue`: its time is over. */
  async suspend(cluster: string, onDue: () => void): Promise<void> {
    if (!(await this.#set(cluster, true, "above its granted rate"))) return;
    const { config, log, timers } = this.#hub;
    const { suspendMs } = config;
    log.warn("source suspended: above its granted rate", { cluster, code: "HSA2002", suspendMs });
    this.#timers.set(cluster, timers.after(suspendMs, onDue));
  }

  async resume(cluster: string): Promise<void> {
    this.#timers.delete(cluster);
    await this.#set(cluster, false, "its time is over");
  }

  /** A leader that ended took its timers along. */
  async resumeAll(): Promise<void> {
    for (const { cluster, state, suspended } of await this.#hub.store.members())
      if (state === "active" && suspended) await this.resume(cluster);
  }

  stop(): void {
    for (const timer of this.#timers.values()) timer.cancel();
  }

  async #set(cluster: string, suspended: boolean, why: string): Promise<boolean> {
    const changed = await this.#hub.store.command(this.#leaderEpoch, async (tx: CommandTx) => {
      const member = await tx.member(cluster);
      if (member === null || member.state !== "active" || member.suspended === suspended) return false;
      const account = { accountKey: member.account as AccountKey, name: cluster, suspended };
      const accountJwt = await this.#hub.keys.issuer.issueAccount(account);
      await tx.saveMember({ ...member, suspended, accountJwt });
      const action = suspended ? "suspend" : "resume";
      await tx.audit({ actor: "hub", action, subject: cluster, details: { why } });
      return true;
    });
    if (changed) await this.#accounts.push();
    return changed;
  }
}

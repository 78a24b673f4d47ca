/** Brings decided account JWTs to the bus. What fails stays pending in Postgres and is tried again: no revocation is lost. */
import { streamSizeOf } from "../config.ts";
import type { LeaderContext } from "../context.ts";
import { Serial } from "../serial.ts";

export class Accounts {
  readonly #hub: Pick<LeaderContext, "bus" | "store">;
  /** The bus keeps what comes last: of two claims on their way at once the older could win. */
  readonly #pushes = new Serial();
  #toldAll = false;

  constructor(hub: Pick<LeaderContext, "bus" | "store">) {
    this.#hub = hub;
  }

  /** What was decided and not brought yet. Throws HSA2010 while the bus is away. */
  push(which: "pending" | "all" = "pending"): Promise<void> {
    const { bus, store } = this.#hub;
    return this.#pushes.run(async () => {
      for (const account of await store.busAccounts(which)) {
        await bus.pushAccount(account.jwt);
        await store.markPushed(account);
      }
    });
  }

  /** Once in a term every account: an archive that was restored does not know what the bus was told since. */
  async tell(): Promise<void> {
    await this.push(this.#toldAll ? "pending" : "all");
    this.#toldAll = true;
  }
}

/**
 * The server reserves what all sources may store, so that none can push out another's records. Grows with the members,
 * those that left included: their records stay. `joining`: an account that is about to come.
 * Throws HSA2002 where the server has no more to give, HSA2010 while the bus is away.
 */
export async function reserveStreams({ bus, config, store }: LeaderContext, joining?: string): Promise<void> {
  const accounts = new Set((await store.busAccounts("all")).map(({ account }) => account as string));
  if (joining !== undefined) accounts.add(joining);
  const size = streamSizeOf(config);
  // One more: the hub's own log.
  const sources = accounts.size + 1;
  await bus.ensureStreams({ ...size, sourcesMax: Math.max(size.sourcesMax, sources) });
}

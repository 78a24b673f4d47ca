/** Brings decided account JWTs to the bus. What fails stays pending in Postgres and is tried again: no revocation is lost. */
import { streamSizeOf } from "../config.ts";
import type { LeaderContext } from "../context.ts";

/** `all`: an archive that was restored does not know what the bus was told since. Throws HSA2010 while the bus is away. */
export async function pushAccounts(
  { bus, store }: LeaderContext,
  which: "pending" | "all" = "pending",
): Promise<void> {
  for (const account of await store.busAccounts(which)) {
    await bus.pushAccount(account.jwt);
    await store.markPushed(account);
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

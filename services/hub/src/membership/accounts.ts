/** Brings decided account JWTs to the bus. What fails stays pending in Postgres and is tried again: no revocation is lost. */
import { markPushed, readBusAccounts } from "@hansa/store";
import type { HubContext } from "../context.ts";

/** Throws HSA2010 while the bus is away. */
export async function pushAccounts({ bus, store }: HubContext): Promise<void> {
  for (const account of await readBusAccounts(store.db, "pending")) {
    await bus.pushAccount(account.jwt);
    await markPushed(store.db, account);
  }
}

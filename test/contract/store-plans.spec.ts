/** A hub of the version before keeps its connections while another migrates the database under it. */
import { openStore } from "@hansa/store";
import { afterAll, beforeAll, expect, test } from "vitest";
import { account, batch, chain, type StoreRig, startStoreRig } from "./store-rig.ts";

let rig: StoreRig;
beforeAll(async () => {
  rig = await startStoreRig();
}, 60_000);
afterAll(() => rig?.stop());

test("a statement that was planned before a column changed is planned anew", async () => {
  const store = openStore({ url: rig.url, connectionsMax: 1 });
  try {
    const epoch = (await rig.store.lead())?.epoch ?? 0;
    const log = chain(account("P"));
    await store.commit(batch(epoch, [log.next()]));
    await rig.store.db.query("alter table head alter column hash type varchar(64)");
    const next = batch(epoch, [log.next()]);
    await store.commit(next).catch(() => {});
    expect(await store.commit(next)).toMatchObject({ position: 2 });
  } finally {
    await store.close();
  }
});

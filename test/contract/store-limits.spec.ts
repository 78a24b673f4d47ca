/** Each limit of the store, at it and one beyond, on a real Postgres. */
import {
  COMMIT_RECORDS_MAX,
  type CommandTx,
  EVENTS_PAGE_MAX,
  listAudit,
  listEvents,
  OUTBOX_EVENTS_MAX,
  OUTBOX_READ_MAX,
  TOKENS_MAX,
} from "@hansa/store";
import { afterAll, beforeAll, expect, test } from "vitest";
import { service } from "./hub-member.ts";
import { account, batch, chain, type StoreRig, startStoreRig, want } from "./store-rig.ts";

let rig: StoreRig;
let epoch = 0;

beforeAll(async () => {
  rig = await startStoreRig();
  epoch = (await rig.store.lead())?.epoch ?? 0;
}, 60_000);
afterAll(() => rig?.stop());

const command = <Result>(decide: (tx: CommandTx) => Promise<Result>): Promise<Result> =>
  rig.store.command(epoch, decide);

test("a commit takes a thousand records, and no more", async () => {
  const log = chain(account("L"));
  const keys = Array.from({ length: 3 }, (_, index) => `want/w${index}`);
  const records = Array.from({ length: COMMIT_RECORDS_MAX }, () => log.next(...keys));
  const outcome = await rig.store.commit(batch(epoch, records));
  expect(outcome).toMatchObject({ recordsNew: COMMIT_RECORDS_MAX, eventsNew: 3 * COMMIT_RECORDS_MAX });
  expect(() => rig.store.commit(batch(epoch, [...records, log.next()]))).toThrow("at most 1000 records");
});

test("a hole that is filled moves the head over more records than are read at once", async () => {
  const log = chain(account("F"));
  const [first, ...rest] = Array.from({ length: COMMIT_RECORDS_MAX + 3 }, () => log.next());
  for (const part of [rest.slice(0, COMMIT_RECORDS_MAX), rest.slice(COMMIT_RECORDS_MAX)])
    expect((await rig.store.commit(batch(epoch, part))).heads).toEqual([]);
  const { heads } = await rig.store.commit(batch(epoch, first === undefined ? [] : [first]));
  expect(heads).toMatchObject([{ seq: COMMIT_RECORDS_MAX + 3 }]);
  expect((await rig.store.gaps()).filter(({ closed }) => closed === null)).toEqual([]);
});

test("a page of events ends at its bound, and the next goes on after it", async () => {
  const through = (await rig.store.now()).position;
  const page = { after: 0, through, limit: EVENTS_PAGE_MAX + 1 };
  const first = await listEvents(rig.store.db, page);
  expect(first.length).toBe(EVENTS_PAGE_MAX);
  const second = await listEvents(rig.store.db, { ...page, after: first.at(-1)?.position ?? 0 });
  expect([second.length, second[0]?.position]).toEqual([EVENTS_PAGE_MAX, EVENTS_PAGE_MAX + 1]);
});

test("a page of the audit trail ends at its bound", async () => {
  await command(async (tx) => {
    const entry = { actor: "a", action: "b", subject: "c", details: {} };
    for (let count = 0; count <= EVENTS_PAGE_MAX; count++) await tx.audit(entry);
  });
  expect((await listAudit(rig.store.db, 0, EVENTS_PAGE_MAX + 1)).length).toBe(EVENTS_PAGE_MAX);
});

test("so many events wait for the hub's lane, and are read in portions", async () => {
  await rig.store.db.query("insert into outbox (event) select $1::jsonb from generate_series(1, $2::int)", [
    JSON.stringify(want("want/eu")),
    OUTBOX_EVENTS_MAX - 1,
  ]);
  await command((tx) => tx.enqueue(service("last")));
  await expect(command((tx) => tx.enqueue(service("more")))).rejects.toMatchObject({ code: "HSA2009" });
  expect(await rig.store.outboxDepth()).toBe(OUTBOX_EVENTS_MAX);
  expect((await rig.store.outbox(0)).length).toBe(OUTBOX_READ_MAX);
});

test("so many tokens of a kind are open; one that is revoked makes room", async () => {
  const order = (id: number) =>
    command((tx) =>
      tx.addApiToken(
        {
          id: `t${id}`,
          name: "n",
          role: "viewer",
          cluster: null,
          createdBy: "a",
          createdMs: 1,
          expiresMs: null,
        },
        `secret ${id}`,
      ),
    );
  await rig.store.db.query(
    `insert into api_token (id, secret_hash, name, role, created_by, created_at)
     select 'f' || n, 'h' || n, 'n', 'viewer', 'a', now() from generate_series(1, $1::int) as n`,
    [TOKENS_MAX - 1],
  );
  await order(1);
  await expect(order(2)).rejects.toMatchObject({ code: "HSA1006" });
  await command((tx) => tx.revokeToken("f1"));
  await order(2);
});

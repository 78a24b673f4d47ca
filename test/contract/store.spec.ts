/** What only Postgres has: migrations, immutability, rollback, sessions, paging, moments, hashes of secrets. */
import { isHansaError } from "@hansa/core";
import * as storeLib from "@hansa/store";
import { getTableColumns, getTableName, is } from "drizzle-orm";
import { PgTable } from "drizzle-orm/pg-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { account, batch, chain, MIGRATIONS, type StoreRig, startStoreRig } from "./store-rig.ts";

let rig: StoreRig;
let epoch: number;
beforeAll(async () => {
  rig = await startStoreRig();
  const leadership = await rig.store.lead();
  epoch = leadership!.epoch;
});
afterAll(() => rig.stop());

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "no error",
    (error: unknown) => (isHansaError(error) ? error.code : String(error)),
  );

const count = async (table: string, where = "true"): Promise<number> =>
  (await rig.store.db.query<{ n: number }>(`select count(*) as n from ${table} where ${where}`))[0]!.n;

describe("migrations", () => {
  test("two hubs that start together apply each file once", async () => {
    const url = await rig.freshDatabase();
    const [one, two] = [storeLib.openStore({ url }), storeLib.openStore({ url })];
    const applied = (await Promise.all([one.migrate(MIGRATIONS), two.migrate(MIGRATIONS)])).flat();
    expect(applied).toEqual([...new Set(applied)]);
    expect(applied.length).toBeGreaterThan(0);
    expect(await one.migrate(MIGRATIONS)).toEqual([]);
    await Promise.all([one.close(), two.close()]);
  });

  test("an edited file is refused", async () => {
    const url = await rig.freshDatabase();
    const store = storeLib.openStore({ url });
    await store.migrate(MIGRATIONS);
    await store.db.query("update schema_migration set sha256 = 'x' where name like '0001%'");
    expect(await codeOf(store.migrate(MIGRATIONS))).toBe("HSA1011");
    await store.close();
  });

  test("drizzle's schema names exactly the tables, columns, types and nullability that the SQL made", async () => {
    const rows = await rig.store.db.query<Record<string, string>>(
      `select table_name, column_name, data_type, is_nullable from information_schema.columns
        where table_schema = 'public' and table_name <> 'schema_migration' and table_name !~ '^event_\\d'`,
    );
    const made = rows
      .map((row) => `${row.table_name}.${row.column_name} ${row.data_type} ${row.is_nullable}`)
      .sort();
    const tables = Object.values(storeLib.schema).filter((value) => is(value, PgTable));
    const declared = tables.flatMap((table) =>
      Object.values(getTableColumns(table)).map(
        (column) =>
          `${getTableName(table)}.${column.name} ${column.getSQLType()} ${column.notNull || column.primary ? "NO" : "YES"}`,
      ),
    );
    expect(declared.sort()).toEqual(made);
  });
});

describe("commit", () => {
  test("numbers events one by one and repeats nothing", async () => {
    const log = chain(account("B"));
    const records = [log.next("want/a", "want/b"), log.next("want/c")];
    const first = await rig.store.commit(batch(epoch, records));
    const again = await rig.store.commit(batch(epoch, [...records, ...records]));
    expect(first).toMatchObject({ recordsNew: 2, eventsNew: 3 });
    expect(again).toMatchObject({ recordsNew: 0, eventsNew: 0, position: first.position });
    const events = await storeLib.listEvents(rig.store.db, {
      after: first.position - 3,
      through: first.position,
      limit: 10,
    });
    expect(events.map(({ position, key }) => [position - first.position, key])).toEqual([
      [-2, "want/a"],
      [-1, "want/b"],
      [0, "want/c"],
    ]);
  });

  test("a crash between commit and acknowledgement has no second effect", async () => {
    const log = chain(account("D"));
    const records = [log.next("want/a")];
    const service = { cluster: "d", namespace: "n", name: "s", exported: true, effective: true, value: {} };
    const upserts = [{ ...service, epoch: 1, seq: 1, at_ms: 1 }];
    const input = batch(epoch, records, {
      projections: { service: { upserts, deletes: [] } },
      checkpoint: { incarnation: "i", streamSeq: 5 },
    });
    const first = await rig.store.commit(input);
    const other = storeLib.openStore({ url: rig.url });
    await other.commit(input);
    await other.close();
    const rows = await rig.store.db.query("select position from service where cluster = 'd'");
    expect(rows).toEqual([{ position: first.position }]);
    expect(await storeLib.readCheckpoint(rig.store.db)).toMatchObject({ incarnation: "i", streamSeq: 5 });
  });

  test("a failure anywhere leaves nothing behind", async () => {
    const log = chain(account("E"));
    const bad = { service: { upserts: [{ cluster: null }], deletes: [] } };
    const before = await storeLib.archiveNow(rig.store.db);
    await expect(rig.store.commit(batch(epoch, [log.next()], { projections: bad }))).rejects.toThrow();
    expect(await storeLib.archiveNow(rig.store.db)).toEqual(before);
    expect(await count("record", `source = '${account("E")}'`)).toBe(0);
  });

  test("another record at a taken place is equivocation: the first stays", async () => {
    const [one, two] = [chain(account("F")).next("want/a"), chain(account("F")).next("want/b")];
    await rig.store.commit(batch(epoch, [one]));
    const outcome = await rig.store.commit(batch(epoch, [two]));
    expect(outcome).toMatchObject({ recordsNew: 0, equivocations: [{ code: "HSA2008", hash: two.hash }] });
    expect(await count("quarantine", `source = '${account("F")}' and code = 'HSA2008'`)).toBe(1);
  });

  test("text that jsonb cannot hold is archived all the same, its bytes untouched", async () => {
    const item = chain(account("G")).next("want/\u0000x");
    await rig.store.commit(batch(epoch, [item]));
    const rows = await rig.store.db.query<{ body: Buffer }>("select body from record where source = $1", [
      account("G"),
    ]);
    expect(new Uint8Array(rows[0]!.body)).toEqual(item.record.body);
  });

  test("records and events cannot be changed, deleted or truncated, nor can partitions", async () => {
    const partition = (
      await rig.store.db.query<{ name: string }>(
        "select inhrelid::regclass::text as name from pg_inherits where inhparent = 'event'::regclass",
      )
    )[0]!.name;
    for (const table of ["record", "event", partition, "audit"]) {
      if (table === "audit")
        await rig.store.command(epoch, (tx) =>
          tx.audit({ actor: "a", action: "b", subject: "c", details: {} }),
        );
      const [column] = table === "audit" ? ["actor"] : ["source"];
      await expect(rig.store.db.query(`update ${table} set ${column} = 'x'`)).rejects.toThrow(/immutable/);
      await expect(rig.store.db.query(`delete from ${table}`)).rejects.toThrow(/immutable/);
      await expect(rig.store.db.query(`truncate ${table}`)).rejects.toThrow(/immutable/);
    }
  });
});

describe("leader", () => {
  test("a session that ends is noticed", async () => {
    const url = await rig.freshDatabase();
    const store = storeLib.openStore({ url });
    await store.migrate(MIGRATIONS);
    const held = (await store.lead())!;
    await store.db.query(
      "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and pid <> pg_backend_pid()",
    );
    await held.lost;
    expect(await store.lead()).not.toBeNull();
    await store.db.pool.query("select 1");
  });
});

describe("reads", () => {
  test("pages from Postgres and from memory are the same pages", async () => {
    const names = ["b", "a-1", "a", "z", "aa", "c"];
    const upserts = names.map((name) => ({
      ...{ cluster: "pages", namespace: "n", name, exported: name === "a", effective: true, value: { name } },
      ...{ epoch: 1, seq: 1, at_ms: 1 },
    }));
    await rig.store.commit(batch(epoch, [], { projections: { service: { upserts, deletes: [] } } }));
    const rows = upserts.map(({ at_ms, ...row }) => ({ ...row, atMs: at_ms }));
    let cursor: string | null = null;
    const seen: unknown[] = [];
    do {
      const request: storeLib.PageRequest = { filter: { cluster: "pages" }, limit: 2, cursor };
      const page = await rig.store.list("service", request);
      expect(page).toEqual(storeLib.pageOf(rows, "service", request));
      seen.push(...page.items.map(({ name }) => name));
      cursor = page.next;
    } while (cursor !== null);
    expect(seen).toEqual([...names].sort());
  });

  test("a made-up cursor and an unknown filter are refused", async () => {
    expect(await codeOf(rig.store.list("service", { filter: {}, limit: 1, cursor: "nonsense" }))).toBe(
      "HSA1004",
    );
    expect(
      await codeOf(rig.store.list("service", { filter: { colour: "red" }, limit: 1, cursor: null })),
    ).toBe("HSA1004");
  });

  test("a moment is the last record boundary at or before it", async () => {
    const log = chain(account("K"));
    const one = await rig.store.commit(batch(epoch, [log.next("want/a", "want/b")]));
    await new Promise((resolve) => setTimeout(resolve, 20));
    const two = await rig.store.commit(batch(epoch, [log.next("want/a", "want/b", "want/c")]));
    const at = (moment: storeLib.Moment) => storeLib.resolveMoment(rig.store.db, moment);
    expect((await at({ position: two.position - 1 })).position).toBe(one.position);
    expect((await at({ timeMs: one.committedMs })).position).toBe(one.position);
    expect((await at({ timeMs: two.committedMs - 1 })).position).toBe(one.position);
    expect((await at({ agoMs: 0 })).position).toBe(two.position);
    expect(await codeOf(at({ position: two.position + 1 }))).toBe("HSA1008");
    expect(await codeOf(at({ agoMs: 3_600_000 }))).toBe("HSA1008");
    expect(await codeOf(at({ timeMs: Date.now() + 60_000 }))).toBe("HSA1008");
  });

  test("a database that is away is HSA2011", async () => {
    const store = storeLib.openStore({ url: "postgres://x:y@127.0.0.1:1/none", connectTimeoutMs: 500 });
    expect(await codeOf(store.migrate(MIGRATIONS))).toBe("HSA2011");
    expect(await codeOf(storeLib.archiveNow(store.db))).toBe("HSA2011");
    await store.close();
  });
});

describe("tokens", () => {
  test("secrets are kept as hashes; revoked, expired and unknown ones find nothing", async () => {
    const { db } = rig.store;
    const token = { name: "n", role: "viewer", cluster: null, createdBy: "t", createdMs: 1 } as const;
    await storeLib.insertApiToken(db, { ...token, id: "1", expiresMs: null }, "good");
    await storeLib.insertApiToken(db, { ...token, id: "2", expiresMs: 5 }, "old");
    expect(await storeLib.findApiToken(db, "good")).toMatchObject({ id: "1", role: "viewer" });
    expect(await storeLib.findApiToken(db, "old")).toBeNull();
    expect(await storeLib.findApiToken(db, "bad")).toBeNull();
    await storeLib.revokeToken(db, "1", 9);
    expect(await storeLib.findApiToken(db, "good")).toBeNull();
    expect(await count("api_token", "secret_hash in ('good', 'old')")).toBe(0);
  });
});

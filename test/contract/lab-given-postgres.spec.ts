/** HANSA_POSTGRES_URL: the lab uses a database of its own on that server, and leaves nothing behind. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore } from "@hansa/store";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openPostgres, type PostgresAccess } from "../../deploy/tools/postgres.ts";
import { Component } from "../../services/lab/src/supervisor/component.ts";
import { GivenPostgres } from "../../services/lab/src/supervisor/given-postgres.ts";

const folder = mkdtempSync(join(tmpdir(), "hansa-given-"));
let server: PostgresAccess;
beforeAll(async () => {
  server = await openPostgres({ dataDir: join(folder, "pg") });
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function query(url: string, text: string): Promise<unknown> {
  const store = openStore({ url });
  try {
    return await store.db.query(text);
  } finally {
    await store.close();
  }
}

const componentOf = (database: GivenPostgres): Component =>
  new Component(
    {
      name: "postgres",
      kind: "postgres",
      cluster: "",
      log: "",
      ports: {},
      admin: "",
      start: () => database.start(),
    },
    () => {},
  );

test("two labs do not see each other; killed and started again it holds what it held; at the end it is gone", async () => {
  const [first, second] = [new GivenPostgres(server.url), new GivenPostgres(server.url)];
  const [postgres, other] = [componentOf(first), componentOf(second)];
  await Promise.all([postgres.start(), other.start()]);
  await query(first.url, "create table kept (id integer)");
  await expect(query(second.url, "select * from kept")).rejects.toThrow(/kept/);
  const held = openStore({ url: first.url });
  await held.db.query("select 1");

  await postgres.kill();
  expect(postgres.state).toBe("exited");
  await expect(held.db.query("select 1")).rejects.toThrow();
  await expect(query(first.url, "select 1")).rejects.toThrow(/not currently accepting connections/);
  await expect(query(second.url, "select 1")).resolves.toHaveLength(1);
  await held.close();

  await postgres.start();
  await expect(query(first.url, "select * from kept")).resolves.toEqual([]);
  expect(() => postgres.pause()).toThrow(/HSA6004|no process of the lab/);
  expect([postgres.state, postgres.pid]).toEqual(["running", undefined]);

  await Promise.all([first.drop(), second.drop()]);
  for (const { url } of [first, second])
    await expect(query(url, "select 1")).rejects.toThrow(/database "hansa_lab_\w+" does not exist/);
});

/**
 * Runs migrations/NNNN-name.sql in order, each in its own transaction, under a session lock so that two hubs starting
 * together do it once. A file that was applied is never edited: its hash is kept and compared.
 */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { HansaError } from "@hansa/core";
import { type Db, databaseError } from "./db.ts";

/** Session lock keys of this database: one for migrations, one for the leader. */
export const MIGRATION_LOCK = 0x48_41_4e_53;
export const LEADER_LOCK = 0x48_41_4e_54;

interface Migration {
  readonly name: string;
  readonly sql: string;
  readonly sha256: string;
}

export async function readMigrations(directory: string): Promise<Migration[]> {
  const names = (await readdir(directory)).filter((name) => /^\d{4}-[a-z0-9-]+\.sql$/.test(name)).sort();
  return Promise.all(
    names.map(async (name) => {
      const sql = await readFile(join(directory, name), "utf8");
      return { name, sql, sha256: createHash("sha256").update(sql).digest("hex") };
    }),
  );
}

/** Answers the names applied now. Throws HSA1011 where an applied file was edited or is missing. */
export async function migrate(db: Db, directory: string): Promise<string[]> {
  const migrations = await readMigrations(directory);
  const client = await db.connect();
  try {
    await client.query("select pg_advisory_lock($1)", [MIGRATION_LOCK]);
    await client.query(
      `create table if not exists schema_migration
         (name text primary key, sha256 text not null, applied_at timestamptz not null default now())`,
    );
    const { rows } = await client.query<{ name: string; sha256: string }>(
      "select name, sha256 from schema_migration",
    );
    const applied = new Map(rows.map((row) => [row.name, row.sha256]));
    const fresh = pending(migrations, applied);
    for (const { name, sql, sha256 } of fresh) {
      await client.query("begin");
      await client.query(sql);
      await client.query("insert into schema_migration (name, sha256) values ($1, $2)", [name, sha256]);
      await client.query("commit");
    }
    return fresh.map(({ name }) => name);
  } catch (error) {
    throw databaseError(error);
  } finally {
    await client.end().catch(() => {});
  }
}

function pending(migrations: readonly Migration[], applied: ReadonlyMap<string, string>): Migration[] {
  const known = new Set(migrations.map(({ name }) => name));
  for (const name of applied.keys())
    if (!known.has(name))
      throw new HansaError(
        "HSA1011",
        `migrations: the database has ${name}, which this version lacks; run a newer hub`,
      );
  for (const { name, sha256 } of migrations)
    if (applied.has(name) && applied.get(name) !== sha256)
      throw new HansaError(
        "HSA1011",
        `migrations/${name}: was edited after it was applied; add a new file instead`,
      );
  return migrations.filter(({ name }) => !applied.has(name));
}

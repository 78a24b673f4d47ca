/** Whose archive this is. Two federations in one database would be read as one history. */
import { HansaError } from "@hansa/core";
import type { Queryable } from "./db.ts";

/** The first hub on an empty database claims it; throws HSA1004 where it belongs to another federation. */
export async function claimArchive(db: Queryable, fingerprint: string): Promise<void> {
  await db.query("insert into federation (fingerprint) values ($1) on conflict do nothing", [fingerprint]);
  const [row] = await db.query<{ fingerprint: string }>("select fingerprint from federation");
  if (row?.fingerprint === fingerprint) return;
  throw new HansaError(
    "HSA1004",
    `postgres: the archive belongs to the federation with fingerprint ${row?.fingerprint.slice(0, 16)}…, this hub's is ${fingerprint.slice(0, 16)}…; name its own database in postgres.url`,
  );
}

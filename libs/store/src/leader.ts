/**
 * Who may write the archive: the holder of a session lock, fenced by an epoch. The lock gives progress, the epoch
 * safety: a leader that lost its session finds a higher epoch in its next transaction and writes nothing.
 */
import { HansaError } from "@hansa/core";
import { type Db, databaseError, type Queryable } from "./db.ts";
import { LEADER_LOCK } from "./migrate.ts";

export interface Leadership {
  readonly epoch: number;
  /** Settles when the session that holds the lock ends. */
  readonly lost: Promise<void>;
  resign(): Promise<void>;
}

/** null where another hub leads. `url`: where other hubs reach this one, "" for nowhere. */
export async function lead(db: Db, url: string): Promise<Leadership | null> {
  const client = await db.connect();
  const lost = new Promise<void>((resolve) => {
    client.once("end", () => resolve());
    client.on("error", () => resolve());
  });
  try {
    const { rows } = await client.query<{ held: boolean }>("select pg_try_advisory_lock($1) as held", [
      LEADER_LOCK,
    ]);
    if (rows[0]?.held !== true) {
      await client.end();
      return null;
    }
    const result = await client.query<{ epoch: number }>(
      `update archive set leader_epoch = leader_epoch + 1, leader_url = $1
        where id = 1 returning leader_epoch as epoch`,
      [url],
    );
    return { epoch: Number(result.rows[0]?.epoch), lost, resign: () => client.end() };
  } catch (error) {
    await client.end().catch(() => {});
    throw databaseError(error);
  }
}

/** Of the hub that led last, "" where it announced none. Whether it still leads, only it can say. */
export async function leaderUrl(db: Queryable): Promise<string> {
  const rows = await db.query<{ url: string }>("select leader_url as url from archive where id = 1");
  return rows[0]?.url ?? "";
}

export interface ArchiveRow {
  readonly position: number;
  /** Commit clock of this transaction, ms; never earlier than the previous commit's. */
  readonly committedMs: number;
}

/** First statement of every writing transaction: takes the archive's row and refuses a leader that was replaced. */
export async function fence(tx: Queryable, epoch: number): Promise<ArchiveRow> {
  const rows = await tx.query<{ leader_epoch: number; position: number; ms: string }>(
    `select leader_epoch, position,
            floor(extract(epoch from greatest(clock_timestamp(), committed_at)) * 1000)::text as ms
       from archive where id = 1 for update`,
  );
  const row = rows[0];
  if (row === undefined || row.leader_epoch !== epoch)
    throw new HansaError("HSA2003", `hub: leader epoch ${epoch} was replaced by ${row?.leader_epoch}`);
  return { position: row.position, committedMs: Number(row.ms) };
}

/**
 * The fold at any past position: nearest snapshot, then the archived records after it, through the same Federation that
 * agents use. Nothing is kept between calls.
 */
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import type { Lane, RecordHeader, WireRecord } from "@hansa/events";
import type { Queryable } from "./db.ts";

const READ_MAX = 1000;
/** A new snapshot after so many positions: bounds what a question about the past replays. */
export const SNAPSHOT_EVERY_MAX = 20_000;
const zip = promisify(gzip);
const unzip = promisify(gunzip);

export interface StoredRecord {
  readonly record: WireRecord;
  readonly hash: string;
  readonly lane: Lane;
  readonly streamSeq: number;
  readonly position: number;
  /** False where the record was quarantined: it must be judged again, never trusted. */
  readonly trusted: boolean;
}

/** Records after `after` up to `through`, in the order of their commit. */
export async function* readRecords(
  db: Queryable,
  after: number,
  through: number,
): AsyncGenerator<StoredRecord> {
  let last = { position: after + 1, source: "", lane: "", epoch: 0, seq: 0 };
  for (;;) {
    const rows = await db.query<{
      source: string;
      lane: Lane;
      epoch: number;
      seq: number;
      hash: string;
      header: RecordHeader;
      body: Buffer;
      stream_seq: number | null;
      position: number;
      trusted: boolean;
    }>(
      `select record.source, record.lane, record.epoch, record.seq, record.hash, header, body, stream_seq, position,
              not exists (select 1 from quarantine q where q.source = record.source and q.lane = record.lane
                and q.epoch = record.epoch and q.seq = record.seq and q.hash = record.hash) as trusted
         from record
        where (position, record.source, record.lane, record.epoch, record.seq) > ($1, $2, $3, $4, $5) and position <= $6
        order by position, record.source, record.lane, record.epoch, record.seq limit ${READ_MAX}`,
      [last.position, last.source, last.lane, last.epoch, last.seq, through],
    );
    for (const row of rows)
      yield {
        record: { header: row.header, body: new Uint8Array(row.body) },
        hash: row.hash,
        lane: row.lane,
        streamSeq: row.stream_seq ?? 0,
        position: row.position,
        trusted: row.trusted,
      };
    const end = rows.at(-1);
    if (end === undefined || rows.length < READ_MAX) return;
    last = end;
  }
}

/** JSON dump of a fold, as taken at `position`. */
export async function saveSnapshot(
  db: Queryable,
  at: { readonly position: number; readonly committedMs: number },
  dump: unknown,
): Promise<void> {
  // Level 1: a third of the time for a fifth more bytes, and a busy hub writes one every second.
  const state = await zip(Buffer.from(JSON.stringify(dump)), { level: 1 });
  await db.query(
    "insert into snapshot (position, committed_at, state) values ($1, $2, $3) on conflict (position) do nothing",
    [at.position, new Date(at.committedMs).toISOString(), state],
  );
}

/** The newest snapshot at or before `position`. */
export async function nearestSnapshot(
  db: Queryable,
  position: number,
): Promise<{ readonly position: number; readonly dump: unknown } | null> {
  const rows = await db.query<{ position: number; state: Buffer }>(
    "select position, state from snapshot where position <= $1 order by position desc limit 1",
    [position],
  );
  const row = rows[0];
  if (row === undefined) return null;
  return { position: row.position, dump: JSON.parse((await unzip(row.state)).toString("utf8")) };
}

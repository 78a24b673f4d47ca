/**
 * The one way into the archive. A commit is one transaction: fence, records (idempotent by primary key), their events
 * with positions, heads, quarantine, projections, checkpoint. The caller acknowledges the bus only afterwards, so a
 * crash anywhere repeats the batch and repeats no effect. Must not judge records: the fold does.
 */
import type { AccountKey } from "@hansa/core";
import { assert, HansaError } from "@hansa/core";
import type { Event, Head, Lane, Position, WireRecord } from "@hansa/events";
import type { Gap } from "./chain.ts";
import { CopyRows } from "./copy.ts";
import type { Db, Queryable, Tx } from "./db.ts";
import { advanceHeads } from "./heads.ts";
import { jsonText } from "./json-text.ts";
import { fence } from "./leader.ts";
import { type ProjectionChanges, writeProjections } from "./upsert.ts";

export const COMMIT_RECORDS_MAX = 1000;

export interface ArchiveRecord {
  readonly record: WireRecord;
  /** Hex hash of the record, as in the successor's `prev`. */
  readonly hash: string;
  readonly via: "bus" | "http" | "own";
  readonly streamSeq: number | null;
  /** Decoded events, at least one: poison is archived as its bytes and one `Quarantined` event. */
  readonly events: readonly Event[];
}

export interface Quarantined extends Position {
  readonly source: AccountKey;
  readonly lane: Lane;
  readonly hash: string;
  readonly code: string;
  readonly message: string;
}

export interface CommitInput {
  readonly leaderEpoch: number;
  readonly records: readonly ArchiveRecord[];
  readonly quarantine: readonly Quarantined[];
  readonly projections: ProjectionChanges;
  readonly sources: readonly { readonly account: AccountKey; readonly cluster: string }[];
  readonly checkpoint: { readonly incarnation: string; readonly streamSeq: number } | null;
}

export interface CommitOutcome {
  /** Archive position after this commit. */
  readonly position: number;
  readonly committedMs: number;
  readonly recordsNew: number;
  readonly eventsNew: number;
  /** Logs whose committed end moved. */
  readonly heads: readonly Head[];
  readonly gaps: readonly Gap[];
  /** Two different hashes for one place: the earlier stays (HSA2008). */
  readonly equivocations: readonly Quarantined[];
}

interface Placed extends ArchiveRecord {
  /** Counter after this record's last event. */
  readonly position: number;
}

export function commit(db: Db, input: CommitInput): Promise<CommitOutcome> {
  assert(input.records.length <= COMMIT_RECORDS_MAX, `a commit takes at most ${COMMIT_RECORDS_MAX} records`);
  return db.transaction(async (tx) => {
    const before = await fence(tx, input.leaderEpoch);
    const committedAt = new Date(before.committedMs).toISOString();
    const { fresh, equivocations } = sortOut(input.records, await readKnown(tx, input.records));
    let position = before.position;
    const placed = fresh.map((item): Placed => {
      assert(item.events.length > 0, "every archived record has a position of its own");
      position += item.events.length;
      return { ...item, position };
    });
    if (placed.length > 0) {
      await tx.prepared("select ensure_event_partition($1)", [committedAt]);
      await insertRecords(tx, placed, committedAt);
      await insertEvents(tx, placed, before.committedMs);
    }
    const moved = await advanceHeads(tx, placed, committedAt);
    await insertQuarantine(tx, [...input.quarantine, ...equivocations], committedAt);
    await insertSources(tx, input.sources);
    await writeProjections(tx, input.projections, position);
    if (input.checkpoint !== null) await saveCheckpoint(tx, input.checkpoint, position);
    await tx.prepared("update archive set position = $1, committed_at = $2 where id = 1", [
      position,
      committedAt,
    ]);
    return {
      position,
      committedMs: before.committedMs,
      recordsNew: placed.length,
      eventsNew: position - before.position,
      ...moved,
      equivocations,
    };
  });
}

/** Hashes of those records' places that are archived, by `placeName`. */
async function readKnown(tx: Tx, records: readonly ArchiveRecord[]): Promise<Map<string, string>> {
  const known = new Map<string, string>();
  if (records.length === 0) return known;
  // offset 0: one look-up by primary key per place, however large the archive was when this was planned.
  const rows = await tx.prepared<{ source: string; lane: string; epoch: number; seq: number; hash: string }>(
    `select r.source, r.lane, r.epoch, r.seq, known.hash
       from jsonb_to_recordset($1) as r(source text, lane text, epoch bigint, seq bigint)
      cross join lateral (select hash from record where record.source = r.source and record.lane = r.lane
        and record.epoch = r.epoch and record.seq = r.seq offset 0) as known`,
    [JSON.stringify(records.map(({ record: { header } }) => place(header)))],
  );
  for (const row of rows) known.set(placeName(row), row.hash);
  return known;
}

export const placeName = ({ source, lane, epoch, seq }: Record<keyof Place, unknown>): string =>
  `${source} ${lane} ${epoch} ${seq}`;

/** New records in the given order; a repeated place within the batch counts once. `known` learns them. */
export function sortOut(
  records: readonly ArchiveRecord[],
  known: Map<string, string>,
): { fresh: ArchiveRecord[]; equivocations: Quarantined[] } {
  const fresh: ArchiveRecord[] = [];
  const equivocations: Quarantined[] = [];
  for (const item of records) {
    const { header } = item.record;
    const id = placeName(header);
    const seen = known.get(id);
    if (seen === undefined) {
      known.set(id, item.hash);
      fresh.push(item);
    } else if (seen !== item.hash) {
      const message = `record ${header.lane}/${header.epoch}/${header.seq}: hash ${item.hash.slice(0, 16)}, archived is ${seen.slice(0, 16)}`;
      equivocations.push({ ...place(header), hash: item.hash, code: "HSA2008", message });
    }
  }
  return { fresh, equivocations };
}

type Place = Pick<WireRecord["header"], "source" | "lane" | "epoch" | "seq">;

const place = ({ source, lane, epoch, seq }: Place): Place => ({ source, lane, epoch, seq });

/** Bodies travel as one binary value: as base64 in the JSON they would cost more than all the rest of the row. */
async function insertRecords(tx: Tx, placed: readonly Placed[], committedAt: string): Promise<void> {
  let sizeBytes = 0;
  const rows = placed.map(({ record: { header, body }, hash, via, streamSeq, position }) => {
    const body_at = sizeBytes;
    sizeBytes += body.length;
    return {
      ...place(header),
      hash,
      prev: header.prev,
      signature: header.sig,
      header,
      body_at,
      body_size: body.length,
      via,
      stream_seq: streamSeq,
      position,
    };
  });
  const bodies = Buffer.concat(
    placed.map(({ record }) => record.body),
    sizeBytes,
  );
  await tx.prepared(
    `insert into record (source, lane, epoch, seq, hash, prev, signature, header, body, via, stream_seq, position, committed_at)
     select source, lane, epoch, seq, hash, prev, signature, header, substring($2::bytea from body_at + 1 for body_size),
            via, stream_seq, position, $3::timestamptz
       from jsonb_to_recordset($1) as r(source text, lane text, epoch bigint, seq bigint, hash text, prev text,
            signature text, header jsonb, body_at int, body_size int, via text, stream_seq bigint, position bigint)`,
    [jsonText(rows), bodies, committedAt],
  );
}

const COPY_EVENTS = `copy event (position, committed_at, source, lane, epoch, seq, index, type, v, key, at_ms, data)
  from stdin (format binary)`;

async function insertEvents(tx: Tx, placed: readonly Placed[], committedMs: number): Promise<void> {
  const rows = new CopyRows();
  for (const { record, events, position } of placed) {
    const { source, lane, epoch, seq } = record.header;
    for (const [index, { type, v, key, at, data }] of events.entries()) {
      rows.row(12);
      rows.int8(position - events.length + index + 1);
      rows.timestamptz(committedMs);
      rows.text(source);
      rows.text(lane);
      rows.int8(epoch);
      rows.int8(seq);
      rows.int2(index);
      rows.text(type);
      rows.int4(v);
      rows.text(key);
      rows.int8(at);
      if (data === null) rows.null();
      else rows.jsonb(jsonText(data));
    }
  }
  await tx.copy(COPY_EVENTS, rows.end());
}

async function insertQuarantine(
  tx: Queryable,
  items: readonly Quarantined[],
  notedAt: string,
): Promise<void> {
  if (items.length === 0) return;
  await tx.query(
    `insert into quarantine (source, lane, epoch, seq, hash, code, message, noted_at)
     select source, lane, epoch, seq, hash, code, message, $2
       from jsonb_to_recordset($1) as r(source text, lane text, epoch bigint, seq bigint, hash text, code text, message text)
     on conflict do nothing`,
    [jsonText(items), notedAt],
  );
}

async function insertSources(tx: Tx, sources: CommitInput["sources"]): Promise<void> {
  if (sources.length === 0) return;
  await tx.prepared(
    `insert into source (account, cluster)
     select account, cluster from jsonb_to_recordset($1) as r(account text, cluster text)
     on conflict (account) do update set cluster = excluded.cluster
     where source.cluster is distinct from excluded.cluster`,
    [JSON.stringify(sources)],
  );
}

async function saveCheckpoint(
  tx: Tx,
  checkpoint: NonNullable<CommitInput["checkpoint"]>,
  position: number,
): Promise<void> {
  await tx.prepared(
    `insert into checkpoint (id, incarnation, stream_seq, position) values ('projector', $1, $2, $3)
     on conflict (id) do update set incarnation = excluded.incarnation, position = excluded.position,
       stream_seq = case when checkpoint.incarnation = excluded.incarnation
                         then greatest(checkpoint.stream_seq, excluded.stream_seq) else excluded.stream_seq end`,
    [checkpoint.incarnation, checkpoint.streamSeq, position],
  );
}

export interface Checkpoint {
  readonly incarnation: string;
  readonly streamSeq: number;
  readonly position: number;
}

export async function readCheckpoint(db: Queryable): Promise<Checkpoint | null> {
  const rows = await db.query<{ incarnation: string; stream_seq: number; position: number }>(
    "select incarnation, stream_seq, position from checkpoint where id = 'projector'",
  );
  const row = rows[0];
  if (row === undefined) return null;
  if (row.stream_seq < 0) throw new HansaError("HSA1011", "checkpoint: negative stream position");
  return { incarnation: row.incarnation, streamSeq: row.stream_seq, position: row.position };
}

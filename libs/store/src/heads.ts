/**
 * Contiguous end of every archived log. A head moves along the hash chain only; where the chain breaks it waits until
 * the missing records arrive, until the source starts a new chain, or until the gap is given up. Agents may drop their
 * own records up to the head, so a head never moves over a hole that could still be filled.
 */
import type { AccountKey } from "@hansa/core";
import type { Head, Lane } from "@hansa/events";
import {
  byLog,
  type Candidate,
  CHAIN_START,
  type ChainLink,
  type Gap,
  GIVEN_UP_MAX,
  gapsOf,
  isAfter,
  type Link,
  type LostGap,
  place,
  type Walk,
  walkChain,
} from "./chain.ts";
import type { Db, Queryable, Tx } from "./db.ts";
import { fence } from "./leader.ts";

/** Chain links read at once when a gap was filled. */
const FOLLOW_MAX = 1000;

export async function advanceHeads(
  tx: Tx,
  placed: readonly Candidate[],
  notedAt: string,
): Promise<{ heads: Head[]; gaps: Gap[] }> {
  const heads: Head[] = [];
  const gaps: Gap[] = [];
  const logs = byLog(placed);
  if (logs.length === 0) return { heads, gaps };
  const { starts, gapped } = await ends(tx, [...new Set(placed.map(({ record }) => record.header.source))]);
  for (const items of logs) {
    const { source, lane } = items[0]!.record.header;
    const start = starts.get(`${source} ${lane}`) ?? NO_HEAD;
    const links = items.map(({ record: { header }, hash }) => ({
      ...place(header),
      prev: header.prev,
      hash,
    }));
    let walk = walkChain(start, links, new Set());
    // Where anything waits, what was archived earlier counts too.
    if (walk.waiting !== null || gapped.has(`${source} ${lane}`))
      walk = await follow(tx, source, lane, start);
    gaps.push(...gapsOf(source, lane, walk));
    if (isAfter(walk.end, start)) heads.push({ source, lane, ...place(walk.end), head: walk.end.hash });
  }
  await saveHeads(tx, heads, gapped.size > 0);
  await saveGaps(tx, gaps, notedAt);
  return { heads, gaps };
}

const NO_HEAD: Link = { epoch: 0, seq: 0, hash: CHAIN_START };

/** Heads of these sources' logs, and which of them have an open gap. */
async function ends(
  tx: Tx,
  sources: readonly string[],
): Promise<{ starts: Map<string, Link>; gapped: Set<string> }> {
  const rows = await tx.prepared<Link & { source: string; lane: string; is_gap: boolean }>(
    `select source, lane, epoch, seq, hash, false as is_gap from head where source = any($1::text[])
     union all
     select source, lane, 0, 0, '', true from gap where source = any($1::text[]) and closed is null`,
    [sources],
  );
  const starts = new Map<string, Link>();
  const gapped = new Set<string>();
  for (const { source, lane, epoch, seq, hash, is_gap } of rows)
    if (is_gap) gapped.add(`${source} ${lane}`);
    else starts.set(`${source} ${lane}`, { epoch, seq, hash });
  return { starts, gapped };
}

async function headOf(tx: Queryable, source: string, lane: string): Promise<Link> {
  const rows = await tx.query<{ epoch: number; seq: number; hash: string }>(
    "select epoch, seq, hash from head where source = $1 and lane = $2",
    [source, lane],
  );
  return rows[0] ?? NO_HEAD;
}

/** Goes along everything archived after `from`. */
async function follow(tx: Queryable, source: string, lane: string, from: Link): Promise<Walk> {
  let walk: Walk = { end: from, waiting: null, holes: [] };
  for (;;) {
    const rows = await tx.query<ChainLink>(
      `select epoch, seq, hash, prev from record
        where source = $1 and lane = $2 and (epoch, seq) > ($3::bigint, $4::bigint)
        order by epoch, seq limit ${FOLLOW_MAX}`,
      [source, lane, walk.end.epoch, walk.end.seq],
    );
    const next = walkChain(walk.end, rows, await archivedBefore(tx, source, lane, rows));
    walk = { ...next, holes: [...walk.holes, ...next.holes] };
    if (walk.waiting !== null || rows.length < FOLLOW_MAX) return walk;
  }
}

/** Which predecessors of epochs that begin in `links` are archived, among the latest before them. */
async function archivedBefore(
  tx: Queryable,
  source: string,
  lane: string,
  links: readonly ChainLink[],
): Promise<ReadonlySet<string>> {
  const archived = new Set<string>();
  for (const { epoch, seq, prev } of links) {
    if (seq !== 1 || prev === CHAIN_START) continue;
    const rows = await tx.query(
      `select 1 from (select hash from record where source = $1 and lane = $2 and epoch < $3
          order by epoch desc, seq desc limit ${GIVEN_UP_MAX}) as latest where hash = $4`,
      [source, lane, epoch, prev],
    );
    if (rows.length > 0) archived.add(prev);
  }
  return archived;
}

async function saveHeads(tx: Tx, heads: readonly Head[], anyGap: boolean): Promise<void> {
  if (heads.length === 0) return;
  await tx.prepared(
    `insert into head (source, lane, epoch, seq, hash)
     select source, lane, epoch, seq, head
       from jsonb_to_recordset($1) as r(source text, lane text, epoch bigint, seq bigint, head text)
     on conflict (source, lane) do update set epoch = excluded.epoch, seq = excluded.seq, hash = excluded.hash`,
    [JSON.stringify(heads)],
  );
  if (!anyGap) return;
  await tx.query(
    `update gap set closed = 'filled' from head
      where head.source = gap.source and head.lane = gap.lane and gap.closed is null
        and (head.epoch, head.seq) >= (gap.before_epoch, gap.before_seq)`,
  );
}

async function saveGaps(tx: Queryable, gaps: readonly Gap[], notedAt: string): Promise<void> {
  if (gaps.length === 0) return;
  const rows = gaps.map(({ source, lane, after, before, closed }) => ({
    source,
    lane,
    after_epoch: after.epoch,
    after_seq: after.seq,
    before_epoch: before.epoch,
    before_seq: before.seq,
    closed,
  }));
  await tx.query(
    `insert into gap (source, lane, after_epoch, after_seq, before_epoch, before_seq, noted_at, closed)
     select source, lane, after_epoch, after_seq, before_epoch, before_seq, $2, closed
       from jsonb_to_recordset($1) as r(source text, lane text, after_epoch bigint, after_seq bigint,
            before_epoch bigint, before_seq bigint, closed text)
     on conflict do nothing`,
    [JSON.stringify(rows), notedAt],
  );
}

export function giveUpGaps(db: Db, leaderEpoch: number, heldMs: number): Promise<LostGap[]> {
  return db.transaction(async (tx) => {
    const { position, committedMs } = await fence(tx, leaderEpoch);
    const notedBefore = new Date(committedMs - heldMs).toISOString();
    return closeLostGaps(tx, notedBefore, position, new Date(committedMs).toISOString());
  });
}

/**
 * Gives up on gaps noted before `notedBefore`: the head moves past them, the row stays as the explicit hole. `position`
 * is the archive's, held by the caller's fence.
 */
export async function closeLostGaps(
  tx: Tx,
  notedBefore: string,
  position: number,
  notedAt: string,
): Promise<LostGap[]> {
  const lost = await tx.query<{
    source: AccountKey;
    lane: Lane;
    before_epoch: number;
    before_seq: number;
  }>(
    `update gap set closed = 'lost', closed_position = $2 where closed is null and noted_at < $1
     returning source, lane, before_epoch, before_seq`,
    [notedBefore, position],
  );
  for (const { source, lane, before_epoch: epoch, before_seq: seq } of lost) {
    const rows = await tx.query<{ hash: string }>(
      "select hash from record where source = $1 and lane = $2 and epoch = $3 and seq = $4",
      [source, lane, epoch, seq],
    );
    const hash = rows[0]?.hash;
    if (hash === undefined || !isAfter({ epoch, seq }, await headOf(tx, source, lane))) continue;
    const walk = await follow(tx, source, lane, { epoch, seq, hash });
    await saveHeads(tx, [{ source, lane, ...place(walk.end), head: walk.end.hash }], true);
    await saveGaps(tx, gapsOf(source, lane, walk), notedAt);
  }
  return lost.map(({ source, lane, before_epoch: epoch, before_seq: seq }) => ({
    source,
    lane,
    before: { epoch, seq },
    position,
  }));
}

/** Gaps given up, in the order in which the archive did. */
export async function readLostGaps(db: Queryable, after: number, through: number): Promise<LostGap[]> {
  const rows = await db.query<{
    source: AccountKey;
    lane: Lane;
    before_epoch: number;
    before_seq: number;
    closed_position: number;
  }>(
    `select source, lane, before_epoch, before_seq, closed_position from gap
      where closed = 'lost' and closed_position > $1 and closed_position <= $2
      order by closed_position, source, lane, before_epoch, before_seq`,
    [after, through],
  );
  return rows.map((row) => ({
    source: row.source,
    lane: row.lane,
    before: { epoch: row.before_epoch, seq: row.before_seq },
    position: row.closed_position,
  }));
}

export const readHeads = (db: Queryable): Promise<Head[]> =>
  db.query("select source, lane, epoch, seq, hash as head from head order by source, lane");

export async function readGaps(db: Queryable): Promise<Gap[]> {
  const rows = await db.query<{
    source: AccountKey;
    lane: Lane;
    after_epoch: number;
    after_seq: number;
    before_epoch: number;
    before_seq: number;
    closed: Gap["closed"];
  }>("select * from gap where closed is distinct from 'filled' order by noted_at desc limit 1000");
  return rows.map((row) => ({
    source: row.source,
    lane: row.lane,
    after: { epoch: row.after_epoch, seq: row.after_seq },
    before: { epoch: row.before_epoch, seq: row.before_seq },
    closed: row.closed,
  }));
}

/** Whether exactly this record is archived. */
export async function isArchived(db: Queryable, { source, lane, epoch, seq, head }: Head): Promise<boolean> {
  const rows = await db.query(
    "select 1 from record where source = $1 and lane = $2 and epoch = $3 and seq = $4 and hash = $5",
    [source, lane, epoch, seq, head],
  );
  return rows.length > 0;
}

/** Those claims to which the archive holds another record: somebody was shown a second version. */
export function contradicted(db: Queryable, claims: readonly Head[]): Promise<Head[]> {
  return db.query(
    `select claim.source, claim.lane, claim.epoch, claim.seq, claim.head
       from jsonb_to_recordset($1) as claim(source text, lane text, epoch bigint, seq bigint, head text)
       join record using (source, lane, epoch, seq)
      where record.hash <> claim.head`,
    [JSON.stringify(claims)],
  );
}

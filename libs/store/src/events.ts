/** Reads of the archive itself: events in order of their position, and the audit trail. */
import { HansaError } from "@hansa/core";
import type { Queryable } from "./db.ts";

export interface ArchivedEvent {
  readonly position: number;
  readonly committedMs: number;
  readonly source: string;
  /** Cluster name of the source; its account key where no membership is known. */
  readonly cluster: string;
  readonly lane: string;
  readonly epoch: number;
  readonly seq: number;
  readonly index: number;
  readonly type: string;
  readonly v: number;
  readonly key: string;
  readonly atMs: number;
  readonly data: unknown;
}

export interface EventFilter {
  /** Cluster name. */
  readonly cluster?: string;
  readonly type?: string;
  readonly key?: string;
  /** Only events after this position. */
  readonly after: number;
  /** Up to and including this position. */
  readonly through: number;
  readonly limit: number;
  /** Newest first, for "the last n events". */
  readonly descending?: boolean;
}

export const EVENTS_PAGE_MAX = 1000;

export async function listEvents(db: Queryable, filter: EventFilter): Promise<ArchivedEvent[]> {
  const values: unknown[] = [filter.after, filter.through];
  const conditions = ["event.position > $1", "event.position <= $2"];
  const add = (condition: (place: string) => string, value: unknown): void => {
    values.push(value);
    conditions.push(condition(`$${values.length}`));
  };
  if (filter.cluster !== undefined)
    add((place) => `event.source in (select account from source where cluster = ${place})`, filter.cluster);
  if (filter.type !== undefined) add((place) => `event.type = ${place}`, filter.type);
  if (filter.key !== undefined) add((place) => `event.key = ${place}`, filter.key);
  values.push(Math.min(filter.limit, EVENTS_PAGE_MAX));
  return db.query(
    `select event.position, floor(extract(epoch from event.committed_at) * 1000)::bigint as "committedMs",
            event.source, coalesce(source.cluster, event.source) as cluster, event.lane, event.epoch, event.seq,
            event.index, event.type, event.v, event.key, event.at_ms as "atMs", event.data
       from event left join source on source.account = event.source
      where ${conditions.join(" and ")}
      order by event.position ${filter.descending === true ? "desc" : "asc"} limit $${values.length}`,
    values,
  );
}

export interface AuditRow {
  readonly id: number;
  readonly atMs: number;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly details: unknown;
}

export const listAudit = (db: Queryable, afterId: number, limit: number): Promise<AuditRow[]> =>
  db.query(
    `select id, floor(extract(epoch from at) * 1000)::bigint as "atMs", actor, action, subject, details
       from audit where id > $1 order by id limit $2`,
    [afterId, Math.min(limit, EVENTS_PAGE_MAX)],
  );

export interface Now {
  readonly position: number;
  readonly committedMs: number;
}

export async function archiveNow(db: Queryable): Promise<Now> {
  const rows = await db.query<Now>(
    `select position, floor(extract(epoch from committed_at) * 1000)::bigint as "committedMs" from archive where id = 1`,
  );
  const row = rows[0];
  if (row === undefined) throw new HansaError("HSA1011", "archive: the row is missing");
  return row;
}

export type Moment = { readonly position: number } | { readonly timeMs: number } | { readonly agoMs: number };

/**
 * The last record boundary at or before a moment of the commit clock. Throws HSA1008 before the first record and for
 * a position or time that is not reached yet.
 */
export async function resolveMoment(db: Queryable, moment: Moment): Promise<Now> {
  const now = await archiveNow(db);
  const isPosition = "position" in moment;
  if (isPosition && moment.position > now.position)
    throw new HansaError("HSA1008", `at=${moment.position}: the archive ends at position ${now.position}`);
  const condition = isPosition
    ? "position <= $1"
    : "timeMs" in moment
      ? "committed_at <= to_timestamp($1::double precision / 1000)"
      : "committed_at <= clock_timestamp() - $1 * interval '1 millisecond'";
  if ("timeMs" in moment) await refuseFuture(db, moment.timeMs);
  const order = isPosition ? "position desc" : "committed_at desc, position desc";
  const value = isPosition ? moment.position : "timeMs" in moment ? moment.timeMs : moment.agoMs;
  const rows = await db.query<Now>(
    `select position, floor(extract(epoch from committed_at) * 1000)::bigint as "committedMs"
       from record where ${condition} order by ${order} limit 1`,
    [value],
  );
  const row = rows[0];
  if (row === undefined) throw new HansaError("HSA1008", "at: the archive has nothing that old");
  return row;
}

async function refuseFuture(db: Queryable, timeMs: number): Promise<void> {
  const rows = await db.query<{ future: boolean }>(
    "select to_timestamp($1::double precision / 1000) > clock_timestamp() as future",
    [timeMs],
  );
  if (rows[0]?.future === true) throw new HansaError("HSA1008", "at: that time is in the future");
}

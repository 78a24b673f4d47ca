/**
 * Own records from before their publish until the hub has committed them, with each lane's writer position, in one
 * durable step (design §3). Bounded: beyond the bound the oldest records go and the hub will archive a gap.
 */
import { DatabaseSync } from "node:sqlite";
import type { Lane, LanePosition, Position, WireRecord } from "@hansa/events";

export const OUTBOX_RECORDS_MAX = 50_000;

export interface Outbox {
  /** Durable when it returns. A record that is there already is left as it is. */
  append(record: WireRecord, position: LanePosition): void;
  position(lane: Lane): LanePosition | undefined;
  /** Oldest first. */
  oldest(lane: Lane, max: number): WireRecord[];
  /** Forgets what the hub has committed. */
  drop(lane: Lane, upTo: Position): void;
  depth(): number;
  /** Records that the bound pushed out since the start. */
  overflowed(): number;
  close(): void;
}

const SCHEMA = `
  create table if not exists position (lane text primary key, value text not null) strict;
  create table if not exists record (
    lane text not null, epoch integer not null, seq integer not null, header text not null, body blob not null,
    primary key (lane, epoch, seq)
  ) strict, without rowid;
`;

interface RecordRow {
  readonly header: string;
  readonly body: Uint8Array;
}

export function openOutbox(path: string, recordsMax = OUTBOX_RECORDS_MAX): Outbox {
  const database = new DatabaseSync(path);
  database.exec("pragma journal_mode = wal; pragma synchronous = full;");
  database.exec(SCHEMA);
  const insert = database.prepare("insert or ignore into record values (?, ?, ?, ?, ?)");
  const savePosition = database.prepare("insert or replace into position values (?, ?)");
  const readPosition = database.prepare("select value from position where lane = ?");
  const first = database.prepare(
    "select header, body from record where lane = ? order by epoch, seq limit ?",
  );
  const remove = database.prepare(
    "delete from record where lane = ? and (epoch < ? or (epoch = ? and seq <= ?))",
  );
  const removeOldest = database.prepare(
    "delete from record where (lane, epoch, seq) in (select lane, epoch, seq from record where lane = ? order by epoch, seq limit ?)",
  );
  let depth = Number(database.prepare("select count(*) as n from record").get()?.n ?? 0);
  let overflowed = 0;

  return {
    append({ header, body }, position) {
      database.exec("begin immediate");
      depth += Number(
        insert.run(header.lane, header.epoch, header.seq, JSON.stringify(header), body).changes,
      );
      savePosition.run(header.lane, JSON.stringify(position));
      if (depth > recordsMax) {
        const gone = Number(removeOldest.run(header.lane, Math.ceil(recordsMax / 10)).changes);
        depth -= gone;
        overflowed += gone;
      }
      database.exec("commit");
    },
    position(lane) {
      const row = readPosition.get(lane);
      return row === undefined ? undefined : (JSON.parse(String(row.value)) as LanePosition);
    },
    oldest: (lane, max) =>
      (first.all(lane, max) as unknown as RecordRow[]).map(({ header, body }) => ({
        header: JSON.parse(header),
        body,
      })),
    drop(lane, { epoch, seq }) {
      depth -= Number(remove.run(lane, epoch, epoch, seq).changes);
    },
    depth: () => depth,
    overflowed: () => overflowed,
    close: () => database.close(),
  };
}

/** For the simulator: survives a restart of the agent that holds on to it, and nothing else. */
export function memoryOutbox(recordsMax = OUTBOX_RECORDS_MAX): Outbox {
  const positions = new Map<Lane, LanePosition>();
  const records: WireRecord[] = [];
  let overflowed = 0;
  return {
    append(record, position) {
      const { lane, epoch, seq } = record.header;
      positions.set(lane, position);
      if (records.some(({ header }) => header.lane === lane && header.epoch === epoch && header.seq === seq))
        return;
      records.push(record);
      if (records.length > recordsMax) {
        records.shift();
        overflowed += 1;
      }
    },
    position: (lane) => positions.get(lane),
    oldest: (lane, max) => records.filter(({ header }) => header.lane === lane).slice(0, max),
    drop(lane, upTo) {
      const kept = records.filter(
        ({ header }) =>
          header.lane !== lane ||
          header.epoch > upTo.epoch ||
          (header.epoch === upTo.epoch && header.seq > upTo.seq),
      );
      records.splice(0, records.length, ...kept);
    },
    depth: () => records.length,
    overflowed: () => overflowed,
    close: () => {},
  };
}

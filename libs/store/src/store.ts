/** The archive in Postgres as one object: the pool, what runs on it, and drizzle's view of the same connections. */
import { drizzle } from "drizzle-orm/node-postgres";
import type { Archive } from "./archive.ts";
import * as commands from "./commands.ts";
import { type Db, type DbOptions, openDb } from "./db.ts";
import { archiveNow } from "./events.ts";
import * as heads from "./heads.ts";
import { nearestSnapshot, readRecords, saveSnapshot } from "./history.ts";
import { lead, leaderUrl } from "./leader.ts";
import { migrate } from "./migrate.ts";
import { commit, readCheckpoint } from "./projector.ts";
import { listRows, type Page, type PageRequest } from "./reads.ts";
import type { ProjectionTable } from "./upsert.ts";

export interface Store extends Archive {
  readonly db: Db;
  /** Answers the names of the files applied now. */
  migrate(directory: string): Promise<string[]>;
  /** Of the hub that led last, "" where it announced none. */
  leaderUrl(): Promise<string>;
  list(kind: ProjectionTable, request: PageRequest): Promise<Page>;
  close(): Promise<void>;
}

export function openStore(options: DbOptions): Store {
  const db = openDb(options);
  return {
    db,
    migrate: (directory) => migrate(db, directory),
    list: (kind, request) => db.withClient((client) => listRows(drizzle({ client }), kind, request)),
    close: () => db.close(),
    lead: (url = "") => lead(db, url),
    leaderUrl: () => leaderUrl(db),
    nearestSnapshot: (position) => nearestSnapshot(db, position),
    records: (after, through) => readRecords(db, after, through),
    lostGaps: (after, through) => heads.readLostGaps(db, after, through),
    now: () => archiveNow(db),
    heads: () => heads.readHeads(db),
    gaps: () => heads.readGaps(db),
    checkpoint: () => readCheckpoint(db),
    isArchived: (head) => heads.isArchived(db, head),
    contradicted: (claims) => heads.contradicted(db, claims),
    commit: (input) => commit(db, input),
    giveUpGaps: (leaderEpoch, heldMs) => heads.giveUpGaps(db, leaderEpoch, heldMs),
    saveSnapshot: (at, dump) => saveSnapshot(db, at, dump),
    command: (leaderEpoch, decide) => commands.command(db, leaderEpoch, decide),
    members: () => commands.readMembers(db),
    busAccounts: (which) => commands.readBusAccounts(db, which),
    markPushed: (account) => commands.markPushed(db, account),
    outbox: (afterId) => commands.readOutbox(db, afterId),
    outboxDepth: () => commands.outboxDepth(db),
    clearOutbox: (throughId) => commands.clearOutbox(db, throughId),
    ownLane: (lane) => commands.readOwnLane(db, lane),
    saveOwnLane: (leaderEpoch, lane, state) => commands.saveOwnLane(db, leaderEpoch, lane, state),
  };
}

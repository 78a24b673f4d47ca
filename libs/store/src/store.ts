/** The store as one object: the pool, what runs on it, and drizzle's view of the same connections. */
import { drizzle } from "drizzle-orm/node-postgres";
import * as commands from "./commands.ts";
import { type Db, type DbOptions, openDb } from "./db.ts";
import { type Leadership, lead } from "./leader.ts";
import { migrate } from "./migrate.ts";
import { type CommitInput, type CommitOutcome, commit } from "./projector.ts";
import { listRows, type Page, type PageRequest } from "./reads.ts";
import type { ProjectionTable } from "./upsert.ts";

export interface Store {
  readonly db: Db;
  /** Answers the names of the files applied now. */
  migrate(directory: string): Promise<string[]>;
  /** null where another hub leads. */
  lead(): Promise<Leadership | null>;
  commit(input: CommitInput): Promise<CommitOutcome>;
  command<Result>(leaderEpoch: number, decide: (tx: commands.CommandTx) => Promise<Result>): Promise<Result>;
  list(kind: ProjectionTable, request: PageRequest): Promise<Page>;
  close(): Promise<void>;
}

export function openStore(options: DbOptions): Store {
  const db = openDb(options);
  return {
    db,
    migrate: (directory) => migrate(db, directory),
    lead: () => lead(db),
    commit: (input) => commit(db, input),
    command: (leaderEpoch, decide) => commands.command(db, leaderEpoch, decide),
    list: (kind, request) => db.withClient((client) => listRows(drizzle({ client }), kind, request)),
    close: () => db.close(),
  };
}

/** A fresh database on a real Postgres for each spec file, and records to fill it with. */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AccountKey, utf8 } from "@hansa/core";
import type { Event, RecordHeader } from "@hansa/events";
import { type ArchiveRecord, type CommitInput, openStore, type Store } from "@hansa/store";
import { openPostgres } from "../../deploy/tools/postgres.ts";

export const MIGRATIONS = new URL("../../migrations", import.meta.url).pathname;

export interface StoreRig {
  readonly url: string;
  readonly store: Store;
  /** A database of its own on the same server, not migrated. */
  freshDatabase(): Promise<string>;
  stop(): Promise<void>;
}

let databases = 0;

export async function startStoreRig(): Promise<StoreRig> {
  const folder = mkdtempSync(join(tmpdir(), "hansa-store-"));
  const postgres = await openPostgres({ dataDir: join(folder, "pg") });
  const admin = openStore({ url: postgres.url });
  const made: string[] = [];
  const freshDatabase = async (): Promise<string> => {
    const name = `hansa_test_${process.pid}_${databases++}`;
    await admin.db.query(`create database ${name}`);
    made.push(name);
    const url = new URL(postgres.url);
    url.pathname = `/${name}`;
    return url.href;
  };
  const url = await freshDatabase();
  const store = openStore({ url });
  await store.migrate(MIGRATIONS);
  return {
    url,
    store,
    freshDatabase,
    async stop() {
      await store.close();
      for (const name of made) await admin.db.query(`drop database if exists ${name} with (force)`);
      await admin.close();
      await postgres.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export const account = (letter: string): AccountKey => `A${letter.repeat(55)}` as AccountKey;

/** Records of one log that chain properly. Signatures are not real: the store never judges them. */
export function chain(source: AccountKey, lane: "sum" | "ep" = "sum") {
  let prev = "0".repeat(64);
  let epoch = 1;
  let seq = 0;
  const make = (events: readonly Event[]): ArchiveRecord => {
    seq += 1;
    const body = utf8(JSON.stringify(events));
    const header: RecordHeader = { source, lane, epoch, seq, prev, key: "k", sig: "s", traceparent: "" };
    const hash = createHash("sha256").update(JSON.stringify(header)).update(body).digest("hex");
    prev = hash;
    return { record: { header, body }, hash, via: "bus", streamSeq: null, events };
  };
  return {
    next: (...keys: string[]) => make(keys.length > 0 ? keys.map(want) : [want("want/eu")]),
    newEpoch(keepChain: boolean) {
      epoch += 1;
      seq = 0;
      if (!keepChain) prev = "0".repeat(64);
    },
  };
}

export const want = (key: string): Event => ({ type: "WantSet", v: 1, key, at: 1, data: { nonce: key } });

export const batch = (
  leaderEpoch: number,
  records: readonly ArchiveRecord[],
  more: Partial<CommitInput> = {},
): CommitInput => ({
  leaderEpoch,
  records,
  quarantine: [],
  projections: {},
  sources: [],
  checkpoint: null,
  ...more,
});

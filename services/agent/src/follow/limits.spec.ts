/** What waits behind a fill, and what the journal grows to. */
import { type AccountKey, noMetrics, silentLog, systemClock, systemTimers } from "@hansa/core";
import type { BusRecord, Genesis, LogBus } from "@hansa/events";
import { nodeCrypto } from "@hansa/identity";
import type { Federation } from "@hansa/model";
import { expect, test } from "vitest";
import { Follower, WAITING_MAX } from "./follower.ts";
import { JOURNAL_BYTES_MAX, SnapshotSaver } from "./snapshot.ts";

const ports = { clock: systemClock, timers: systemTimers, log: silentLog, metrics: noMetrics };
const record = (streamSeq: number): BusRecord =>
  ({
    account: "A" as AccountKey,
    lane: "ep",
    streamSeq,
    previousStreamSeq: streamSeq - 1,
    record: { header: { epoch: 1, seq: streamSeq }, body: new Uint8Array() },
  }) as BusRecord;

test("live records of a log wait behind its fill up to a bound; what is beyond is read from the stream", async () => {
  const applied: number[] = [];
  const fed = {
    apply: ({ record: { header } }: BusRecord) => {
      if (header.seq !== (applied.at(-1) ?? 0) + 1) return { kind: "gap" };
      applied.push(header.seq);
      return { kind: "applied", changed: [], gaps: [] };
    },
    source: () => undefined,
  } as unknown as Federation;
  let live: (record: BusRecord) => void = () => {};
  const reads: { from: number; answer: (records: BusRecord[]) => void }[] = [];
  const bus = {
    tail: async (handle: typeof live) => {
      live = handle;
      return () => {};
    },
    connection: () => () => {},
    read: (_of: unknown, from: number) =>
      new Promise((resolve) => {
        reads.push({ from, answer: resolve });
      }),
  } as unknown as LogBus;
  const nothing = () => {};
  const follower = new Follower({
    fed,
    bus,
    ports,
    onChanged: nothing,
    onFolded: nothing,
    onHeard: nothing,
    onNewStream: nothing,
    onSynced: nothing,
  });
  await follower.start();
  const end = WAITING_MAX + 3;
  for (let seq = 2; seq <= end; seq++) live(record(seq));
  expect(reads.map(({ from }) => from)).toEqual([1]);
  reads[0]?.answer([record(1)]);
  await systemTimers.sleep(0);
  expect(applied.at(-1)).toBe(WAITING_MAX + 1);
  live(record(end + 1));
  expect(reads.map(({ from }) => from)).toEqual([1, WAITING_MAX + 2]);
  reads[1]?.answer([record(end - 1), record(end)]);
  await systemTimers.sleep(0);
  expect(applied.at(-1)).toBe(end + 1);
  follower.stop();
});

test("a journal beyond its bound becomes a snapshot at once", () => {
  let sizeBytes = 0;
  let cleared = 0;
  const written: string[] = [];
  const saver = new SnapshotSaver({
    fed: { dump: () => ({}) } as unknown as Federation,
    genesis: {} as Genesis,
    cursors: () => ({ incarnation: "", highest: 0, logs: [] }),
    journal: {
      append: () => {},
      read: () => [],
      clear: () => {
        cleared += 1;
      },
      sizeBytes: () => sizeBytes,
      close: () => {},
    },
    ports: {
      ...ports,
      crypto: nodeCrypto,
      timers: { ...systemTimers, after: () => ({ cancel: () => {} }) },
      disk: { read: () => undefined, write: (name) => void written.push(name) },
    },
  });
  sizeBytes = JOURNAL_BYTES_MAX;
  saver.folded(record(1));
  expect([written, cleared]).toEqual([[], 0]);
  sizeBytes = JOURNAL_BYTES_MAX + 1;
  saver.folded(record(2));
  expect([written, cleared]).toEqual([["federation.json"], 1]);
});

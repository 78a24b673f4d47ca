import { appendFileSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AccountKey } from "@hansa/core";
import type { BusRecord } from "@hansa/events";
import { expect, test } from "vitest";
import { openJournal } from "./journal.ts";

const record = (seq: number): BusRecord => ({
  record: {
    header: {
      source: "A" as AccountKey,
      lane: "sum",
      epoch: 1,
      seq,
      prev: "p",
      key: "k",
      sig: "s",
      traceparent: "",
    },
    body: Uint8Array.of(0, 255, seq),
  },
  account: "A" as AccountKey,
  lane: "sum",
  streamSeq: seq,
  previousStreamSeq: seq - 1,
});

test("records come back in order after a crash, without the one that was cut short", () => {
  const path = join(mkdtempSync(join(tmpdir(), "hansa-journal-")), "journal.jsonl");
  const journal = openJournal(path);
  journal.append(record(1));
  journal.append(record(2));
  appendFileSync(path, '{"account":"A","hea');
  const reopened = openJournal(path);
  reopened.append(record(3));
  expect(openJournal(path).read()).toEqual([record(1), record(2), record(3)]);
});

test("after a snapshot it starts anew", () => {
  const path = join(mkdtempSync(join(tmpdir(), "hansa-journal-")), "journal.jsonl");
  const journal = openJournal(path);
  journal.append(record(1));
  journal.clear();
  expect(journal.sizeBytes()).toBe(0);
  journal.append(record(2));
  expect(journal.read()).toEqual([record(2)]);
});

import type { AccountKey } from "@hansa/core";
import type { BusRecord } from "@hansa/events";
import { expect, test } from "vitest";
import { Cursors } from "./cursors.ts";

const record = (account: string, streamSeq: number, previousStreamSeq: number): BusRecord =>
  ({ account: account as AccountKey, lane: "sum", streamSeq, previousStreamSeq }) as BusRecord;

test("a hole of one log shows at its next record, whatever other logs did", () => {
  const cursors = new Cursors();
  cursors.begin("one");
  cursors.heard(record("A", 1, 0));
  cursors.heard(record("B", 2, 0));
  expect(cursors.skips(record("A", 3, 1))).toBe(false);
  expect(cursors.skips(record("A", 5, 4))).toBe(true);
  expect(cursors.skips(record("B", 5, 2))).toBe(false);
});

test("positions survive a restart and end with their stream", () => {
  const before = new Cursors();
  before.begin("one");
  before.heard(record("A", 7, 3));
  const after = new Cursors(before.state());
  expect(after.begin("one")).toBe(false);
  expect(after.of("A sum")).toBe(7);
  expect(after.highest).toBe(7);
  expect(after.begin("two")).toBe(true);
  expect(after.of("A sum")).toBe(0);
  expect(after.highest).toBe(0);
});

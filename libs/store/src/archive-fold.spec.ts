import type { AccountKey } from "@hansa/core";
import type { Federation } from "@hansa/model";
import { expect, test } from "vitest";
import { ArchiveFold, type FeedRecord, WAITING_PER_LOG_MAX } from "./archive-fold.ts";

test("so many records of a log wait behind a hole, the oldest", () => {
  const account = "A" as AccountKey;
  const applied: number[] = [];
  let hole = true;
  const fed = {
    parkedCount: 0,
    apply: ({ record: { header } }: FeedRecord) => {
      if (hole) return { kind: "gap" };
      applied.push(header.seq);
      return { kind: "applied", changed: [], gaps: [], events: [] };
    },
  };
  const fold = new ArchiveFold(fed as unknown as Federation);
  const record = (seq: number) =>
    ({ account, lane: "ep", record: { header: { epoch: 1, seq } } }) as FeedRecord;
  for (let seq = WAITING_PER_LOG_MAX + 2; seq >= 2; seq--) fold.feed(record(seq), true);
  hole = false;
  fold.giveUp(account, "ep");
  expect(applied).toEqual(Array.from({ length: WAITING_PER_LOG_MAX }, (_, index) => index + 2));
  expect(fold.holdsAside).toBe(false);
});

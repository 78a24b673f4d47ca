import { expect, test } from "vitest";
import { SNAPSHOT_EVERY_MS, SnapshotWishes } from "./snapshot-wishes.ts";

test("of many wishes one is granted at once and one when its time has come; none is forgotten", () => {
  let nowMs = 0;
  const due: { atMs: number; run: () => void }[] = [];
  const granted: number[] = [];
  const wishes = new SnapshotWishes(
    {
      clock: { nowMs: () => nowMs, monotonicMs: () => nowMs },
      timers: {
        after: (delayMs, run) => {
          const entry = { atMs: nowMs + delayMs, run };
          due.push(entry);
          return { cancel: () => void due.splice(due.indexOf(entry), 1) };
        },
        every: () => ({ cancel() {} }),
        sleep: async () => {},
      },
    },
    () => granted.push(nowMs),
  );
  wishes.wish();
  nowMs = 10_000;
  wishes.wish();
  wishes.wish();
  expect(granted).toEqual([0]);
  expect(due).toHaveLength(1);
  nowMs = SNAPSHOT_EVERY_MS;
  due.shift()?.run();
  expect(granted).toEqual([0, SNAPSHOT_EVERY_MS]);
  wishes.wish();
  wishes.stop();
  expect(due).toEqual([]);
});

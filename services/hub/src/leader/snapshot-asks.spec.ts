import { expect, test } from "vitest";
import type { SeenBeat } from "./beats.ts";
import { SnapshotAsks } from "./snapshot-asks.ts";

test("a degraded source that is alive is asked, then ever less; one that is whole again starts anew", () => {
  let nowMs = 0;
  const asks = new SnapshotAsks({ monotonicMs: () => nowMs });
  const due = (degraded: boolean, heardMs: number): string[] =>
    asks.due({ members: () => [{ cluster: "eu", degraded }] } as never, [
      { cluster: "eu", atMs: heardMs } as SeenBeat,
    ]);
  expect(due(false, nowMs)).toEqual([]);
  expect(due(true, nowMs - 60_000)).toEqual([]);
  const askedAt: number[] = [];
  for (; nowMs < 200_000; nowMs += 5000) if (due(true, nowMs).length > 0) askedAt.push(nowMs);
  expect(askedAt).toEqual([0, 30_000, 90_000]);
  due(false, nowMs);
  expect(due(true, nowMs)).toEqual(["eu"]);
});

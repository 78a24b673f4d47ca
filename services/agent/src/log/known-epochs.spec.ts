import { type AccountKey, systemClock, systemTimers } from "@hansa/core";
import { EPOCH_LEAP_MAX, type Heartbeat } from "@hansa/events";
import type { Federation } from "@hansa/model";
import { expect, test } from "vitest";
import { KnownEpochs } from "./known-epochs.ts";

const ACCOUNT = "A" as AccountKey;
const FOLDED = 7;
const NOW_MS = 1_800_000_000_000;

async function highestAfter(claimed: number, ageMs = 0): Promise<number> {
  const heads = [{ source: ACCOUNT, lane: "ep", epoch: FOLDED, seq: 1, head: "" }];
  const epochs = new KnownEpochs({
    fed: { heads: () => heads, options: { genesis: { createdMs: NOW_MS - ageMs } } } as unknown as Federation,
    account: ACCOUNT,
    ports: {
      clock: { ...systemClock, nowMs: () => NOW_MS },
      timers: { ...systemTimers, sleep: () => Promise.resolve() },
    },
  });
  epochs.admitted();
  epochs.heard({
    source: "B",
    known: [{ source: ACCOUNT, lane: "ep", epoch: claimed, seq: 1, head: "" }],
  } as unknown as Heartbeat);
  return await epochs.highest("ep", "less");
}

test("a peer's word on the own epochs counts up to a leap that nobody makes; beyond it the fold's does", async () => {
  expect(await highestAfter(FOLDED - 1)).toBe(FOLDED);
  expect(await highestAfter(FOLDED + EPOCH_LEAP_MAX)).toBe(FOLDED + EPOCH_LEAP_MAX);
  expect(await highestAfter(FOLDED + EPOCH_LEAP_MAX + 1)).toBe(FOLDED);
});

test("in an old federation, whose epochs began at its age, the leap begins there too", async () => {
  expect(await highestAfter(2_000_000, 1_500_000_000)).toBe(2_000_000);
  expect(await highestAfter(3_000_000, 1_500_000_000)).toBe(FOLDED);
});

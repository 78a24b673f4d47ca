import { type AccountKey, systemClock, systemTimers } from "@hansa/core";
import type { Heartbeat } from "@hansa/events";
import type { Federation } from "@hansa/model";
import { expect, test } from "vitest";
import { EPOCH_LEAP_MAX, KnownEpochs } from "./known-epochs.ts";

const ACCOUNT = "A" as AccountKey;
const FOLDED = 7;

async function highestAfter(claimed: number): Promise<number> {
  const heads = [{ source: ACCOUNT, lane: "ep", epoch: FOLDED, seq: 1, head: "" }];
  const epochs = new KnownEpochs({
    fed: { heads: () => heads } as unknown as Federation,
    account: ACCOUNT,
    ports: { clock: systemClock, timers: { ...systemTimers, sleep: () => Promise.resolve() } },
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

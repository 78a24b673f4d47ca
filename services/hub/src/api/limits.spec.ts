import { expect, test } from "vitest";
import { CALLERS_MAX, RateLimit } from "./limits.ts";

test("a caller may burst, then at the rate; others are not affected", () => {
  let nowMs = 0;
  const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
  const limit = new RateLimit(clock, 10, 3);
  expect([1, 2, 3, 4].map(() => limit.take("a"))).toEqual([true, true, true, false]);
  expect(limit.take("b")).toBe(true);
  nowMs += 100;
  expect([1, 2].map(() => limit.take("a"))).toEqual([true, false]);
  nowMs += 60_000;
  expect([1, 2, 3, 4].map(() => limit.take("a"))).toEqual([true, true, true, false]);
});

test("so many callers are remembered; one more begins the table anew", () => {
  const limit = new RateLimit({ nowMs: () => 0, monotonicMs: () => 0 }, 1, 1);
  for (let caller = 0; caller < CALLERS_MAX; caller++) limit.take(`c${caller}`);
  expect(limit.take("c0")).toBe(false);
  expect(limit.take("one more")).toBe(true);
  expect([limit.take("one more"), limit.take("c0")]).toEqual([false, true]);
});

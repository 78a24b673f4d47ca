import { expect, test } from "vitest";
import { RateLimit } from "./limits.ts";

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

import { expect, test } from "vitest";
import { BURST_SECONDS, RateGuard } from "./rate-guard.ts";

const rate = { recordsPerSecond: 10, bytesPerSecond: 1000 };
const start = () => {
  const time = { nowMs: 0 };
  const clock = { nowMs: () => time.nowMs, monotonicMs: () => time.nowMs };
  return { time, guard: new RateGuard(clock) };
};

test("a burst is free, more is not, and rest pays it back", () => {
  const { time, guard } = start();
  expect(guard.isAbove("a", 10 * BURST_SECONDS, 0, rate)).toBe(false);
  expect(guard.isAbove("a", 1, 0, rate)).toBe(true);
  time.nowMs += 1000;
  expect(guard.isAbove("a", 9, 0, rate)).toBe(false);
  expect(guard.isAbove("a", 2, 0, rate)).toBe(true);
});

test("bytes count like records, and one source never pays for another", () => {
  const { guard } = start();
  expect(guard.isAbove("a", 1, 1000 * BURST_SECONDS + 1, rate)).toBe(true);
  expect(guard.isAbove("b", 1, 1, rate)).toBe(false);
});

test("the granted rate is never above itself", () => {
  const { time, guard } = start();
  for (let second = 0; second < 100; second += 1) {
    time.nowMs += 1000;
    expect(guard.isAbove("a", 10, 1000, rate)).toBe(false);
  }
});

import { describe, expect, it } from "vitest";
import { type FailbackEntry, FailbackMemory, failbackStep } from "./failback.ts";

const RULE = { thresholdPercent: 70, hysteresisPercent: 10, hysteresisMs: 30_000 };

/** Feeds [ratio, at ms] one after the other; answers the caps. */
function run(steps: readonly (readonly [number, number])[]): (number | null)[] {
  let entry: FailbackEntry | undefined;
  return steps.map(([ratio, atMs]) => {
    const step = failbackStep(entry, ratio, RULE, atMs);
    entry = step.entry;
    return step.capRatio;
  });
}

describe("return to local", () => {
  it("is free for a service that was never whole: a start is no return", () => {
    expect(
      run([
        [0, 0],
        [0.5, 1],
        [1, 2],
      ]),
    ).toEqual([null, null, null]);
  });

  it("follows every fall at once", () => {
    expect(
      run([
        [1, 0],
        [0.5, 1],
        [0.2, 2],
        [0, 3],
      ]),
    ).toEqual([null, null, null, null]);
  });

  it("waits until local was steady, on a trial share meanwhile", () => {
    const caps = run([
      [1, 0],
      [0, 1000],
      [1, 2000],
      [1, 31_999],
      [1, 32_000],
    ]);
    expect(caps[2]).toBeCloseTo(0.07);
    expect(caps[3]).toBeCloseTo(0.07);
    expect(caps[4]).toBeNull();
  });

  it("holds at what local still had", () => {
    const caps = run([
      [1, 0],
      [0.5, 1000],
      [1, 2000],
      [1, 32_000],
    ]);
    expect(caps).toEqual([null, null, 0.5, null]);
  });

  it("begins to wait again when local falters", () => {
    const caps = run([
      [1, 0],
      [0.5, 0],
      [1, 1000],
      [0.5, 20_000],
      [1, 21_000],
      [1, 50_000],
      [1, 51_000],
    ]);
    expect(caps).toEqual([null, null, 0.5, null, 0.5, 0.5, null]);
  });

  it("does not move for less than the hysteresis", () => {
    expect(
      run([
        [1, 0],
        [0.6, 0],
        [0.65, 0],
        [0.65, 90_000],
      ]),
    ).toEqual([null, null, 0.6, 0.6]);
  });

  it("is not asked for while local has the whole load anyway", () => {
    expect(
      run([
        [1, 0],
        [0.8, 0],
        [0.9, 1],
      ]),
    ).toEqual([null, null, null]);
  });

  it("is remembered per service and due by itself", () => {
    const memory = new FailbackMemory();
    let entry = failbackStep(undefined, 1, RULE, 0);
    memory.set("a", entry);
    entry = failbackStep(memory.get("a"), 0, RULE, 1);
    memory.set("a", entry);
    expect(memory.nextDueMs()).toBeNull();
    memory.set("a", failbackStep(memory.get("a"), 1, RULE, 2));
    expect(memory.nextDueMs()).toBe(30_002);
    expect(memory.due(30_001)).toEqual([]);
    expect(memory.due(30_002)).toEqual(["a"]);
    const copy = memory.copy();
    copy.forget("a");
    expect(memory.get("a")).toBeDefined();
    expect(copy.get("a")).toBeUndefined();
  });
});

import { describe, expect, it } from "vitest";
import { LEASE_SETTINGS, type Lease, LeaseJudge } from "./judge.ts";

const { durationMs, holdMs } = LEASE_SETTINGS;
const lease = (holder: string, renewTime: string, ownMs = durationMs): Lease => ({
  holder,
  renewTime,
  durationMs: ownMs,
});
const judge = (): LeaseJudge => new LeaseJudge("me", LEASE_SETTINGS);

describe("a candidate", () => {
  it("takes what is its own or was given back", () => {
    expect(judge().mayTake(lease("me", "1"), 0)).toBe(true);
    expect(judge().mayTake(lease("", "1"), 0)).toBe(true);
  });

  it("takes what stands under its own name and was not written by it for another's", () => {
    const candidate = judge();
    for (const renewTime of ["1", "2"]) candidate.writes(renewTime);
    // Accepted, although no answer came.
    expect(candidate.mayTake(lease("me", "2"), 0)).toBe(true);
    expect(candidate.mayTake(lease("me", "1"), 0)).toBe(true);
    expect(candidate.mayTake(lease("me", "3"), 0)).toBe(false);
    expect(candidate.mayTake(lease("me", "3"), durationMs)).toBe(true);
  });

  it("takes another's lease only after a whole duration without a renewal, whatever the times in it say", () => {
    const candidate = judge();
    expect(candidate.mayTake(lease("other", "1999-01-01T00:00:00.000000Z"), 1000)).toBe(false);
    expect(candidate.mayTake(lease("other", "1999-01-01T00:00:00.000000Z"), 999 + durationMs)).toBe(false);
    expect(candidate.mayTake(lease("other", "1999-01-01T00:00:00.000000Z"), 1000 + durationMs)).toBe(true);
  });

  it("counts anew from every renewal, and for another holder", () => {
    const candidate = judge();
    candidate.mayTake(lease("other", "1"), 0);
    expect(candidate.mayTake(lease("other", "2"), durationMs)).toBe(false);
    expect(candidate.mayTake(lease("other", "2"), 2 * durationMs - 1)).toBe(false);
    expect(candidate.mayTake(lease("third", "2"), 2 * durationMs)).toBe(false);
    expect(candidate.mayTake(lease("third", "2"), 3 * durationMs)).toBe(true);
  });

  it("gives a holder the longer of both durations", () => {
    const candidate = judge();
    candidate.mayTake(lease("other", "1", 60_000), 0);
    expect(candidate.mayTake(lease("other", "1", 60_000), 59_999)).toBe(false);
    const shorter = judge();
    shorter.mayTake(lease("other", "1", 1000), 0);
    expect(shorter.mayTake(lease("other", "1", 1000), durationMs - 1)).toBe(false);
  });
});

describe("a holder", () => {
  const at = (ms: number, wallMs = ms): { monotonicMs: number; wallMs: number } => ({
    monotonicMs: ms,
    wallMs,
  });

  it("holds from the sending of what was accepted, for less than others wait", () => {
    const holder = judge();
    expect(holder.holds(at(0))).toBe(false);
    holder.accepted(at(1000));
    expect(holder.holds(at(999 + holdMs))).toBe(true);
    expect(holder.holds(at(1000 + holdMs))).toBe(false);
    expect(holdMs).toBeLessThan(durationMs);
  });

  it("holds no longer after a suspension in which the monotonic clock stood still", () => {
    const holder = judge();
    holder.accepted(at(1000));
    expect(holder.holds(at(1500, 1000 + holdMs))).toBe(false);
  });

  it("holds on where the wall clock was set back", () => {
    const holder = judge();
    holder.accepted(at(1000));
    expect(holder.holds(at(1500, -1_000_000))).toBe(true);
    expect(holder.holds(at(1000 + holdMs, -1_000_000))).toBe(false);
  });

  it("that lost it holds nothing", () => {
    const holder = judge();
    holder.accepted(at(1000));
    holder.lost();
    expect(holder.holds(at(1001))).toBe(false);
  });
});

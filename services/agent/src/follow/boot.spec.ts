/** A start's number grows over restarts, whatever the wall clock does. */
import { utf8 } from "@hansa/core";
import { isLaterBeat } from "@hansa/events";
import { describe, expect, it } from "vitest";
import type { Disk } from "../ports.ts";
import { bootAbove, nextBoot, outliveNext } from "./boot.ts";

function memoryDisk(): Disk {
  const files = new Map<string, Uint8Array>();
  return { read: (name) => files.get(name), write: (name, content) => void files.set(name, content) };
}

const clockAt = (nowMs: number) => ({ nowMs: () => nowMs, monotonicMs: () => 0 });

describe("the number of a start", () => {
  it("is the time, where that has gone on", () => {
    const disk = memoryDisk();
    expect(nextBoot({ clock: clockAt(1000), disk })).toBe(1000);
    expect(nextBoot({ clock: clockAt(2000), disk })).toBe(2000);
  });

  it("grows where the clock was set back: what the restarted agent says is heard", () => {
    const disk = memoryDisk();
    const before = { bootMs: nextBoot({ clock: clockAt(9_000_000), disk }), counter: 500 };
    for (const nowMs of [1000, 500, 500]) {
      const after = { bootMs: nextBoot({ clock: clockAt(nowMs), disk }), counter: 0 };
      expect(isLaterBeat(after, before)).toBe(true);
      before.bootMs = after.bootMs;
    }
  });

  it("survives a damaged file", () => {
    const disk = memoryDisk();
    for (const text of ["", "{", '{"bootMs":"x"}', "null"]) {
      disk.write("boot.json", utf8(text));
      expect(nextBoot({ clock: clockAt(7), disk })).toBe(7);
    }
  });

  it("goes above the one that the bus remembers, also at the next start", () => {
    const disk = memoryDisk();
    expect(nextBoot({ clock: clockAt(500), disk })).toBe(500);
    expect(bootAbove({ disk }, 9000)).toBe(9001);
    expect(nextBoot({ clock: clockAt(600), disk })).toBe(9002);
  });

  it("goes above that of another agent of its cluster that was heard, at the next start", () => {
    const disk = memoryDisk();
    expect(nextBoot({ clock: clockAt(500), disk })).toBe(500);
    outliveNext({ disk }, 9000);
    expect(nextBoot({ clock: clockAt(600), disk })).toBe(9001);
  });
});

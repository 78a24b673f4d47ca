import { describe, expect, it } from "vitest";
import { Kernel, Machine, seeded } from "./kernel.ts";

describe("kernel", () => {
  it("runs events by time, then by order of scheduling", async () => {
    const kernel = new Kernel(1);
    const seen: string[] = [];
    for (const [delayMs, name] of [
      [5, "late"],
      [1, "first"],
      [1, "second"],
      [3, "middle"],
    ] as const)
      kernel.schedule(delayMs, () => seen.push(`${name} ${kernel.nowMs}`));
    await kernel.runFor(10);
    expect(seen).toEqual(["first 1", "second 1", "middle 3", "late 5"]);
    expect(kernel.nowMs).toBe(10);
  });

  it("lets promises settle between two events", async () => {
    const kernel = new Kernel(1);
    const machine = new Machine(kernel, "m");
    const seen: number[] = [];
    const work = async (): Promise<void> => {
      for (let n = 0; n < 3; n += 1) {
        await machine.timers.sleep(10);
        seen.push(kernel.nowMs);
      }
    };
    void work();
    await kernel.runFor(25);
    expect(seen).toEqual([10, 20]);
  });

  it("drops what a dead machine had to do and keeps what a stopped one has", async () => {
    const kernel = new Kernel(1);
    const [dead, stopped] = [new Machine(kernel, "dead"), new Machine(kernel, "stopped")];
    const seen: string[] = [];
    dead.timers.every(1, () => seen.push("dead"));
    stopped.timers.after(1, () => seen.push(`stopped ${kernel.nowMs}`));
    dead.kill();
    stopped.pause();
    await kernel.runFor(5);
    expect(seen).toEqual([]);
    stopped.resume();
    await kernel.runFor(5);
    expect(seen).toEqual(["stopped 5"]);
  });

  it("gives the same chance for the same seed, and other chance for another", () => {
    const draw = (seed: number): number[] => Array.from({ length: 5 }, seeded(seed).float);
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
    expect(draw(7).every((value) => value >= 0 && value < 1)).toBe(true);
  });
});

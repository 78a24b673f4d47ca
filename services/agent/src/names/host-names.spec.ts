import type { TimerHandle } from "@hansa/core";
import { beforeEach, describe, expect, it } from "vitest";
import { ABSENCES_MAX, HOST_ADDRESSES_MAX, HOST_NAMES_MAX, HostNames } from "./host-names.ts";
import type { FamilyAnswer } from "./lookup.ts";

const NAME = "lb.example.com";
const answered = (addresses: readonly string[], ttlMs = 30_000): FamilyAnswer => ({
  kind: "answered",
  addresses,
  ttlMs,
});
const failed: FamilyAnswer = { kind: "failed", reason: "ESERVFAIL" };
const both = (v4: readonly string[], v6: readonly string[] = []) => [answered(v4), answered(v6)];

let answers: readonly FamilyAnswer[];
let asked: string[];
let changes: number;
let isWanted: boolean;
let due: { readonly delayMs: number; readonly run: () => void }[];
let warned: number;
let names: HostNames;

beforeEach(() => {
  answers = both(["192.0.2.1"]);
  asked = [];
  [changes, warned, isWanted, due] = [0, 0, true, []];
  const after = (delayMs: number, run: () => void): TimerHandle => {
    due.push({ delayMs, run });
    return { cancel: () => {} };
  };
  const ignore = () => {};
  const log = { debug: ignore, info: ignore, error: ignore, warn: () => (warned += 1), with: () => log };
  names = new HostNames({
    lookup: async (name) => {
      asked.push(name);
      return answers;
    },
    isWanted: () => isWanted,
    onChanged: () => (changes += 1),
    ports: {
      timers: { after, every: after, sleep: async () => {} },
      random: { bytes: () => new Uint8Array(), float: () => 0 },
      log,
      metrics: { count: ignore, gauge: ignore, observe: ignore },
    },
  });
});

const settle = async () => {
  for (let turn = 0; turn < 4; turn += 1) await Promise.resolve();
};
/** The next answer. */
async function next(given: readonly FamilyAnswer[]): Promise<readonly string[] | undefined> {
  answers = given;
  due.shift()?.run();
  await settle();
  return names.resolved(NAME, []);
}
async function first(given: readonly FamilyAnswer[], before: readonly string[] = []) {
  answers = given;
  names.resolved(NAME, before);
  await settle();
  return names.resolved(NAME, before);
}

describe("a host name", () => {
  it("has both families' addresses in one order, told once", async () => {
    expect(names.resolved(NAME, [])).toBeUndefined();
    await settle();
    expect(names.resolved(NAME, [])).toEqual(["192.0.2.1"]);
    expect(await next(both(["192.0.2.2", "192.0.2.1"], ["fd00::1"]))).toEqual([
      "192.0.2.1",
      "192.0.2.2",
      "fd00::1",
    ]);
    expect(changes).toBe(2);
  });

  it("that rotates is the whole pool: another order or part of it changes nothing", async () => {
    await first(both(["192.0.2.1", "192.0.2.2"]));
    await next(both(["192.0.2.3", "192.0.2.1"]));
    expect(changes).toBe(2);
    for (const part of [["192.0.2.2", "192.0.2.3"], ["192.0.2.1"], ["192.0.2.3", "192.0.2.2"]])
      expect(await next(both(part))).toEqual(["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    expect(changes).toBe(2);
  });

  it("that moved has the new address at once, and the old one until it was missing for so many answers", async () => {
    await first(both(["192.0.2.1"]));
    for (let answer = 1; answer < ABSENCES_MAX; answer += 1)
      expect(await next(both(["192.0.2.9"]))).toEqual(["192.0.2.1", "192.0.2.9"]);
    expect(await next(both(["192.0.2.9"]))).toEqual(["192.0.2.9"]);
  });

  it("keeps its addresses while nobody answers, or the answer is that there is none, and says so once", async () => {
    await first(both(["192.0.2.1"], ["fd00::1"]));
    for (const nothing of [[failed, failed], both([]), [failed, failed], [failed, answered([])]])
      expect(await next(nothing)).toEqual(["192.0.2.1", "fd00::1"]);
    expect([changes, warned]).toEqual([1, 1]);
  });

  it("keeps those of a family that is not answered for, and loses those that an answer leaves out", async () => {
    await first(both(["192.0.2.1"], ["fd00::1"]));
    for (let answer = 0; answer < ABSENCES_MAX; answer += 1)
      expect(await next([answered(["192.0.2.2"]), failed])).toContain("fd00::1");
    for (let answer = 0; answer < ABSENCES_MAX; answer += 1) await next(both(["192.0.2.2"]));
    expect(names.resolved(NAME, [])).toEqual(["192.0.2.2"]);
  });

  it("is what was told before, until there is an answer", async () => {
    expect(await first([failed, failed], ["192.0.2.7"])).toEqual(["192.0.2.7"]);
    expect(changes).toBe(0);
    expect(await next(both(["192.0.2.7"]))).toEqual(["192.0.2.7"]);
    expect(changes).toBe(0);
  });

  it("is asked for again when its answer ends, within bounds, and less and less often where nobody answers", async () => {
    await first(both(["192.0.2.1"]));
    const delays: (number | undefined)[] = [];
    const asks = [
      [answered(["192.0.2.1"], 1)],
      [answered(["192.0.2.1"], 1e9)],
      ...Array(9).fill([failed, failed]),
    ];
    for (const ask of asks) {
      delays.push(due[0]?.delayMs);
      await next(ask);
    }
    expect(delays).toEqual([30_000, 2000, 60_000, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  });

  it("is asked for no more when nobody wants it", async () => {
    await first(both(["192.0.2.1"]));
    isWanted = false;
    due.shift()?.run();
    await settle();
    expect([asked.length, due.length]).toEqual([1, 0]);
  });
});

describe("bounds", () => {
  it("a name has at most so many addresses: those that are known stay, then new ones, then missing ones", async () => {
    const pool = Array.from({ length: 2 * HOST_ADDRESSES_MAX }, (_, index) => `192.0.2.${10 + index}`);
    const held = await first(both(pool.slice(4, 4 + HOST_ADDRESSES_MAX)));
    expect(await next(both(pool))).toEqual(held);
    const other = pool.slice(0, 4);
    expect(await next(both([...pool.slice(4, 8), ...other]))).toEqual([...other, ...pool.slice(4, 8)]);
  });

  it("so many names are asked for and no more", async () => {
    for (let index = 0; index <= HOST_NAMES_MAX; index += 1) names.resolved(`n${index}.example.com`, []);
    await settle();
    expect(asked).toHaveLength(HOST_NAMES_MAX);
    expect(names.resolved(`n${HOST_NAMES_MAX}.example.com`, [])).toBeUndefined();
  });
});

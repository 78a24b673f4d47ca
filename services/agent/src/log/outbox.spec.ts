import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AccountKey } from "@hansa/core";
import type { WireRecord } from "@hansa/events";
import { describe, expect, test } from "vitest";
import { memoryOutbox, type Outbox, openOutbox } from "./outbox.ts";
import { fileElection } from "./writer-lock.ts";

const record = (epoch: number, seq: number, lane: "sum" | "ep" = "sum"): WireRecord => ({
  header: { source: "A" as AccountKey, lane, epoch, seq, prev: "", key: "", sig: "", traceparent: "" },
  body: Uint8Array.of(epoch, seq),
});
const position = (epoch: number, seq: number) => ({ epoch, seq, head: `${epoch}.${seq}` });
const folder = () => mkdtempSync(join(tmpdir(), "hansa-outbox-"));
const seqs = (outbox: Outbox, lane: "sum" | "ep" = "sum") =>
  outbox.oldest(lane, 100).map(({ header }) => `${header.epoch}.${header.seq}`);

const MAKERS: readonly (readonly [string, (max?: number) => Outbox])[] = [
  ["on disk", (max) => openOutbox(join(folder(), "outbox.db"), max)],
  ["in memory", (max) => memoryOutbox(max)],
];

describe.each(MAKERS)("outbox %s", (_name, make) => {
  test("keeps records in order until they are committed, per lane", () => {
    const outbox = make();
    for (const [epoch, seq] of [
      [1, 1],
      [1, 2],
      [2, 1],
      [2, 2],
    ] as const)
      outbox.append(record(epoch, seq), position(epoch, seq));
    outbox.append(record(1, 1, "ep"), position(1, 1));
    outbox.drop("sum", { epoch: 2, seq: 1 });
    expect(seqs(outbox)).toEqual(["2.2"]);
    expect(seqs(outbox, "ep")).toEqual(["1.1"]);
    expect(outbox.position("sum")).toEqual(position(2, 2));
    expect(outbox.depth()).toBe(2);
    outbox.close();
  });

  test("a record that is offered again is kept once", () => {
    const outbox = make();
    outbox.append(record(1, 1), position(1, 1));
    outbox.append(record(1, 1), position(1, 1));
    expect(outbox.depth()).toBe(1);
    outbox.close();
  });

  test("beyond its bound the oldest go and are counted", () => {
    const outbox = make(10);
    for (let seq = 1; seq <= 15; seq++) outbox.append(record(1, seq), position(1, seq));
    expect(outbox.depth()).toBeLessThanOrEqual(10);
    expect(outbox.overflowed()).toBeGreaterThanOrEqual(5);
    expect(seqs(outbox).at(-1)).toBe("1.15");
    outbox.close();
  });
});

test("an outbox on disk survives its process", () => {
  const path = join(folder(), "outbox.db");
  const before = openOutbox(path);
  before.append(record(3, 4), position(3, 4));
  before.close();
  const after = openOutbox(path);
  expect(after.position("sum")).toEqual(position(3, 4));
  expect(after.oldest("sum", 1)).toEqual([record(3, 4)]);
  expect(after.depth()).toBe(1);
  after.close();
});

test("of two that stand for election one is elected, and the other after it has gone", () => {
  const path = join(folder(), "writer.lock");
  const [one, other] = [fileElection(path), fileElection(path)];
  expect([one.tryLock(), one.tryLock(), other.tryLock()]).toEqual([true, true, false]);
  one.release();
  expect(other.tryLock()).toBe(true);
  other.release();
});

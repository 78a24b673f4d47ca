/** Each limit of the log, at it and one beyond. */
import { type AccountKey, utf8 } from "@hansa/core";
import { describe, expect, it } from "vitest";
import { decodeCommand, encodeCommand } from "./command.ts";
import { decodeBody, prepareEvent } from "./decode.ts";
import type { Head, RegisterEvent } from "./event.ts";
import { decodeHeartbeat, headsInTurn, signHeartbeat } from "./heartbeat.ts";
import * as limits from "./limits.ts";
import { isRecordHeader, ZERO_HASH } from "./record.ts";
import { rigCrypto, rigSigner } from "./rig.ts";
import { Batch } from "./writer/batch.ts";

const { EVENTS_PER_RECORD_MAX, RECORD_BYTES_MAX, EVENT_BYTES_MAX, KEY_LENGTH_MAX, DEPTH_MAX } = limits;
const sig = `${"A".repeat(86)}==`;
const account = `A${"B".repeat(55)}` as AccountKey;
const unknown = { type: "XSet", v: 1, key: "x", at: 1, data: null as unknown };
const kindOf = (events: readonly unknown[]) => decodeBody(utf8(JSON.stringify(events))).kind;
const nested = (depth: number): unknown => (depth === 0 ? 1 : { a: nested(depth - 1) });

/** A body of exactly so many bytes. */
function bodyOf(sizeBytes: number): Uint8Array {
  const empty = JSON.stringify([{ ...unknown, data: "" }]).length;
  return utf8(JSON.stringify([{ ...unknown, data: "d".repeat(sizeBytes - empty) }]));
}

describe("a record", () => {
  it.each([
    ["events", (more: number) => kindOf(Array(EVENTS_PER_RECORD_MAX + more).fill(unknown))],
    ["bytes", (more: number) => decodeBody(bodyOf(RECORD_BYTES_MAX + more)).kind],
    ["length of a key", (more: number) => kindOf([{ ...unknown, key: "k".repeat(KEY_LENGTH_MAX + more) }])],
    ["depth of a value", (more: number) => kindOf([{ ...unknown, data: nested(DEPTH_MAX + more) }])],
  ])("is read up to its bound of %s, and poison beyond", (_name, read) => {
    expect([read(0), read(1)]).toEqual(["events", "poison"]);
  });

  it.each(["epoch", "seq"])("has no %s beyond the bound", (field) => {
    const header = { source: account, lane: "sum", epoch: 1, seq: 1, prev: ZERO_HASH, traceparent: "" };
    const whole = { ...header, key: "0".repeat(16), sig };
    expect(isRecordHeader({ ...whole, [field]: limits.POSITION_MAX })).toBe(true);
    expect(isRecordHeader({ ...whole, [field]: limits.POSITION_MAX + 1 })).toBe(false);
  });
});

describe("a writer", () => {
  it("refuses an event beyond half a record", () => {
    const bundle = (roots: number, last: number): RegisterEvent => ({
      type: "BundleSet",
      v: 1,
      key: "bundle",
      at: 1,
      data: {
        trustDomain: "t",
        sequence: 1,
        roots: [...Array(roots).fill("A".repeat(16_384)), "A".repeat(last)],
      },
    });
    const fits = prepareEvent(bundle(3, 4));
    if (typeof fits === "string") throw new Error(fits);
    const spare = EVENT_BYTES_MAX - fits.sizeBytes;
    expect(prepareEvent(bundle(3, 4 + spare))).toMatchObject({ sizeBytes: EVENT_BYTES_MAX });
    expect(prepareEvent(bundle(3, 5 + spare))).toContain(`${EVENT_BYTES_MAX + 1} bytes exceed`);
  });

  it("fills a record up to its bounds, with room for a marker", () => {
    const add = (batch: Batch, sizeBytes: number) =>
      batch.add({ event: unknown as never, json: "x".repeat(sizeBytes), sizeBytes, hash: null });
    const many = new Batch();
    while (add(many, 10));
    expect(many.count).toBe(EVENTS_PER_RECORD_MAX - 1);
    const large = new Batch();
    while (add(large, 10_000));
    expect(large.body().length).toBeGreaterThan(RECORD_BYTES_MAX - 10_600);
    large.addMarker({ type: "SnapshotBegin", v: 1, key: "", at: 1, data: { id: "1.1" } });
    expect(large.body().length).toBeLessThanOrEqual(RECORD_BYTES_MAX);
  });
});

it("a heartbeat is read up to its bound of bytes", () => {
  const head: Head = { source: account, lane: "sum", epoch: 1, seq: 1, head: ZERO_HASH };
  const lists = { own: [], known: [head], acked: [], committed: [] };
  const payload = JSON.stringify({ source: account, bootMs: 1, counter: 1, ...lists });
  const text = JSON.stringify({ payload, key: "0".repeat(16), sig });
  const read = (sizeBytes: number) => decodeHeartbeat(utf8(text.padEnd(sizeBytes)));
  expect(read(limits.HEARTBEAT_BYTES_MAX)?.beat.known).toEqual([head]);
  expect(read(limits.HEARTBEAT_BYTES_MAX + 1)).toBeUndefined();
});

describe("heads in a heartbeat", () => {
  const most = limits.POSITION_MAX;
  const many: Head[] = Array.from({ length: limits.HEADS_TOLD_MAX + 1 }, (_, seq) => ({
    source: account,
    lane: "sum",
    epoch: most,
    seq: most - seq,
    head: ZERO_HASH,
  }));
  const evidence = Array(limits.EVIDENCE_PER_BEAT_MAX).fill({
    source: account,
    lane: "sum",
    epoch: most,
    seq: most,
    prev: ZERO_HASH,
    key: "0".repeat(16),
    sig,
    body: ZERO_HASH,
  });
  const beatOf = (known: readonly Head[], acked: readonly Head[]) => {
    const own = many.slice(0, 2).map((head) => ({ ...head, digest: ZERO_HASH }));
    const beat = { source: account, bootMs: 1, counter: 1, own, known, acked, committed: [], evidence };
    return decodeHeartbeat(signHeartbeat(beat, rigSigner(1), ZERO_HASH, rigCrypto))?.beat;
  };

  it("are told in turns where there are more than it holds, and such a beat is read", () => {
    const turns = [0, 1].map((counter) => headsInTurn(many, counter));
    expect(new Set(turns.flat())).toEqual(new Set(many));
    expect(turns.map(({ length }) => length)).toEqual(Array(2).fill(limits.HEADS_TOLD_MAX));
    expect(headsInTurn(turns[0] ?? [], 7)).toBe(turns[0]);
    expect(beatOf(turns[0] ?? [], turns[1] ?? [])).toMatchObject({ known: turns[0], acked: turns[1] });
  });
});

describe("what operators sign", () => {
  const command = (signatures: number) =>
    kindOf([
      {
        type: "CommandSet",
        v: 1,
        key: "command/x",
        at: 1,
        data: { payload: "p", signatures: Array(signatures).fill({ key: "0".repeat(16), sig }) },
      },
    ]);

  it("carries at most as many signatures as there can be operators", () => {
    expect([command(limits.OPERATORS_MAX), command(limits.OPERATORS_MAX + 1)]).toEqual(["events", "poison"]);
  });

  it("keeps at most so many earlier commands", () => {
    const fingerprint = ZERO_HASH;
    const keys = [`${"A".repeat(43)}=`];
    const read = (kept: number) => {
      const order = { do: "operators" as const, keys, threshold: 1, keeps: Array(kept).fill(ZERO_HASH) };
      const payload = encodeCommand({ fingerprint, id: "c", atMs: 1, order });
      return decodeCommand({ payload, signatures: [] }, fingerprint, rigCrypto).kind;
    };
    expect([read(limits.KEPT_COMMANDS_MAX), read(limits.KEPT_COMMANDS_MAX + 1)]).toEqual(["ok", "problem"]);
  });
});

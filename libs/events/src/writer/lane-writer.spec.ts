import { fromUtf8 } from "@hansa/core";
import { beforeEach, describe, expect, it } from "vitest";
import { laneDigest, valueHash } from "../digest.ts";
import type { RegisterEvent, WireRecord } from "../event.ts";
import { EVENTS_PER_RECORD_MAX, RECORD_BYTES_MAX } from "../limits.ts";
import { recordHash, verifyRecord, ZERO_HASH } from "../record.ts";
import { rigCrypto } from "../rig.ts";
import type { LaneWriter } from "./lane-writer.ts";
import {
  eventsOf,
  fingerprint,
  keysOf,
  make,
  onBus,
  opened,
  signer,
  source,
  take,
  want,
} from "./writer-rig.ts";

let writer: LaneWriter;

beforeEach(() => {
  writer = opened();
});

/** Through the first snapshot. */
function settled(): WireRecord {
  const record = take(writer);
  writer.stored(10);
  return record;
}

describe("a writer", () => {
  it("begins its first epoch with a snapshot, signed and chained", () => {
    const first = settled();
    expect(first.header).toMatchObject({ source, lane: "sum", epoch: 1, seq: 1, prev: ZERO_HASH });
    expect(keysOf(first)).toEqual(["SnapshotBegin", "want/us", "SnapshotComplete"]);
    expect(verifyRecord(first, signer.publicKey, fingerprint, rigCrypto)).toBe(true);
    writer.set(want("ap"));
    const second = take(writer);
    expect(second.header).toMatchObject({ epoch: 1, seq: 2, prev: recordHash(first, rigCrypto) });
    expect(keysOf(second)).toEqual(["want/ap"]);
  });

  it("never writes before its facts are complete, nor before it is elected", () => {
    const early = make();
    early.set(want("us"));
    early.open(null, 0);
    expect(early.next()).toBeNull();
    early.synced();
    expect(early.next()).not.toBeNull();
    const idle = make();
    idle.synced();
    expect(idle.next()).toBeNull();
  });

  it("keeps one record in flight and coalesces by key behind it", () => {
    take(writer);
    writer.set(want("ap", "1"));
    writer.set(want("ap", "2"));
    writer.set(want("xx"));
    writer.remove("want/xx", 8);
    expect(writer.next()).toBeNull();
    writer.stored(1);
    expect(eventsOf(take(writer))).toMatchObject([{ key: "want/ap", data: { nonce: "2" } }]);
  });

  it("says nothing of a value that is the same, or is the same again before it was sent", () => {
    settled();
    writer.set(want("us"));
    writer.set(want("us", "2"));
    writer.set(want("us", "1"));
    expect(writer.pendingCount).toBe(0);
    expect(writer.next()).toBeNull();
  });

  it("writes a tombstone for what is removed, once", () => {
    settled();
    writer.remove("want/us", 9);
    writer.remove("want/us", 9);
    writer.set({ ...want("never"), data: null });
    expect(eventsOf(take(writer))).toEqual([{ ...want("us"), at: 9, data: null }]);
  });

  it("refuses what readers would refuse", () => {
    expect(writer.set({ ...want("us"), key: "want/US" })).toContain("want/US");
    expect(writer.set({ type: "EndpointSet", v: 1, key: "endpoint/a/b/c", at: 1, data: null })).toContain(
      "lane",
    );
    expect([...writer.keys()]).toEqual(["want/us"]);
  });

  it("tells the digest of what is stored, not of what is in flight", () => {
    settled();
    const digestOf = (...events: RegisterEvent[]) =>
      laneDigest(
        events.map((event) => [event.key, valueHash(JSON.stringify(event.data), rigCrypto)] as const),
        rigCrypto,
      );
    expect(writer.head()).toMatchObject({ epoch: 1, seq: 1, digest: digestOf(want("us")) });
    writer.set(want("ap"));
    writer.requestSnapshot();
    take(writer);
    expect(writer.head()).toMatchObject({ seq: 1, digest: digestOf(want("us")) });
    writer.stored(11);
    expect(writer.head()).toMatchObject({ seq: 2, digest: digestOf(want("us"), want("ap")) });
  });
});

describe("snapshots that nobody asked for", () => {
  /** Records with one change each; says which of them carry SnapshotBegin. */
  const snapshotsIn = (records: number): number[] =>
    Array.from({ length: records }, (_, index) => {
      writer.set(want("ap", String(index)));
      const keys = keysOf(take(writer));
      writer.stored(index + 11);
      return keys.includes("SnapshotBegin") ? index + 2 : [];
    }).flat();

  it("come before the last one is half-way out of a stream of 256", () => {
    settled();
    const [first = 0, second = 0] = snapshotsIn(300);
    expect(first).toBeLessThanOrEqual(128);
    expect(second - first).toBeLessThanOrEqual(128);
    expect(second).toBeGreaterThan(first);
  });

  it("come rarely where they are large, but in time for a stream of 2048", () => {
    for (let peer = 0; peer < 20_000; peer++) writer.set(want(`p${peer}`));
    writer.startEpoch(1);
    let cost = 0;
    for (; writer.snapshotOpen; cost += 1) {
      take(writer);
      writer.stored(cost + 1);
    }
    expect(cost).toBeGreaterThan(200);
    const [first = 0] = snapshotsIn(1100);
    expect(first).toBeGreaterThan(2 * cost);
    expect(cost + first).toBeLessThan(1024 + cost);
  });

  it("leave changes their room, until they are late or somebody asks", () => {
    for (let peer = 0; peer < 3000; peer++) writer.set(want(`p${peer}`));
    writer.startEpoch(1);
    let seq = 0;
    const next = () => {
      const publication = writer.next();
      writer.stored(++seq);
      return { count: eventsOf(publication!.record).length, isCalm: publication!.isCalm };
    };
    expect(next()).toMatchObject({ isCalm: false });
    while (writer.snapshotOpen) next();
    const change = () => writer.set(want("ap", String(seq)));
    for (change(); !writer.snapshotOpen; change()) next();
    expect(next()).toEqual({ count: 11, isCalm: false });
    expect(next()).toEqual({ count: EVENTS_PER_RECORD_MAX - 1, isCalm: true });
    let calmCount = 0;
    for (change(); next().count === 11; change()) calmCount += 1;
    expect(calmCount).toBeGreaterThan(50);
    expect(calmCount).toBeLessThan(65);
    writer.requestSnapshot();
    expect(next()).toMatchObject({ isCalm: false });
  });

  it("do not come while nothing changes", () => {
    settled();
    snapshotsIn(99);
    expect(writer.next()).toBeNull();
  });

  it("come soon after a restart that cannot know when the last one was", () => {
    settled();
    snapshotsIn(120);
    writer.set(want("ap", "last"));
    const last = take(writer);
    writer.stored(500);
    const resumed = make({ restored: writer.state() });
    resumed.synced();
    expect(resumed.open(onBus(last, 500), 1)).toBe("continued");
    resumed.set(want("ap", "new"));
    expect(keysOf(take(resumed))[0]).toBe("SnapshotBegin");
  });
});

describe("limits", () => {
  it("hold in every record of a large snapshot, and fresh changes do not wait for it", () => {
    const many = make();
    for (let peer = 0; peer < 1000; peer++) many.set(want(`p${peer}`, "x".repeat(peer % 100)));
    many.synced();
    many.open(null, 0);
    const big = make();
    for (let id = 0; id < 30; id++)
      big.set({
        type: "CommandSet",
        v: 1,
        key: `command/c${id}`,
        at: 1,
        data: { payload: "é".repeat(10_000), signatures: [] },
      });
    big.synced();
    big.open(null, 0);
    for (const [each, records] of [
      [writer, [] as WireRecord[]] as const,
      [big, [] as WireRecord[]] as const,
    ]) {
      for (let next = each.next(); next !== null; next = each.next()) {
        records.push(next.record);
        expect(eventsOf(next.record).length).toBeLessThanOrEqual(EVENTS_PER_RECORD_MAX);
        expect(next.record.body.length).toBeLessThanOrEqual(RECORD_BYTES_MAX);
        if (records.length === 3) {
          each.set(want("fresh"));
          each.stored(records.length);
          records.push(take(each));
          expect(keysOf(records.at(-1)!)[0]).toBe("want/fresh");
        }
        each.stored(records.length);
      }
      expect(keysOf(records.at(-1)!).at(-1)).toBe("SnapshotComplete");
      const keys = records.flatMap(keysOf);
      expect(new Set(keys).size).toBe(keys.length);
    }
  });

  it("do not let a flood of changes starve a snapshot", () => {
    for (let peer = 0; peer < 200; peer++) writer.set(want(`p${peer}`));
    let rounds = 0;
    for (; writer.snapshotOpen && rounds < 50; rounds++) {
      for (let peer = 0; peer < 100; peer++) writer.set(want(`q${peer}`, String(rounds)));
      take(writer);
      writer.stored(rounds + 1);
    }
    expect(rounds).toBeLessThan(10);
  });
});

it("carries the trace context outside the signature", () => {
  const traceparent = `00-${"1".repeat(32)}-${"2".repeat(16)}-01`;
  const traced = make({ traceparent: () => traceparent });
  traced.synced();
  traced.open(null, 0);
  const record = take(traced);
  expect(record.header.traceparent).toBe(traceparent);
  expect(fromUtf8(record.body)).not.toContain(traceparent);
});

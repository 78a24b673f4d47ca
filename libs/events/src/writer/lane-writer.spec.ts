import { fromUtf8 } from "@hansa/core";
import { beforeEach, describe, expect, it } from "vitest";
import { decodeBody } from "../decode.ts";
import { laneDigest, valueHash } from "../digest.ts";
import type { Event, RegisterEvent, WireRecord } from "../event.ts";
import { EVENTS_PER_RECORD_MAX, RECORD_BYTES_MAX } from "../limits.ts";
import type { BusRecord } from "../log-bus.ts";
import { keyIdOf, recordHash, signRecord, verifyRecord, ZERO_HASH } from "../record.ts";
import { rigAccount, rigCrypto, rigSigner } from "../rig.ts";
import { LaneWriter } from "./lane-writer.ts";
import type { LaneWriterOptions } from "./types.ts";

const signer = rigSigner(1);
const source = rigAccount("eu");
const fingerprint = "a".repeat(64);

const make = (more: Partial<LaneWriterOptions> = {}): LaneWriter =>
  new LaneWriter({ source, lane: "sum", signer, fingerprint, crypto: rigCrypto, ...more });

const want = (peer: string, nonce = "1"): RegisterEvent => ({
  type: "WantSet",
  v: 1,
  key: `want/${peer}`,
  at: 7,
  data: { nonce },
});

const eventsOf = (record: WireRecord): readonly Event[] => {
  const decoded = decodeBody(record.body);
  if (decoded.kind === "poison") throw new Error(decoded.message);
  return decoded.events;
};
const keysOf = (record: WireRecord): string[] => eventsOf(record).map((event) => event.key || event.type);

const onBus = (record: WireRecord, streamSeq: number): BusRecord => ({
  record,
  account: record.header.source,
  lane: record.header.lane,
  streamSeq,
  previousStreamSeq: 0,
});

let writer: LaneWriter;

/** The next record, which must be there. */
function take(of = writer): WireRecord {
  const next = of.next();
  if (next === null) throw new Error("nothing to send");
  return next.record;
}

beforeEach(() => {
  writer = make();
  writer.set(want("us"));
  writer.synced();
  writer.open(null, 0);
});

/** Through the first snapshot. */
function settled(): WireRecord {
  const record = take();
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
    const second = take();
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
    take();
    writer.set(want("ap", "1"));
    writer.set(want("ap", "2"));
    writer.set(want("xx"));
    writer.remove("want/xx", 8);
    expect(writer.next()).toBeNull();
    writer.stored(1);
    expect(eventsOf(take())).toMatchObject([{ key: "want/ap", data: { nonce: "2" } }]);
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
    expect(eventsOf(take())).toEqual([{ ...want("us"), at: 9, data: null }]);
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
    take();
    expect(writer.head()).toMatchObject({ seq: 1, digest: digestOf(want("us")) });
    writer.stored(11);
    expect(writer.head()).toMatchObject({ seq: 2, digest: digestOf(want("us"), want("ap")) });
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
      take();
      writer.stored(rounds + 1);
    }
    expect(rounds).toBeLessThan(10);
  });
});

describe("after a refused or unknown outcome", () => {
  const rival = (epoch: number, seq: number, by = signer): BusRecord => {
    const key = keyIdOf(by.publicKey, rigCrypto);
    const header = { source, lane: "sum" as const, epoch, seq, prev: "1".repeat(64), key, traceparent: "" };
    return onBus(signRecord(header, new Uint8Array([1]), by, fingerprint, rigCrypto), 40);
  };

  it("a record that is there counts as stored", () => {
    const record = take();
    expect(writer.refused(onBus(record, 33))).toBe("retry");
    writer.set(want("ap"));
    expect(writer.next()).toMatchObject({ expectedStreamSeq: 33, record: { header: { seq: 2 } } });
  });

  it("a record that is not there is offered again, byte for byte", () => {
    const first = settled();
    writer.set(want("ap"));
    const second = take();
    writer.set(want("xx"));
    expect(writer.refused(onBus(first, 12))).toBe("retry");
    expect(writer.next()).toEqual({ record: second, expectedStreamSeq: 12 });
  });

  it("a wiped or aged-out subject begins a new epoch with a snapshot", () => {
    const first = settled();
    writer.set(want("ap"));
    take();
    expect(writer.refused(null)).toBe("retry");
    const next = writer.next()!;
    expect(next).toMatchObject({ expectedStreamSeq: 0, record: { header: { epoch: 2, seq: 1 } } });
    expect(next.record.header.prev).toBe(recordHash(first, rigCrypto));
    expect(keysOf(next.record).sort()).toEqual(["SnapshotBegin", "SnapshotComplete", "want/ap", "want/us"]);
  });

  it("a stream that lost the last records begins a new epoch, never a second version of them", () => {
    const first = settled();
    writer.set(want("ap"));
    take();
    writer.stored(11);
    writer.set(want("xx"));
    take();
    expect(writer.refused(onBus(first, 10))).toBe("retry");
    expect(writer.next()).toMatchObject({ expectedStreamSeq: 10, record: { header: { epoch: 2, seq: 1 } } });
  });

  it("an older epoch's record before the first of this one is only the place to stand", () => {
    const next = make();
    next.synced();
    next.set(want("us"));
    next.open(null, 4);
    const record = take(next);
    expect(next.refused(rival(4, 9))).toBe("retry");
    expect(next.next()).toEqual({ record, expectedStreamSeq: 40 });
  });

  it("a stream that fell back to an older epoch begins a new one", () => {
    const next = make();
    next.synced();
    next.open(null, 4);
    take(next);
    next.stored(50);
    next.set(want("us"));
    take(next);
    expect(next.refused(rival(4, 9))).toBe("retry");
    expect(take(next).header).toMatchObject({ epoch: 6, seq: 1 });
  });

  it.each([
    ["a higher epoch", () => rival(2, 1)],
    ["a higher epoch under another key", () => rival(2, 1, rigSigner(9))],
    ["the same epoch by a rival", () => rival(1, 2)],
  ])("%s fences, and the next election lifts it", (_name, last) => {
    settled();
    writer.set(want("ap"));
    take();
    expect(writer.refused(last())).toBe("fenced");
    expect([writer.mode, writer.next()]).toEqual(["fenced", null]);
    writer.set(want("xx"));
    expect(writer.open(last(), 7)).toBe("new-epoch");
    const next = writer.next()!;
    expect(next).toMatchObject({ expectedStreamSeq: 40, record: { header: { epoch: 8, seq: 1 } } });
    expect(keysOf(next.record).sort()).toEqual([
      "SnapshotBegin",
      "SnapshotComplete",
      "want/ap",
      "want/us",
      "want/xx",
    ]);
  });

  it("noise under the own key id neither fences nor counts", () => {
    settled();
    writer.set(want("ap"));
    const record = take();
    const noise = rival(99, 1);
    const forged = { ...noise.record.header, sig: record.header.sig };
    expect(writer.refused({ ...noise, record: { ...noise.record, header: forged } })).toBe("retry");
    expect(writer.next()).toEqual({ record, expectedStreamSeq: 40 });
  });
});

describe("a restart", () => {
  it("continues its epoch where the bus ends with its last record", () => {
    const first = settled();
    const state: unknown = JSON.parse(JSON.stringify(writer.state()));
    const next = make({ restored: state as never });
    next.synced();
    expect(next.open(onBus(first, 10), 1)).toBe("continued");
    expect(next.next()).toBeNull();
    expect(next.head()).toEqual(writer.head());
    next.set(want("us"));
    next.set(want("ap"));
    const publication = next.next()!;
    expect(publication).toMatchObject({ expectedStreamSeq: 10, record: { header: { epoch: 1, seq: 2 } } });
    expect(keysOf(publication.record)).toEqual(["want/ap"]);
  });

  it("lets its caller take away what is no longer there", () => {
    const first = settled();
    const next = make({ restored: writer.state() });
    expect([...next.keys()]).toEqual(["want/us"]);
    next.remove("want/us", 9);
    next.synced();
    next.open(onBus(first, 10), 1);
    expect(eventsOf(take(next))).toMatchObject([{ key: "want/us", data: null }]);
  });

  it.each([
    ["the bus ends elsewhere", () => onBus(settled(), 10), true, 1, 2],
    ["only a position was kept", () => null, false, 1, 2],
    ["a higher epoch was seen", () => null, true, 5, 6],
  ])("begins a new epoch where %s", (_name, last, whole, seen, epoch) => {
    const before = last();
    if (before === null) settled();
    writer.set(want("ap"));
    take();
    writer.stored(11);
    const next = make({ restored: whole ? writer.state() : writer.position() });
    next.set(want("us"));
    next.synced();
    expect(next.open(before, seen)).toBe("new-epoch");
    expect(take(next).header).toMatchObject({ epoch, seq: 1 });
  });

  it("begins a new epoch where a snapshot was not complete", () => {
    for (let peer = 0; peer < 300; peer++) writer.set(want(`p${peer}`));
    writer.startEpoch(1);
    const record = take();
    writer.stored(1);
    const next = make({ restored: writer.state() });
    next.synced();
    expect(next.open(onBus(record, 1), record.header.epoch)).toBe("new-epoch");
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

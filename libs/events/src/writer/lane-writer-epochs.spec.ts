/** Epochs: what the writer makes of refused publishes and of a restart. */
import { beforeEach, describe, expect, it } from "vitest";
import type { WireRecord } from "../event.ts";
import type { BusRecord } from "../log-bus.ts";
import { keyIdOf, recordHash, signRecord } from "../record.ts";
import { rigCrypto, rigSigner } from "../rig.ts";
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

function rivalRecord(epoch: number, seq: number, by = signer): BusRecord {
  const key = keyIdOf(by.publicKey, rigCrypto);
  const header = { source, lane: "sum" as const, epoch, seq, prev: "1".repeat(64), key, traceparent: "" };
  return onBus(signRecord(header, new Uint8Array([1]), by, fingerprint, rigCrypto), 40);
}

describe("after a refused or unknown outcome", () => {
  it("a record that is there counts as stored", () => {
    const record = take(writer);
    expect(writer.refused(onBus(record, 33))).toBe("retry");
    writer.set(want("ap"));
    expect(writer.next()).toMatchObject({ expectedStreamSeq: 33, record: { header: { seq: 2 } } });
  });

  it("a record that is not there is offered again, byte for byte", () => {
    const first = settled();
    writer.set(want("ap"));
    const second = take(writer);
    writer.set(want("xx"));
    expect(writer.refused(onBus(first, 12))).toBe("retry");
    expect(writer.next()).toEqual({ record: second, expectedStreamSeq: 12, isCalm: false });
  });

  it("a wiped or aged-out subject begins a new epoch with a snapshot", () => {
    const first = settled();
    writer.set(want("ap"));
    take(writer);
    expect(writer.refused(null)).toBe("retry");
    const next = writer.next()!;
    expect(next).toMatchObject({ expectedStreamSeq: 0, record: { header: { epoch: 2, seq: 1 } } });
    expect(next.record.header.prev).toBe(recordHash(first, rigCrypto));
    expect(keysOf(next.record).sort()).toEqual(["SnapshotBegin", "SnapshotComplete", "want/ap", "want/us"]);
  });

  it("a stream that lost the last records begins a new epoch, never a second version of them", () => {
    const first = settled();
    writer.set(want("ap"));
    take(writer);
    writer.stored(11);
    writer.set(want("xx"));
    take(writer);
    expect(writer.refused(onBus(first, 10))).toBe("retry");
    expect(writer.next()).toMatchObject({ expectedStreamSeq: 10, record: { header: { epoch: 2, seq: 1 } } });
  });

  it("the first record of an epoch is offered again where nobody wrote since", () => {
    const next = make();
    next.synced();
    next.set(want("us"));
    next.open(rivalRecord(4, 9), 4);
    const record = take(next);
    expect(next.refused(rivalRecord(4, 9))).toBe("retry");
    expect(next.next()).toEqual({ record, expectedStreamSeq: 40, isCalm: false });
  });

  it.each([
    ["a rival wrote in the epoch below", () => rivalRecord(4, 9), 0],
    ["others know of a rival's record in the same epoch", () => null, 5],
  ])("the facts of its first record are those of now where %s", (_name, last, highestSeen) => {
    const next = make();
    next.synced();
    next.set(want("us", "1"));
    next.open(null, 4);
    take(next);
    next.set(want("us", "2"));
    expect(next.refused(last(), highestSeen)).toBe("retry");
    const anew = take(next);
    expect(anew.header).toMatchObject({ epoch: 6, seq: 1 });
    expect(eventsOf(anew)).toMatchObject([{}, { key: "want/us", data: { nonce: "2" } }, {}]);
  });

  it("an epoch that is given up before its first record was stored leaves no trace in the chain", () => {
    const first = settled();
    writer.startEpoch(1);
    take(writer);
    writer.startEpoch(7);
    expect(take(writer).header).toMatchObject({ epoch: 8, seq: 1, prev: recordHash(first, rigCrypto) });
  });

  it("no epoch is below the floor: a disk that was lost does not repeat one of its own", () => {
    let seconds = 700;
    const writer = make({ epochFloor: () => seconds });
    writer.set(want("us"));
    writer.synced();
    writer.open(null, 0);
    expect(take(writer).header).toMatchObject({ epoch: 700, seq: 1 });
    seconds = 20;
    writer.startEpoch(3);
    expect(take(writer).header).toMatchObject({ epoch: 701, seq: 1 });
  });

  it("a stream that fell back to an older epoch begins a new one", () => {
    const next = make();
    next.synced();
    next.open(null, 4);
    take(next);
    next.stored(50);
    next.set(want("us"));
    take(next);
    expect(next.refused(rivalRecord(4, 9))).toBe("retry");
    expect(take(next).header).toMatchObject({ epoch: 6, seq: 1 });
  });

  it.each([
    ["a higher epoch", () => rivalRecord(2, 1)],
    ["a higher epoch under another key", () => rivalRecord(2, 1, rigSigner(9))],
    ["the same epoch by a rival", () => rivalRecord(1, 2)],
  ])("%s fences, and the next election lifts it", (_name, last) => {
    settled();
    writer.set(want("ap"));
    take(writer);
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
    const record = take(writer);
    const noise = rivalRecord(99, 1);
    const forged = { ...noise.record.header, sig: record.header.sig };
    expect(writer.refused({ ...noise, record: { ...noise.record, header: forged } })).toBe("retry");
    expect(writer.next()).toEqual({ record, expectedStreamSeq: 40, isCalm: false });
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
    take(writer);
    writer.stored(11);
    const next = make({ restored: whole ? writer.state() : writer.position() });
    next.set(want("us"));
    next.synced();
    expect(next.open(before, seen)).toBe("new-epoch");
    expect(take(next).header).toMatchObject({ epoch, seq: 1 });
  });

  it("follows what is stored, not a record that was lost with its process", () => {
    const first = settled();
    writer.set(want("ap"));
    take(writer);
    const next = make({ restored: writer.state() });
    next.set(want("ap"));
    next.synced();
    expect(next.open(onBus(first, 10), 1)).toBe("new-epoch");
    expect(take(next).header).toMatchObject({ epoch: 2, seq: 1, prev: recordHash(first, rigCrypto) });
  });

  it("follows its own last record where the bus shows none, or another's", () => {
    settled();
    const { head } = writer.position();
    for (const last of [null, rivalRecord(1, 9, rigSigner(9))]) {
      const next = make({ restored: writer.position() });
      next.synced();
      next.open(last, 1);
      expect(take(next).header.prev).toBe(head);
    }
  });

  it("begins a new epoch where a snapshot was not complete", () => {
    for (let peer = 0; peer < 300; peer++) writer.set(want(`p${peer}`));
    writer.startEpoch(1);
    const record = take(writer);
    writer.stored(1);
    const next = make({ restored: writer.state() });
    next.synced();
    expect(next.open(onBus(record, 1), record.header.epoch)).toBe("new-epoch");
  });
});

/**
 * What every LogBus must do. Runs on real nats-server (log-bus.nats.spec.ts) and on the simulator's bus
 * (test/sim/log-bus.spec.ts), so that what the simulator proves holds for the real one.
 */
import { isHansaError, utf8 } from "@hansa/core";
import type { BusBeat, BusRecord, Lane, LogBus, WireRecord } from "@hansa/events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

/** A hub, agents and what may happen to them. Every wait goes through the world: one of them runs in virtual time. */
export interface BusWorld {
  readonly hub: LogBus;
  /** The bus of a cluster of its own, joined while everything runs; connected when it resolves. */
  join(): Promise<LogBus>;
  /** A second client of the same account: a rival writer. */
  rival(bus: LogBus): Promise<LogBus>;
  /** The client's link: cut both ways, without its answers, and whole again. */
  cut(bus: LogBus): Promise<void>;
  deafen(bus: LogBus): Promise<void>;
  heal(bus: LogBus): Promise<void>;
  /** The server restarts with its storage, or without it. Everyone is connected again when it resolves. */
  restart(): Promise<void>;
  wipe(): Promise<void>;
  /** A client made while no server answers; `serve` brings the server. */
  early(): Promise<{ readonly bus: LogBus; serve(): Promise<void> }>;
  /** Lets the world go on until the promise settles. */
  run<T>(work: Promise<T>): Promise<T>;
  /** Lets the world go on until it holds, or fails. */
  until(what: string, holds: () => boolean): Promise<void>;
  close(): Promise<void>;
}

export const RECORDS_PER_LOG_MAX = 8;

let serial = 0;
/** A record as it looks to a bus: nothing here checks signatures. */
export function someRecord(bus: LogBus, lane: Lane = "sum", text = "body"): WireRecord {
  serial += 1;
  const header = {
    source: bus.account,
    lane,
    epoch: 1,
    seq: serial,
    prev: "a".repeat(64),
    key: "0123456789abcdef",
    sig: `${"A".repeat(86)}==`,
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  };
  return { header, body: utf8(`${text} ${serial}`) };
}

export function logBusContract(name: string, create: () => Promise<BusWorld>): void {
  describe(`log bus contract: ${name}`, () => {
    let world: BusWorld;
    const run = <T>(work: Promise<T>): Promise<T> => world.run(work);
    const seqOf = (record: BusRecord): number => record.record.header.seq;

    async function store(bus: LogBus, count: number, lane: Lane = "sum"): Promise<BusRecord[]> {
      let last = (await run(bus.lastOwn(lane)))?.streamSeq ?? 0;
      const records: BusRecord[] = [];
      for (let n = 0; n < count; n += 1) {
        const record = someRecord(bus, lane);
        const outcome = await run(bus.publish(record, last));
        if (outcome.kind !== "stored") throw new Error(`not stored: ${JSON.stringify(outcome)}`);
        records.push({
          record,
          account: bus.account,
          lane,
          streamSeq: outcome.streamSeq,
          previousStreamSeq: last,
        });
        last = outcome.streamSeq;
      }
      return records;
    }

    async function refusesAsDown(work: Promise<unknown>): Promise<void> {
      const outcome = await run(
        work.then(
          () => "answered",
          (error: unknown) => error,
        ),
      );
      expect(isHansaError(outcome) && outcome.code).toBe("HSA2010");
    }

    beforeAll(async () => {
      world = await create();
    });
    afterAll(async () => {
      await world?.close();
    });

    describe("publish and the fence", () => {
      it("stores a record in an empty log and gives it back byte for byte", async () => {
        const bus = await world.join();
        expect(await run(bus.lastOwn("sum"))).toBeNull();
        const body = Uint8Array.from({ length: 128 * 1024 }, (_, index) => index % 256);
        const record = { ...someRecord(bus), body };
        const outcome = await run(bus.publish(record, 0));
        expect(outcome.kind).toBe("stored");
        const last = await run(bus.lastOwn("sum"));
        expect(last?.record.header).toEqual(record.header);
        expect(last?.record.body.length).toBe(body.length);
        expect(last?.record.body.every((byte, index) => byte === body[index])).toBe(true);
        expect(last).toMatchObject({ account: bus.account, lane: "sum", previousStreamSeq: 0 });
        expect(outcome).toEqual({ kind: "stored", streamSeq: last?.streamSeq });
      });

      it("refuses a record whose expected position is not the last, and stores nothing", async () => {
        const bus = await world.join();
        const [first] = await store(bus, 1);
        for (const expected of [0, first!.streamSeq + 1])
          expect(await run(bus.publish(someRecord(bus), expected))).toEqual({ kind: "refused" });
        expect((await run(bus.lastOwn("sum")))?.streamSeq).toBe(first!.streamSeq);
        expect((await run(bus.publish(someRecord(bus), first!.streamSeq))).kind).toBe("stored");
      });

      it("refuses an expected position of its own in an empty log", async () => {
        const bus = await world.join();
        expect(await run(bus.publish(someRecord(bus), 3))).toEqual({ kind: "refused" });
        expect(await run(bus.lastOwn("sum"))).toBeNull();
      });

      it("lets exactly one of two rival writers through", async () => {
        const bus = await world.join();
        const rival = await world.rival(bus);
        const last = (await store(bus, 1))[0]!.streamSeq;
        const outcomes = await run(
          Promise.all([bus.publish(someRecord(bus), last), rival.publish(someRecord(rival), last)]),
        );
        expect(outcomes.map(({ kind }) => kind).sort()).toEqual(["refused", "stored"]);
      });

      it("fences lanes and sources apart", async () => {
        const [one, two] = [await world.join(), await world.join()];
        await store(one, 3);
        expect(await run(one.lastOwn("ep"))).toBeNull();
        expect((await run(one.publish(someRecord(one, "ep"), 0))).kind).toBe("stored");
        expect((await run(two.publish(someRecord(two), 0))).kind).toBe("stored");
      });

      it("refuses to send what no record may be as big as", async () => {
        const bus = await world.join();
        const record = { ...someRecord(bus), body: new Uint8Array(256 * 1024 + 1) };
        const outcome = await run(
          bus.publish(record, 0).then(
            () => undefined,
            (error: unknown) => error,
          ),
        );
        expect(isHansaError(outcome) && outcome.code).toBe("HSA2002");
        expect(await run(bus.lastOwn("sum"))).toBeNull();
      });

      it("says unknown when the answer is lost, and the record may be there", async () => {
        const bus = await world.join();
        const [first] = await store(bus, 1);
        await world.deafen(bus);
        const record = someRecord(bus);
        expect((await run(bus.publish(record, first!.streamSeq))).kind).toBe("unknown");
        await world.heal(bus);
        expect(seqOf((await run(bus.lastOwn("sum")))!)).toBe(record.header.seq);
        expect(await run(bus.publish(record, first!.streamSeq))).toEqual({ kind: "refused" });
      });

      it("says unknown when there is no connection", async () => {
        const bus = await world.join();
        await world.cut(bus);
        expect((await run(bus.publish(someRecord(bus), 0))).kind).toBe("unknown");
        await world.heal(bus);
      });
    });

    describe("reading", () => {
      it("gives one log in order from a position on, at most so many", async () => {
        const [bus, other] = [await world.join(), await world.join()];
        const stored: BusRecord[] = [];
        for (let n = 0; n < 5; n += 1) {
          stored.push(...(await store(bus, 1)));
          await store(other, 1);
        }
        const of = { account: bus.account, lane: "sum" as const };
        expect(await run(other.read(of, 1, 256))).toEqual(stored);
        expect(await run(world.hub.read(of, stored[1]!.streamSeq, 2))).toEqual(stored.slice(1, 3));
        expect(await run(other.read(of, stored[1]!.streamSeq + 1, 256))).toEqual(stored.slice(2));
        expect(await run(other.read(of, stored[4]!.streamSeq + 1, 256))).toEqual([]);
      });

      it("gives all logs in the order of the stream, page by page", async () => {
        const [bus, other] = [await world.join(), await world.join()];
        const stored = [
          ...(await store(bus, 3)),
          ...(await store(other, 2, "ep")),
          ...(await store(world.hub, 1)),
        ];
        const from = stored[0]!.streamSeq;
        expect(await run(other.read(null, from, 256))).toEqual(stored);
        const first = await run(other.read(null, from, 4));
        const second = await run(other.read(null, first.at(-1)!.streamSeq + 1, 4));
        expect([...first, ...second]).toEqual(stored);
        expect(second.length).toBeLessThan(4);
      });

      it("gives every stored record from the beginning, and no more", async () => {
        const bus = await world.join();
        await store(bus, 2);
        const all = await run(bus.read(null, 0, 256));
        expect(all.filter(({ account }) => account === bus.account)).toHaveLength(2);
        expect(new Set(all.map(({ streamSeq }) => streamSeq)).size).toBe(all.length);
      });

      it("drops a log's own oldest records beyond its bound, and the hole shows", async () => {
        const [bus, other] = [await world.join(), await world.join()];
        const kept = await store(other, 2);
        const stored = await store(bus, RECORDS_PER_LOG_MAX + 3);
        const left = await run(bus.read({ account: bus.account, lane: "sum" }, 1, 256));
        expect(left).toEqual(stored.slice(3));
        expect(left[0]!.previousStreamSeq).toBe(stored[2]!.streamSeq);
        expect(await run(bus.read({ account: other.account, lane: "sum" }, 1, 256))).toEqual(kept);
      });

      it("says who wrote by the bus's own word, whatever the header claims", async () => {
        const [bus, other] = [await world.join(), await world.join()];
        const record = someRecord(bus);
        await run(bus.publish({ ...record, header: { ...record.header, source: other.account } }, 0));
        const [read] = await run(other.read({ account: bus.account, lane: "sum" }, 1, 10));
        expect(read).toMatchObject({ account: bus.account, record: { header: { source: other.account } } });
        expect(await run(other.read({ account: other.account, lane: "sum" }, 1, 10))).toEqual([]);
      });
    });

    describe("tail and heartbeats", () => {
      it("hands on what is stored from now on, of every source, as reading gives it", async () => {
        const [bus, other] = [await world.join(), await world.join()];
        await store(bus, 1);
        const seen: BusRecord[] = [];
        const unsubscribe = await run(other.tail((record) => seen.push(record)));
        const stored = [
          ...(await store(bus, 2)),
          ...(await store(other, 1, "ep")),
          ...(await store(world.hub, 1)),
        ];
        await world.until("the tail has caught up", () => seen.length >= stored.length);
        expect(seen).toEqual(stored);
        unsubscribe();
        await store(bus, 1);
        await run(other.lastOwn("sum"));
        expect(seen).toHaveLength(stored.length);
      });

      it("shows in the tail a predecessor that has left the stream", async () => {
        const bus = await world.join();
        const seen: BusRecord[] = [];
        await run(world.hub.tail((record) => void (record.account === bus.account && seen.push(record))));
        const stored = await store(bus, RECORDS_PER_LOG_MAX + 2);
        await world.until("the tail has caught up", () => seen.length >= stored.length);
        expect(seen.map(({ previousStreamSeq }) => previousStreamSeq)).toEqual(
          stored.map(({ previousStreamSeq }) => previousStreamSeq),
        );
      });

      it("hands heartbeats on live and keeps each source's last", async () => {
        const [bus, other] = [await world.join(), await world.join()];
        const seen: BusBeat[] = [];
        await run(other.beats((beat) => void (beat.account === bus.account && seen.push(beat))));
        for (const text of ["one", "two"]) await run(bus.publishBeat(utf8(text)));
        await run(world.hub.publishBeat(utf8("hub")));
        await world.until("both beats are heard", () => seen.length === 2);
        expect(seen).toEqual(["one", "two"].map((text) => ({ account: bus.account, bytes: utf8(text) })));
        const last = await run(other.lastBeats());
        expect(last.filter(({ account }) => account === bus.account)).toEqual([
          { account: bus.account, bytes: utf8("two") },
        ]);
        expect(last.filter(({ account }) => account === world.hub.account)).toHaveLength(1);
        expect(last.filter(({ account }) => account === other.account)).toHaveLength(0);
      });

      it("keeps records and heartbeats apart", async () => {
        const bus = await world.join();
        const records: BusRecord[] = [];
        const beats: BusBeat[] = [];
        await run(bus.tail((record) => records.push(record)));
        await run(bus.beats((beat) => beats.push(beat)));
        await run(bus.publishBeat(utf8("beat")));
        await store(bus, 1);
        await world.until("each was heard", () => records.length > 0 && beats.length > 0);
        expect([records.length, beats.length]).toEqual([1, 1]);
      });
    });

    describe("loss and return", () => {
      it("tells the state at once and at each change, and works again after a cut", async () => {
        const bus = await world.join();
        const states: boolean[] = [];
        const unsubscribe = bus.connection((up) => states.push(up));
        expect(states).toEqual([true]);
        const seen: BusRecord[] = [];
        await run(bus.tail((record) => void (record.account === bus.account && seen.push(record))));
        await world.cut(bus);
        await world.until("the loss is known", () => states.length === 2);
        await refusesAsDown(bus.read(null, 1, 10));
        await refusesAsDown(bus.lastOwn("sum"));
        await refusesAsDown(bus.lastBeats());
        await refusesAsDown(bus.incarnation());
        await run(bus.publishBeat(utf8("dropped")));
        await world.heal(bus);
        await world.until("the return is known", () => states.length === 3);
        expect(states).toEqual([true, false, true]);
        unsubscribe();
        const stored = await store(bus, 1);
        await world.until("the tail lives on", () => seen.length > 0);
        expect(seen).toEqual(stored);
      });

      it("starts without a server and connects when there is one", async () => {
        const { bus, serve } = await world.early();
        let up: boolean | undefined;
        const seen: BusRecord[] = [];
        bus.connection((state) => {
          up = state;
        });
        await run(bus.tail((record) => void (record.account === bus.account && seen.push(record))));
        expect(up).toBe(false);
        await refusesAsDown(bus.lastOwn("sum"));
        await serve();
        await world.until("it is connected", () => up === true);
        await store(bus, 1);
        await world.until("the tail lives", () => seen.length === 1);
      });

      it("keeps records, positions and incarnation over a restart of the server", async () => {
        const bus = await world.join();
        const incarnation = await run(bus.incarnation());
        expect(await run(world.hub.incarnation())).toBe(incarnation);
        const stored = await store(bus, 3);
        await world.restart();
        expect(await run(bus.incarnation())).toBe(incarnation);
        expect(await run(bus.read({ account: bus.account, lane: "sum" }, 1, 10))).toEqual(stored);
        expect((await run(bus.publish(someRecord(bus), stored[2]!.streamSeq))).kind).toBe("stored");
      });

      it("is a new incarnation with empty logs when the storage was wiped", async () => {
        const bus = await world.join();
        const incarnation = await run(bus.incarnation());
        const stored = await store(bus, 2);
        await world.wipe();
        expect(await run(bus.incarnation())).not.toBe(incarnation);
        expect(await run(bus.lastOwn("sum"))).toBeNull();
        expect(await run(bus.publish(someRecord(bus), stored[1]!.streamSeq))).toEqual({ kind: "refused" });
        expect((await run(bus.publish(someRecord(bus), 0))).kind).toBe("stored");
      });

      it("is silent after close", async () => {
        const [bus, other] = [await world.join(), await world.join()];
        let heard = 0;
        await run(
          bus.tail(() => {
            heard += 1;
          }),
        );
        await run(bus.close());
        await store(other, 1);
        await run(other.lastOwn("sum"));
        expect(heard).toBe(0);
        expect((await run(bus.publish(someRecord(bus), 0))).kind).toBe("unknown");
        await refusesAsDown(bus.lastOwn("sum"));
      });
    });
  });
}

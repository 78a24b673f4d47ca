/**
 * What every Archive must do. Runs on real Postgres (archive.postgres.spec.ts) and on the simulator's memory
 * (test/sim/archive.spec.ts), so that what the simulator proves of the hub holds on a real archive.
 */
import { isHansaError } from "@hansa/core";
import type { Head, MembershipValue, RegisterEvent } from "@hansa/events";
import type { Archive, ArchiveRecord, Member, StoredRecord } from "@hansa/store";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { account, batch, chain, want } from "./store-rig.ts";

export interface ArchiveWorld {
  /** Another client of the one archive, which is empty at first. */
  open(): Archive;
  /** Lets the archive's clock go on. */
  pass(ms: number): Promise<void>;
  close(): Promise<void>;
}

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "no error",
    (error: unknown) => (isHansaError(error) ? error.code : String(error)),
  );

const headOf = ({ record: { header }, hash }: ArchiveRecord): Head => ({
  source: header.source,
  lane: header.lane,
  epoch: header.epoch,
  seq: header.seq,
  head: hash,
});

const event = (key: string): RegisterEvent => want(key) as RegisterEvent;

export async function storedIn(archive: Archive, after: number, through: number): Promise<StoredRecord[]> {
  const records: StoredRecord[] = [];
  for await (const record of archive.records(after, through)) records.push(record);
  return records;
}

const member = (cluster: string, more: Partial<Member> = {}): Member => ({
  cluster,
  signingKey: `key of ${cluster}`,
  account: account(cluster.toUpperCase()),
  incarnation: 1,
  state: "active",
  membership: { cluster, incarnation: 1 } as unknown as MembershipValue,
  accountJwt: `jwt of ${cluster}`,
  userKey: "U",
  suspended: false,
  ...more,
});

export function archiveContract(name: string, create: () => Promise<ArchiveWorld>): void {
  describe(`archive contract: ${name}`, () => {
    let world: ArchiveWorld;
    let archive: Archive;
    let epoch = 0;
    beforeAll(async () => {
      world = await create();
      archive = world.open();
      epoch = (await archive.lead())!.epoch;
    });
    afterAll(() => world?.close());

    describe("commit", () => {
      test("numbers events one by one, repeats nothing, and gives records back in order", async () => {
        const log = chain(account("B"));
        const records = [log.next("want/a", "want/b"), log.next("want/c")];
        const first = await archive.commit(batch(epoch, records));
        const again = await archive.commit(batch(epoch, [...records, ...records]));
        expect(first).toMatchObject({ recordsNew: 2, eventsNew: 3, heads: [headOf(records[1]!)], gaps: [] });
        expect(again).toMatchObject({ recordsNew: 0, eventsNew: 0, position: first.position, heads: [] });
        expect((await archive.now()).position).toBe(first.position);
        const stored = await storedIn(archive, first.position - 3, first.position);
        expect(stored.map(({ record, hash, position }) => [record.header.seq, hash, position])).toEqual([
          [1, records[0]!.hash, first.position - 1],
          [2, records[1]!.hash, first.position],
        ]);
        expect(stored[0]!.record).toEqual(records[0]!.record);
        expect(await storedIn(archive, first.position - 1, first.position)).toHaveLength(1);
      });

      test("commits that race repeat no effect and lose none", async () => {
        const log = chain(account("C"));
        const records = [log.next("want/a"), log.next("want/b")];
        const clients = [archive, world.open(), archive, world.open()];
        const done = await Promise.all(clients.map((client) => client.commit(batch(epoch, records))));
        expect(done.reduce((sum, { eventsNew }) => sum + eventsNew, 0)).toBe(2);
      });

      test("the checkpoint goes on within one stream, and is replaced by another's", async () => {
        const at = async (incarnation: string, streamSeq: number) => {
          await archive.commit(batch(epoch, [], { checkpoint: { incarnation, streamSeq } }));
          return archive.checkpoint();
        };
        expect(await at("one", 5)).toMatchObject({ incarnation: "one", streamSeq: 5 });
        expect(await at("one", 3)).toMatchObject({ incarnation: "one", streamSeq: 5 });
        expect(await at("two", 2)).toMatchObject({ incarnation: "two", streamSeq: 2 });
      });

      test("another record at a taken place is equivocation: the first stays", async () => {
        const [one, two] = [chain(account("F")).next("want/a"), chain(account("F")).next("want/b")];
        await archive.commit(batch(epoch, [one]));
        const outcome = await archive.commit(batch(epoch, [two]));
        expect(outcome).toMatchObject({
          recordsNew: 0,
          equivocations: [{ code: "HSA2008", hash: two.hash }],
        });
        expect(await archive.isArchived(headOf(one))).toBe(true);
        expect(await archive.isArchived(headOf(two))).toBe(false);
        const unknown = { ...headOf(one), seq: 9 };
        expect(await archive.contradicted([headOf(one), headOf(two), unknown])).toEqual([headOf(two)]);
      });

      test("a quarantined record is given back as not to be trusted", async () => {
        const item = chain(account("G")).next();
        const { source, lane, epoch: at, seq, head: hash } = headOf(item);
        const bad = { source, lane, epoch: at, seq, hash, code: "HSA2004", message: "m" };
        const { position } = await archive.commit(batch(epoch, [item], { quarantine: [bad] }));
        expect(await storedIn(archive, position - 1, position)).toMatchObject([{ hash, trusted: false }]);
      });
    });

    describe("heads", () => {
      test("wait at a gap, go on when it is filled, over epochs too", async () => {
        const log = chain(account("H"));
        const [a, b] = [log.next(), log.next()];
        log.newEpoch(true);
        const [c, d] = [log.next(), log.next()];
        const first = await archive.commit(batch(epoch, [a, c, d]));
        expect(first.heads).toMatchObject([{ epoch: 1, seq: 1 }]);
        const gap = { source: account("H"), after: { epoch: 1, seq: 1 }, before: { epoch: 2, seq: 1 } };
        expect(first.gaps).toMatchObject([{ ...gap, closed: null }]);
        expect(await archive.gaps()).toContainEqual({ ...gap, lane: "sum", closed: null });
        const second = await archive.commit(batch(epoch, [b]));
        expect(second.heads).toMatchObject([{ epoch: 2, seq: 2, head: d.hash }]);
        expect((await archive.gaps()).filter(({ source }) => source === account("H"))).toEqual([]);
        expect(await archive.heads()).toContainEqual(headOf(d));
      });

      test("a source that starts a new chain leaves a declared hole", async () => {
        const log = chain(account("I"));
        const a = log.next();
        log.newEpoch(false);
        const b = log.next();
        await archive.commit(batch(epoch, [a]));
        const outcome = await archive.commit(batch(epoch, [b]));
        expect(outcome.heads).toMatchObject([{ epoch: 2, seq: 1 }]);
        expect(outcome.gaps).toMatchObject([{ closed: "lost" }]);
        expect(await archive.gaps()).toContainEqual(outcome.gaps[0]);
      });

      test("a gap that nobody fills is given up in its time, and the next has its own", async () => {
        const log = chain(account("J"));
        const a = log.next();
        log.next();
        const [c, d] = [log.next(), log.next()];
        log.next();
        const f = log.next();
        await archive.commit(batch(epoch, [a, c]));
        await archive.commit(batch(epoch, [d]));
        const { position } = await archive.commit(batch(epoch, [f]));
        expect(await archive.giveUpGaps(epoch, 60_000)).toEqual([]);
        const gap = { source: account("J"), lane: "sum", before: { epoch: 1, seq: 3 }, position };
        const head = async () => (await archive.heads()).find(({ source }) => source === account("J"));
        await world.pass(20);
        expect(await archive.giveUpGaps(epoch, 5)).toEqual([gap]);
        expect(await archive.lostGaps(position - 1, position)).toEqual([gap]);
        expect(await archive.lostGaps(position, position + 1)).toEqual([]);
        expect(await head()).toMatchObject({ seq: 4, head: d.hash });
        await world.pass(20);
        expect(await archive.giveUpGaps(epoch, 5)).toEqual([{ ...gap, before: { epoch: 1, seq: 6 } }]);
        expect(await head()).toMatchObject({ seq: 6, head: f.hash });
      });

      test("a record that its source brought and then gave up is no gap before the next epoch", async () => {
        const log = chain(account("V"));
        const a = log.next();
        const twin = chain(account("V"));
        twin.next();
        // The stream was wiped before it stored this one: the new epoch follows the one before.
        const givenUp = twin.next("want/us");
        log.newEpoch(true);
        const [b, c] = [log.next(), log.next()];
        await archive.commit(batch(epoch, [a]));
        await archive.commit(batch(epoch, [givenUp]));
        const outcome = await archive.commit(batch(epoch, [b, c]));
        expect(outcome.gaps).toEqual([]);
        expect(outcome.heads).toMatchObject([{ epoch: 2, seq: 2, head: c.hash }]);
        // What it follows must be there: another predecessor is a gap as ever.
        log.newEpoch(true);
        log.next();
        log.newEpoch(true);
        const lone = await archive.commit(batch(epoch, [log.next()]));
        expect(lone.gaps).toMatchObject([
          { after: { epoch: 2, seq: 2 }, before: { epoch: 4, seq: 1 }, closed: null },
        ]);
      });
    });

    describe("decisions", () => {
      test("hold as a whole, or not at all", async () => {
        const depth = await archive.outboxDepth();
        const refused = archive.command(epoch, async (tx) => {
          await tx.saveMember(member("m"));
          await tx.enqueue(event("want/m"));
          throw new Error("no");
        });
        await expect(refused).rejects.toThrow("no");
        expect(await archive.outboxDepth()).toBe(depth);
        expect(await archive.members()).toEqual([]);
        expect(await archive.busAccounts("all")).toEqual([]);
        const id = await archive.command(epoch, async (tx) => {
          await tx.saveMember(member("m"));
          expect(await tx.member("m")).toEqual(member("m"));
          expect(await tx.memberOfAccount(account("M"))).toEqual(member("m"));
          expect(await tx.memberOfAccount(account("N"))).toBeNull();
          return tx.enqueue(event("want/m"));
        });
        expect(await archive.members()).toEqual([member("m")]);
        expect(await archive.outbox(id - 1)).toEqual([{ id, event: event("want/m") }]);
        expect(await archive.outbox(id)).toEqual([]);
        await archive.clearOutbox(id);
        expect(await archive.outboxDepth()).toBe(0);
      });

      test("a JWT is pending until that very one was pushed", async () => {
        const save = (accountJwt: string) =>
          archive.command(epoch, (tx) => tx.saveMember(member("p", { accountJwt })));
        const pending = async () =>
          (await archive.busAccounts("pending")).filter((item) => item.account === account("P"));
        await save("one");
        const [first] = await pending();
        await save("two");
        await archive.markPushed(first!);
        expect(await pending()).toEqual([{ account: account("P"), jwt: "two" }]);
        await archive.markPushed({ account: account("P"), jwt: "two" });
        expect(await pending()).toEqual([]);
        expect(await archive.busAccounts("all")).toContainEqual({ account: account("P"), jwt: "two" });
      });

      test("a join token is used once; what admitted an entry admits nobody else", async () => {
        const granted = { namespaces: ["*"] } as never;
        const token = { id: "t", cluster: "t", granted, createdBy: "me", createdMs: 1000, expiresMs: 5000 };
        await archive.command(epoch, async (tx) => {
          await tx.addJoinToken(token, "secret");
          await tx.addJoinToken({ ...token, id: "later", createdMs: 3000 }, "later secret");
          expect(await tx.joinToken("secret")).toEqual({ ...token, usedMs: null, revokedMs: null });
          expect(await tx.joinToken("other")).toBeNull();
        });
        await archive.command(epoch, (tx) => tx.useJoinTokens("t", 2000));
        await archive.command(epoch, async (tx) => {
          expect((await tx.joinToken("secret"))?.usedMs).toBeLessThanOrEqual(tx.nowMs);
          expect((await tx.joinToken("later secret"))?.usedMs).toBeNull();
          await tx.useJoinToken("later");
          expect((await tx.joinToken("later secret"))?.usedMs).toBe(tx.nowMs);
          expect(await tx.revokeToken("later")).toBe("join");
          expect((await tx.joinToken("later secret"))?.revokedMs).toBe(tx.nowMs);
          expect(await tx.revokeToken("nobody's")).toBeNull();
        });
      });

      test("the own lane's state is kept as it was given", async () => {
        expect(await archive.ownLane("sum")).toBeNull();
        await archive.saveOwnLane(epoch, "sum", { epoch: 3, head: "h", nested: { b: [1, 2], a: null } });
        const state = { epoch: 4, head: "i", nested: { b: [1], a: null } };
        await archive.saveOwnLane(epoch, "sum", state);
        expect(await world.open().ownLane("sum")).toEqual(state);
      });

      test("the newest dump at or before a position", async () => {
        expect(await archive.nearestSnapshot(1_000_000)).toBeNull();
        for (const position of [20, 10])
          await archive.saveSnapshot({ position, committedMs: 1 }, { at: position });
        expect(await archive.nearestSnapshot(9)).toBeNull();
        expect(await archive.nearestSnapshot(19)).toEqual({ position: 10, dump: { at: 10 } });
        expect(await archive.nearestSnapshot(20)).toEqual({ position: 20, dump: { at: 20 } });
      });
    });

    test("only one leads; one that was replaced writes nothing", async () => {
      const fresh = await create();
      const [one, two] = [fresh.open(), fresh.open()];
      const first = (await one.lead())!;
      expect(await two.lead()).toBeNull();
      await first.resign();
      await first.lost;
      const second = (await two.lead())!;
      expect(second.epoch).toBe(first.epoch + 1);
      const log = chain(account("B"));
      const item = log.next();
      expect(await codeOf(one.commit(batch(first.epoch, [item])))).toBe("HSA2003");
      expect(await codeOf(one.command(first.epoch, (tx) => tx.enqueue(event("want/x"))))).toBe("HSA2003");
      expect(await codeOf(one.saveOwnLane(first.epoch, "sum", {}))).toBe("HSA2003");
      expect(await codeOf(one.giveUpGaps(first.epoch, 0))).toBe("HSA2003");
      expect(await one.outboxDepth()).toBe(0);
      expect(await one.ownLane("sum")).toBeNull();
      expect((await two.commit(batch(second.epoch, []))).position).toBe(0);
      await second.resign();
      await fresh.close();
    });
  });
}

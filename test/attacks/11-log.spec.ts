/**
 * A hostile member's records on a real NATS (T2, T5, T6, T8, T9): what they do to readers that believe a log
 * (support/believer.ts), and to the fold. Mutated records by the thousand: libs/model/src/fold/properties-hostile.spec.ts.
 */
import { type BundleValue, commandKey, membershipKey, signRecord, ZERO_HASH } from "@hansa/events";
import { rigCrypto } from "@hansa/events/rig";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import {
  commandOf,
  feed,
  fingerprint,
  hashOf,
  newFederation,
  RigSource,
  rawRecord,
  service,
} from "../../libs/model/src/fold/rig.ts";
import { Believer } from "./support/believer.ts";
import { type Cluster, League, PAY, world } from "./support/league.ts";

afterAll(() => world.close());

let league: League;
let us: Cluster;
let evil: Cluster;
beforeEach(async () => {
  league = await League.form();
  ({ us, evil } = league);
});

const believer = async () => new Believer().read(await league.read()).registers;

/** us, as a fold holds it: nothing that evil writes may change it. */
const ofUs = async () => {
  const fed = await league.fold();
  return {
    digest: fed.laneDigest(us.bus.account, "sum"),
    frozen: fed.member("us")?.frozen,
    state: fed.member("us")?.state,
  };
};
const codes = async () => (await league.fold()).findings().map(({ code }) => code);

const event = (type: string, key: string, data: unknown) => ({ type, v: 1, key, at: 1, data });
/** A body of evil's making, rightly signed with its own key at the next place of its log. */
let seq = 0;
let last = ZERO_HASH;
beforeEach(() => {
  [seq, last] = [0, ZERO_HASH];
});
const written = (...events: unknown[]) => {
  seq += 1;
  const record = rawRecord(evil.source, { seq, prev: last, body: events });
  last = hashOf(record);
  return record;
};

describe("what another owns", () => {
  it("is taken by whoever names it last, in one table; here each source has its own (T2)", async () => {
    const before = await ofUs();
    const stolen = {
      ...service(evil.source, "shop", "pay").writer("sum").wanted(PAY)?.data,
      serviceAccounts: ["thief"],
    };
    await league.publish(evil, [written(event("ServiceSet", PAY, stolen))]);
    expect((await believer()).get(PAY)).toMatchObject({ serviceAccounts: ["thief"] });
    expect(await ofUs()).toEqual(before);
    expect((await league.fold()).get("us", PAY)?.value).toMatchObject({ serviceAccounts: ["pay"] });
  });

  it("ends a membership for readers that ask no writer; here only the hub's log and operators do (T2)", async () => {
    const before = await ofUs();
    const forged = commandOf({ do: "evict", cluster: "us" as never, incarnation: 1 }, "x", [
      evil.source.signer,
      us.source.signer,
    ]);
    await league.publish(evil, [
      written(event("MembershipSet", membershipKey("us"), null)),
      written(event("CommandSet", commandKey("x"), forged)),
    ]);
    const told = await believer();
    expect([told.get(membershipKey("us")), told.get(commandKey("x"))]).toEqual([null, forged]);
    expect(await ofUs()).toEqual(before);
    expect(await codes()).toEqual(["HSA3007"]);
  });

  it("is spoken for under its name, where the header says who speaks; here the bus's account and a signature do (T5)", async () => {
    const before = await ofUs();
    const twin = new RigSource("us", evil.source.signer, us.source.account);
    const inOwnLog = rawRecord(twin, {
      seq: 2,
      prev: hashOf(us.source.log[0]!),
      body: [event("ServiceSet", PAY, null)],
    });
    await league.publish(evil, [inOwnLog]);
    expect((await believer()).get(PAY)).toBeNull();
    expect(await ofUs()).toEqual(before);
    expect(await codes()).toContain("HSA2001");
    // Whoever holds the bus itself can put it into us's log: then the key decides.
    await league.put(us.bus, inOwnLog.record);
    const withKey = { ...inOwnLog.record.header, key: us.source.log[0]!.record.header.key };
    await league.put(us.bus, { ...inOwnLog.record, header: withKey });
    expect((await league.fold()).get("us", PAY)).toBeDefined();
    expect(await codes()).toContain("HSA2004");
  });
});

describe("what was true once", () => {
  it("is true again for whoever takes it as it comes; here nobody says it but its source, in its place (T6)", async () => {
    const old = [...us.source.log];
    await league.publish(us, us.source.remove(PAY).write());
    const before = await ofUs();
    expect((await believer()).get(PAY)).toBeNull();
    await league.publish(evil, old);
    expect((await believer()).get(PAY)).not.toBeNull();
    await league.publish(us, old);
    expect(await ofUs()).toEqual(before);
    expect((await league.fold()).get("us", PAY)).toBeUndefined();
  });

  it("returns with an agent that was paused, by order of arrival; here by epoch (T9)", async () => {
    const paused = new RigSource("us", us.source.signer, us.source.account);
    service(paused, "shop", "pay").write();
    us.source.restart();
    service(us.source, "shop", "cart");
    await league.publish(us, us.source.remove(PAY).write());
    const before = await ofUs();
    await league.publish(us, service(paused, "shop", "pay", 2).write());
    expect((await believer()).get(PAY)).not.toBeNull();
    expect(await ofUs()).toEqual(before);
    expect((await league.fold()).get("us", PAY)).toBeUndefined();
  });

  it("is moved to another lane by a new header; here the signature covers the lane (T6)", async () => {
    const before = (await league.fold()).digest();
    const { record } = us.source.log[0]!;
    for (const source of [us.source, evil.source]) {
      const key = source === us.source ? record.header.key : written().record.header.key;
      const moved = {
        ...record,
        header: { ...record.header, source: source.account, lane: "ep" as const, key },
      };
      await league.put(source === us.source ? us.bus : evil.bus, moved);
    }
    expect(
      new Believer().read((await league.read()).filter(({ lane }) => lane === "ep")).registers.has(PAY),
    ).toBe(true);
    expect((await league.fold()).digest()).toBe(before);
    expect(await codes()).toEqual(["HSA2004", "HSA2004"]);
  });

  it("holds in every federation that has the same keys, where no signature names one; here it does (T6)", async () => {
    const inTest = (name: string) => {
      const { header, body } = rawRecord(us.source, {
        seq: 2,
        prev: hashOf(us.source.log[0]!),
        body: [event("ServiceSet", PAY, null)],
      }).record;
      return signRecord(header, body, us.source.signer, name, rigCrypto);
    };
    const before = await ofUs();
    await league.put(us.bus, inTest("f".repeat(64)));
    expect((await believer()).get(PAY)).toBeNull();
    expect(await ofUs()).toMatchObject({ digest: before.digest });
    expect(await codes()).toContain("HSA2004");
    // The control: the same record, signed for this federation.
    const fed = newFederation();
    feed(fed, league.hub.log);
    const right = { ...us.source.log[0]!, record: inTest(fingerprint) };
    for (const each of [us.source.log[0]!, right]) expect(fed.apply(each).kind).toBe("applied");
    expect(fed.get("us", PAY)).toBeUndefined();
  });
});

describe("what nobody can read", () => {
  it("ends a reader, and everything behind it waits; here it waits alone (T8)", async () => {
    const poison = [
      new TextEncoder().encode("[{"),
      Uint8Array.of(0xff, 0xfe),
      new TextEncoder().encode(`${"[".repeat(20_000)}${"]".repeat(20_000)}`),
    ];
    for (const body of poison) {
      seq += 1;
      const record = rawRecord(evil.source, { seq, prev: last, body });
      last = hashOf(record);
      await league.publish(evil, [record]);
    }
    await league.publish(us, service(us.source, "shop", "late").write());
    await expect(believer()).rejects.toThrow();
    const fed = await league.fold();
    expect(fed.get("us", "service/shop/late")).toBeDefined();
    expect([fed.member("us")?.degraded, fed.member("evil")?.degraded]).toEqual([false, true]);
    expect(fed.findings().filter(({ code }) => code === "HSA2001")).toHaveLength(poison.length);
  });
});

describe("two histories", () => {
  const bundle = (sequence: number): BundleValue =>
    ({ trustDomain: "evil.lab.hansa", roots: ["AAAA"], sequence }) as never;

  it("pass for one, where only the last word counts; here both signatures freeze the one who gave them", async () => {
    const one = rawRecord(evil.source, {
      seq: 1,
      prev: ZERO_HASH,
      body: [event("BundleSet", "bundle", bundle(1))],
    });
    const other = rawRecord(evil.source, {
      seq: 1,
      prev: ZERO_HASH,
      body: [event("BundleSet", "bundle", bundle(2))],
    });
    await league.publish(evil, [one, other]);
    expect((await believer()).get("bundle")).toMatchObject({ sequence: 2 });
    const fed = await league.fold();
    expect(fed.member("evil")?.frozen).toBe(true);
    expect(fed.get("evil", "bundle")?.value).toMatchObject({ sequence: 1 });
    expect(fed.findings().map(({ code }) => code)).toContain("HSA2008");
  });

  it("are claimed of the hub and of us by evil alone: believed, that stops every join; here it stops nothing", async () => {
    const fed = await league.fold();
    const credulous = new Believer();
    credulous.hear(await league.beat(us, { known: fed.heads() }));
    const known = fed.heads().map((head) => ({ ...head, head: ZERO_HASH }));
    const lie = await league.beat(evil, { known });
    credulous.hear(lie);
    expect(credulous.frozen).toEqual(new Set([league.hub.account, us.bus.account]));
    expect(fed.observeBeat(lie).disputes.map(({ code, cluster }) => `${code} ${cluster}`)).toEqual([
      "HSA2014 hub",
      "HSA2014 us",
    ]);
    expect(["hub", "us", "evil"].map((name) => fed.sourceByCluster(name)?.frozen)).toEqual([
      false,
      false,
      false,
    ]);
    // Nor with evidence of its own making.
    const evidence = fed.evidence(0).map((shown) => ({ ...shown, body: ZERO_HASH }));
    expect(evidence.length).toBeGreaterThan(0);
    expect(fed.observeBeat(await league.beat(evil, { counter: 2, evidence })).equivocations).toEqual([]);
  });
});

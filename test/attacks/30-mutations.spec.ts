/**
 * Records, heartbeats and certificates with anything about them changed (T5): none is believed. The same things with
 * nothing changed are, and without the signature check changed ones are as well.
 */
import { systemClock, type TrustDomain, workloadId } from "@hansa/core";
import {
  type BusRecord,
  bundleKey,
  decodeHeartbeat,
  serviceKey,
  signHeartbeat,
  verifyHeartbeat,
} from "@hansa/events";
import { rigCrypto } from "@hansa/events/rig";
import { createAuthority, newSvid, nodeRandom, toBundle, verifyChain } from "@hansa/identity";
import { Federation, type FoldInput } from "@hansa/model";
import { afterAll, describe, expect, it } from "vitest";
import {
  admit,
  command,
  endpoint,
  fingerprint,
  genesis,
  hubSigner,
  rigCluster,
  rigHub,
  service,
} from "../../libs/model/src/fold/rig.ts";
import { FIRST_SEED, share, tell } from "../support/tier.ts";
import { Dice, damaged, forged } from "./support/mutate.ts";

const MUTATIONS = share(100_000);
const authority = createAuthority({
  trustDomain: "us.lab.hansa" as TrustDomain,
  clock: systemClock,
  random: nodeRandom,
});
let [tried, believed] = [0, 0];
afterAll(() =>
  tell({
    promise: "a record, heartbeat or certificate that was changed is never believed",
    seen: `${tried} changed, ${believed} believed`,
    kept: believed === 0,
  }),
);

/** Two members, all kinds of trust records, services, endpoints, a bundle, tombstones. */
function corpus(): BusRecord[] {
  const [hub, eu, us] = [rigHub(), rigCluster("eu", 2), rigCluster("us", 3)];
  const wrote: BusRecord[] = [];
  const write = (): void => {
    for (const source of [hub, eu, us]) wrote.push(...source.write());
  };
  admit(admit(hub, eu), us);
  write();
  service(service(eu, "shop", "pay"), "shop", "cart");
  endpoint(endpoint(eu, "pay", "pay-1"), "pay", "pay-2");
  us.set("BundleSet", bundleKey(), toBundle(authority, 1));
  service(us, "shop", "pay");
  write();
  eu.remove(serviceKey("shop", "cart"));
  endpoint(us, "pay", "pay-1", "10.9.9.9");
  command(us, { do: "drain", cluster: "eu", incarnation: 1 }, "c1");
  admit(hub, eu, { grant: { zones: ["a"] } });
  write();
  return wrote;
}

const records = corpus();

/** The fold before each record, and what is wrong when a forgery of it is believed. */
const stages = records.map((original, index) => {
  const fed = new Federation({ genesis, crypto: rigCrypto });
  for (const record of records.slice(0, index)) fed.apply(record);
  return { original, dump: fed.dump(), digest: fed.digest(), trust: trustOf(fed) };
});

function trustOf(fed: Federation): string {
  return JSON.stringify([fed.members(), fed.commands(), fed.operators(), fed.hubKey()]);
}

/** Whether it changed what anybody could see. */
function isBelieved(stage: (typeof stages)[number], input: FoldInput, verify = rigCrypto.verify): boolean {
  const fed = Federation.restore(stage.dump, { genesis, crypto: { ...rigCrypto, verify } });
  if (fed === undefined) throw new Error("the dump is whole");
  fed.apply(input);
  return fed.digest() !== stage.digest || withoutQuarantine(trustOf(fed)) !== withoutQuarantine(stage.trust);
}

/** That a source has sent something broken is known, and changes nothing else. */
const withoutQuarantine = (trust: string): string => trust.replaceAll(/"degraded":"?[^,]*/g, "");

const isSame = (a: BusRecord, b: BusRecord): boolean =>
  a.account === b.account &&
  a.lane === b.lane &&
  JSON.stringify(a.record.header) === JSON.stringify(b.record.header) &&
  Buffer.compare(a.record.body, b.record.body) === 0;

describe("records", () => {
  it("are believed as their source has signed them", () => {
    for (const stage of stages)
      expect(isBelieved(stage, stage.original), JSON.stringify(stage.original.record.header)).toBe(true);
  });

  it("are believed with forged content where nobody checks signatures", () => {
    const dice = new Dice(`unchecked ${FIRST_SEED}`);
    let fooled = 0;
    for (let round = 0; round < 500; round += 1) {
      const stage = dice.of(stages);
      if (isBelieved(stage, forged(stage.original, records, dice), () => true)) fooled += 1;
    }
    expect(fooled).toBeGreaterThan(50);
  });

  it(`are never believed with anything changed: ${MUTATIONS} times`, () => {
    const dice = new Dice(`records ${FIRST_SEED}`);
    for (let round = 0; round < MUTATIONS; round += 1) {
      const stage = dice.of(stages);
      const forgery = forged(stage.original, records, dice);
      if (records.some((record) => isSame(record, forgery))) continue;
      tried += 1;
      if (!isBelieved(stage, forgery)) continue;
      believed += 1;
      expect.fail(`seed ${FIRST_SEED}, round ${round}: ${JSON.stringify(forgery.record.header)}`);
    }
  });
});

describe("heartbeats", () => {
  const [eu] = records.filter(({ account }) => account === rigCluster("eu", 2).account);
  const source = eu?.account as BusRecord["account"];
  const beat = { source, bootMs: 1, counter: 7, own: [], known: [], acked: [], committed: [] };
  const bytes = signHeartbeat(beat, hubSigner, fingerprint, rigCrypto);
  const heard = (text: Uint8Array): string | undefined => {
    const signed = decodeHeartbeat(text);
    return signed !== undefined && verifyHeartbeat(signed, hubSigner.publicKey, fingerprint, rigCrypto)
      ? signed.payload
      : undefined;
  };
  const original = heard(bytes);

  it("are never believed with another word", () => {
    expect(original).toBeDefined();
    const dice = new Dice(`beats ${FIRST_SEED}`);
    for (let round = 0; round < MUTATIONS / 10; round += 1) {
      const payload = heard(damaged(bytes, dice));
      tried += 1;
      // Space around the signed text may change; the text may not.
      if (payload === undefined || payload === original) continue;
      believed += 1;
      expect.fail(`seed ${FIRST_SEED}, round ${round}: ${payload}`);
    }
  });
});

describe("certificates", () => {
  it("are never trusted with anything changed", () => {
    const leaf = newSvid(authority, workloadId(authority.trustDomain, "shop", "pay")).certDer;
    const nowMs = systemClock.nowMs();
    expect(verifyChain(leaf, [authority.rootDer], nowMs).kind).toBe("trusted");
    const dice = new Dice(`certificates ${FIRST_SEED}`);
    for (let round = 0; round < MUTATIONS / 10; round += 1) {
      const changed = damaged(leaf, dice);
      if (Buffer.compare(changed, leaf) === 0) continue;
      tried += 1;
      if (verifyChain(changed, [authority.rootDer], nowMs).kind !== "trusted") continue;
      believed += 1;
      expect.fail(`seed ${FIRST_SEED}, round ${round}: ${Buffer.from(changed).toString("base64")}`);
    }
  });
});

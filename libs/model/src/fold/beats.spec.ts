/** Heartbeats against the fold. */
import type { ClusterName } from "@hansa/core";
import { evidenceOf, type Head, type Heartbeat, recordHashes, ZERO_HASH } from "@hansa/events";
import { rigCrypto, rigSigner } from "@hansa/events/rig";
import { beforeEach, describe, expect, it } from "vitest";
import { Federation } from "./federation.ts";
import {
  admit,
  command,
  feed,
  keyId,
  keyText,
  newFederation,
  type RigSource,
  rigCluster,
  rigHub,
  service,
} from "./rig.ts";

let fed: Federation;
let hub: RigSource;
let eu: RigSource;
let us: RigSource;
let ap: RigSource;

beforeEach(() => {
  hub = rigHub();
  [eu, us, ap] = [rigCluster("eu", 2), rigCluster("us", 3), rigCluster("ap", 4)];
  fed = newFederation();
  for (const cluster of [eu, us, ap]) admit(hub, cluster);
  feed(fed, hub.write());
  feed(fed, service(eu, "shop", "pay").write());
});

const beat = (of: RigSource, more: Partial<Heartbeat>): Heartbeat => ({
  source: of.account,
  bootMs: 1,
  counter: 1,
  own: [],
  known: [],
  acked: [],
  committed: [],
  ...more,
});

const headOf = (of: RigSource): Head & { digest: string } => of.writer("sum").head()!;

describe("a heartbeat", () => {
  it("shows a lost last record", () => {
    expect(fed.observeBeat(beat(eu, { own: [headOf(eu)] })).behind).toEqual([]);
    service(eu, "shop", "cart").write();
    expect(fed.observeBeat(beat(eu, { own: [headOf(eu)] }))).toEqual({
      behind: [{ source: eu.account, lane: "sum", after: { epoch: 1, seq: 1 } }],
      mismatched: [],
      equivocations: [],
      disputes: [],
    });
    expect(fed.observeBeat(beat(us, { known: [headOf(eu)] })).behind).toHaveLength(1);
  });

  it("shows another copy at the same head", () => {
    const own = [{ ...headOf(eu), digest: ZERO_HASH }];
    expect(fed.observeBeat(beat(eu, { own })).mismatched).toEqual([{ source: eu.account, lane: "sum" }]);
  });

  it("freezes a source that contradicts itself", () => {
    const own = [{ ...headOf(eu), head: ZERO_HASH }];
    expect(fed.observeBeat(beat(eu, { own })).equivocations).toMatchObject([
      { code: "HSA2008", cluster: "eu" },
    ]);
    expect(fed.member("eu")?.frozen).toBe(true);
  });

  it("of an evicted member says nothing", () => {
    feed(fed, command(us, { do: "evict", cluster: "ap" as ClusterName, incarnation: 1 }, "e").write());
    const known = [{ ...headOf(hub), head: ZERO_HASH }];
    expect(fed.observeBeat(beat(ap, { known })).disputes).toEqual([]);
    expect(fed.findings()).toEqual([]);
  });

  it("of an unknown source says nothing", () => {
    const own = [{ ...headOf(eu), head: ZERO_HASH }];
    expect(fed.observeBeat(beat(rigCluster("zz", 9), { own })).equivocations).toEqual([]);
  });
});

describe("a claim about another's log", () => {
  // Reproduction: one hostile member's beat stopped every change of membership, everywhere.
  it("freezes nobody, however many say it: neither the hub nor a member", () => {
    const known = [hub, eu].map((of) => ({ ...headOf(of), head: ZERO_HASH }));
    for (const liar of [us, ap]) expect(fed.observeBeat(beat(liar, { known })).equivocations).toEqual([]);
    expect([hub, eu].map(({ name }) => fed.sourceByCluster(name)?.frozen)).toEqual([false, false]);
    feed(fed, admit(hub, rigCluster("zz", 9)).write());
    expect(fed.member("zz")?.state).toBe("active");
  });

  it("is told, once per position, until the speaker agrees or is gone", () => {
    const known = [{ ...headOf(hub), head: ZERO_HASH }];
    const codes = () => fed.findings().map(({ code, cluster, message }) => `${code} ${cluster} ${message}`);
    for (const count of [1, 0]) expect(fed.observeBeat(beat(us, { known })).disputes).toHaveLength(count);
    expect(codes()).toEqual(["HSA2014 hub us claims another record at this position"]);
    fed.observeBeat(beat(us, { known: [headOf(hub)] }));
    expect(codes()).toEqual([]);
    fed.observeBeat(beat(us, { known }));
    feed(fed, command(ap, { do: "evict", cluster: "us" as ClusterName, incarnation: 1 }, "e").write());
    expect(codes()).not.toContainEqual(expect.stringContaining("HSA2014"));
  });
});

describe("two histories", () => {
  /** Another fold, to which the hub shows that `zz` was admitted where `fed` is shown nothing of the kind. */
  const shownToOthers = (): { other: Federation; twin: RigSource } => {
    const twin = rigHub();
    for (const cluster of [eu, us, ap]) admit(twin, cluster);
    admit(twin, rigCluster("zz", 9));
    const other = newFederation();
    feed(other, twin.write());
    return { other, twin };
  };
  const says = (of: Federation, who: RigSource, turn = 0) =>
    beat(who, { known: of.heads(), evidence: of.evidence(turn) });

  it("are proved to both sides once each has heard the other", () => {
    const { other } = shownToOthers();
    const found = [{ code: "HSA2008", cluster: "hub" }];
    // Of the hub every beat shows the end, so that the first one tells.
    expect(other.observeBeat(says(fed, eu)).equivocations).toMatchObject(found);
    expect(fed.observeBeat(says(other, us)).equivocations).toMatchObject(found);
    for (const each of [fed, other]) expect(each.sourceByCluster("hub")?.frozen).toBe(true);
    feed(fed, admit(hub, rigCluster("yy", 8)).write());
    expect(fed.member("yy")).toBeUndefined();
    expect(fed.findings().map(({ code }) => code)).toEqual(expect.arrayContaining(["HSA2008", "HSA3009"]));
  });

  it("are proved to those who hold neither, and again after a restart", () => {
    const { other } = shownToOthers();
    other.observeBeat(says(fed, eu));
    fed.observeBeat(says(other, us));
    const again = Federation.restore(JSON.parse(JSON.stringify(fed.dump())), fed.options)!;
    const late = newFederation();
    hub.restart();
    for (const cluster of [eu, us, ap]) admit(hub, cluster);
    for (const record of hub.write()) late.apply(record, { acceptGap: true });
    expect(late.heads()).toMatchObject([{ source: hub.account, epoch: 2 }]);
    expect(late.observeBeat(says(again, eu)).equivocations).toMatchObject([{ code: "HSA2008" }]);
  });

  it("are not proved by evidence that the source has not signed, nor by one of a replaced key", () => {
    const { twin } = shownToOthers();
    const signed = evidenceOf(twin.log[0]!.record.header, recordHashes(twin.log[0]!.record, rigCrypto));
    const forged = { ...signed, body: ZERO_HASH };
    const other = { ...signed, sig: eu.log[0]!.record.header.sig };
    for (const evidence of [[forged], [other], [{ ...signed, key: keyId(us.signer) }]])
      expect(fed.observeBeat(beat(us, { evidence })).equivocations).toEqual([]);
    const fresh = rigSigner(80);
    feed(fed, command(us, { do: "hubkey", key: keyText(fresh) }, "h").write());
    expect(fed.observeBeat(beat(us, { evidence: [signed] })).equivocations).toEqual([]);
    expect(fed.sourceByCluster("hub")?.frozen).toBe(false);
  });

  it("come to light beside a flood of lies: what is shown takes turns", () => {
    for (let n = 0; n < 20; n += 1) {
      const one = rigCluster(`c${n}`, 50 + n);
      feed(fed, admit(hub, one).write());
      feed(fed, service(one, "shop", "pay").write());
      fed.observeBeat(beat(us, { known: [{ ...headOf(one), head: ZERO_HASH }] }));
    }
    fed.observeBeat(beat(ap, { known: [{ ...headOf(eu), head: ZERO_HASH }] }));
    const shown = Array.from({ length: 8 }, (_, turn) => fed.evidence(turn));
    for (const evidence of shown) expect(evidence).toHaveLength(4);
    expect(shown.flat().map(({ source }) => source)).toContain(eu.account);
  });
});

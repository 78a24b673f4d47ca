/** Where a record stands in its log: gaps, late records, poison and forks, seen from outside. */
import { utf8 } from "@hansa/core";
import { type BusRecord, ZERO_HASH } from "@hansa/events";
import { rigSigner } from "@hansa/events/rig";
import { beforeEach, describe, expect, it } from "vitest";
import type { Federation } from "./federation.ts";
import {
  admit,
  feed,
  hashOf,
  newFederation,
  type RawRecord,
  type RigSource,
  rawRecord,
  rigCluster,
  rigHub,
  wantBody,
} from "./rig.ts";

let fed: Federation;
let eu: RigSource;
let hub: RigSource;

beforeEach(() => {
  hub = rigHub();
  eu = rigCluster("eu", 2);
  fed = newFederation();
  feed(fed, admit(hub, eu).write());
});

const raw = (
  seq: number,
  prev: BusRecord | string,
  body: unknown,
  more: Partial<RawRecord> = {},
): BusRecord => rawRecord(eu, { seq, prev: typeof prev === "string" ? prev : hashOf(prev), body, ...more });

/** A chain of records that set want/us to "1", "2", … */
function chain(length: number): BusRecord[] {
  const records: BusRecord[] = [];
  for (let seq = 1; seq <= length; seq++)
    records.push(raw(seq, records.at(-1) ?? ZERO_HASH, wantBody("us", String(seq))));
  return records;
}

const nonce = (): unknown => {
  const view = fed.get("eu", "want/us");
  return view?.type === "WantSet" ? view.value.nonce : undefined;
};

const degraded = (): boolean => fed.member("eu")?.degraded ?? false;

describe("gaps", () => {
  it("asks for what is missing and applies nothing", () => {
    const [one, two, three] = chain(3);
    expect(fed.apply(one!).kind).toBe("applied");
    const gap = { kind: "gap", source: eu.account, lane: "sum", after: { epoch: 1, seq: 1 } };
    expect(fed.apply(three!)).toEqual(gap);
    expect(nonce()).toBe("1");
    feed(fed, [two!, three!]);
    expect(nonce()).toBe("3");
    expect(degraded()).toBe(false);
  });

  it("asks from the start where nothing is held", () => {
    expect(fed.apply(chain(2)[1]!)).toMatchObject({ kind: "gap", after: { epoch: 0, seq: 0 } });
  });

  it("goes on behind a gap that was given up, degraded", () => {
    const [one, , three, four] = chain(4);
    feed(fed, [one!]);
    expect(fed.apply(three!, { acceptGap: true }).kind).toBe("applied");
    feed(fed, [four!]);
    expect(degraded()).toBe(true);
    expect(fed.findings()).toMatchObject([{ code: "HSA2005", cluster: "eu" }]);
  });

  it("lets a late record set only what nothing later has set", () => {
    const one = raw(1, ZERO_HASH, wantBody("us", "1"));
    const two = raw(2, one, [...(wantBody("us", "old") as []), ...(wantBody("ap", "late") as [])]);
    const three = raw(3, two, wantBody("us", "3"));
    feed(fed, [one]);
    fed.apply(three, { acceptGap: true });
    expect(fed.apply(two)).toMatchObject({ kind: "applied", changed: [{ key: "want/ap" }] });
    expect(nonce()).toBe("3");
    expect(fed.apply(two)).toEqual({ kind: "duplicate" });
  });

  it("does not let a late record raise a tombstone", () => {
    const one = raw(1, ZERO_HASH, wantBody("us", "1"));
    const two = raw(2, one, wantBody("us", "2"));
    const three = raw(3, two, wantBody("us", null));
    feed(fed, [one]);
    fed.apply(three, { acceptGap: true });
    expect(nonce()).toBeUndefined();
    fed.apply(two);
    expect(nonce()).toBeUndefined();
  });

  it("takes a new epoch at once, and nothing of the old one wins afterwards", () => {
    const [one, two, three] = chain(3);
    feed(fed, [one!]);
    const next = raw(1, ZERO_HASH, wantBody("us", "new"), { epoch: 2 });
    feed(fed, [next]);
    for (const old of [two!, three!]) fed.apply(old, { acceptGap: true });
    expect(nonce()).toBe("new");
    expect(fed.heads().find((head) => head.source === eu.account)).toMatchObject({ epoch: 2, seq: 1 });
  });
});

describe("poison", () => {
  it("quarantines a signature that does not verify, and the chain goes on over its bytes", () => {
    const [one] = chain(1);
    const forged = raw(2, one!, wantBody("us", "evil"), { forged: true });
    const three = raw(3, forged, wantBody("us", "3"));
    feed(fed, [one!]);
    expect(fed.apply(forged)).toMatchObject({ kind: "quarantined", code: "HSA2004" });
    expect(nonce()).toBe("1");
    expect(fed.apply(three).kind).toBe("applied");
    expect(nonce()).toBe("3");
    expect(degraded()).toBe(true);
  });

  it("still takes the true record of a position that a forger claimed", () => {
    const [one, two, three] = chain(3);
    const forged = raw(2, one!, wantBody("us", "evil"), { forged: true });
    feed(fed, [one!]);
    fed.apply(forged);
    feed(fed, [two!, three!]);
    expect(nonce()).toBe("3");
    expect(fed.source(eu.account)?.frozen).toBe(false);
  });

  it("does not let a forged record move the head", () => {
    const [one, two] = chain(2);
    feed(fed, [one!]);
    const far = raw(1, ZERO_HASH, wantBody("us", "evil"), { epoch: 2 ** 40, forged: true });
    expect(fed.apply(far, { acceptGap: true }).kind).toBe("quarantined");
    feed(fed, [two!]);
    expect(nonce()).toBe("2");
  });

  it.each([
    ["no JSON", utf8("{"), "HSA2001"],
    ["no UTF-8", Uint8Array.from([0xff]), "HSA2001"],
    ["no list", {}, "HSA2001"],
    ["no event", [], "HSA2001"],
    ["an event of another lane", [endpointEvent()], "HSA2001"],
    [
      "a key of another type",
      [{ type: "WantSet", v: 1, key: "bundle", at: 1, data: { nonce: "" } }],
      "HSA2001",
    ],
    ["a bad value", [{ type: "WantSet", v: 1, key: "want/us", at: 1, data: { nonce: 7 } }], "HSA2001"],
    ["too many events", Array.from({ length: 101 }, () => (wantBody("us", "x") as unknown[])[0]), "HSA2002"],
  ])("quarantines %s under a good signature and goes on", (_name, body, code) => {
    const [one] = chain(1);
    const two = raw(2, one!, body);
    const three = raw(3, two, wantBody("us", "3"));
    feed(fed, [one!]);
    expect(fed.apply(two)).toMatchObject({ kind: "quarantined", code });
    feed(fed, [three]);
    expect(nonce()).toBe("3");
    expect(degraded()).toBe(true);
    expect(fed.findings().map((finding) => finding.code)).toContain(code);
  });

  it("refuses a header that names another source than the bus authenticated", () => {
    const us = rigCluster("us", 3);
    const [one] = chain(1);
    expect(fed.apply({ ...one!, account: us.account })).toMatchObject({
      kind: "quarantined",
      code: "HSA2001",
    });
  });

  it("bounds the registers of a lane", () => {
    const small = newFederation({ registersPerLaneMax: 1 });
    feed(small, hub.log);
    const one = raw(1, ZERO_HASH, wantBody("us", "1"));
    const two = raw(2, one, wantBody("ap", "1"));
    feed(small, [one]);
    expect(small.apply(two)).toMatchObject({ kind: "quarantined", code: "HSA2002" });
  });
});

describe("parking", () => {
  it("is bounded, and what was not held shows as a gap", () => {
    const small = newFederation({ parkedPerSourceMax: 2 });
    const records = chain(3);
    expect(records.map((record) => small.apply(record))).toEqual([
      { kind: "parked", held: true },
      { kind: "parked", held: true },
      { kind: "parked", held: false },
    ]);
    expect(small.findings()).toMatchObject([{ code: "HSA2006", cluster: eu.account }]);
    expect(small.apply(hub.log[0]!)).toMatchObject({ kind: "applied", gaps: [] });
    expect(small.heads().find((head) => head.source === eu.account)).toMatchObject({ epoch: 1, seq: 2 });
    feed(small, [records[2]!]);
  });

  it("parks a key that is not known yet", () => {
    const record = raw(1, ZERO_HASH, wantBody("us", "1"), { signer: rigSigner(99) });
    expect(fed.apply(record)).toEqual({ kind: "parked", held: true });
  });
});

describe("forks", () => {
  it("takes two signed records for one position as equivocation", () => {
    const [one, two] = chain(2);
    feed(fed, [one!, two!]);
    const other = raw(2, one!, wantBody("us", "other"));
    expect(fed.apply(other)).toMatchObject({ kind: "quarantined", code: "HSA2008" });
    expect(nonce()).toBe("2");
    expect(fed.member("eu")?.frozen).toBe(true);
    expect(fed.findings().map((finding) => finding.code)).toContain("HSA2008");
  });

  it("takes a successor of another predecessor as equivocation", () => {
    const [one, two] = chain(2);
    feed(fed, [one!, two!]);
    const other = raw(3, raw(2, one!, wantBody("us", "other")), wantBody("us", "3"));
    expect(fed.apply(other)).toMatchObject({ kind: "quarantined", code: "HSA2008" });
  });

  it("believes no fork whose signature fails", () => {
    const [one, two] = chain(2);
    feed(fed, [one!, two!]);
    const other = raw(2, one!, wantBody("us", "other"), { forged: true });
    expect(fed.apply(other)).toMatchObject({ kind: "quarantined", code: "HSA2004" });
    expect(fed.member("eu")?.frozen).toBe(false);
  });

  it("keeps the bundle as it was while frozen", () => {
    const one = raw(1, ZERO_HASH, bundle(1));
    const two = raw(2, one, bundle(2));
    feed(fed, [one]);
    fed.apply(raw(1, ZERO_HASH, bundle(7)));
    feed(fed, [two]);
    expect(fed.get("eu", "bundle")?.value).toMatchObject({ sequence: 2 });
    expect(fed.effective("eu", "bundle")?.value).toMatchObject({ sequence: 1 });
    expect(fed.findings().map((finding) => finding.code)).toContain("HSA3009");
  });
});

const bundle = (sequence: number): unknown => [
  {
    type: "BundleSet",
    v: 1,
    key: "bundle",
    at: 1,
    data: { trustDomain: "eu.lab.hansa", sequence, roots: [] },
  },
];

function endpointEvent(): unknown {
  return { type: "EndpointSet", v: 1, key: "endpoint/shop/pay/x", at: 1, data: null };
}

/** Snapshots: what is swept, and what forbids sweeping (design §3 "Snapshot"). */
import { endpointKey, laneDigest, serviceKey, valueHash, ZERO_HASH } from "@hansa/events";
import { rigCrypto } from "@hansa/events/rig";
import { beforeEach, describe, expect, it } from "vitest";
import type { Federation } from "./federation.ts";
import {
  admit,
  endpoint,
  feed,
  hashOf,
  newFederation,
  type RigSource,
  rawRecord,
  rigCluster,
  rigHub,
  service,
  wantBody,
} from "./rig.ts";

let fed: Federation;
let eu: RigSource;

beforeEach(() => {
  const hub = rigHub();
  eu = rigCluster("eu", 2);
  fed = newFederation();
  feed(fed, admit(hub, eu).write());
});

const keys = (): string[] => [...fed.registers("eu")].map((view) => view.key).sort();

describe("a snapshot", () => {
  it("sweeps what a restarted writer no longer knows, and says so", () => {
    feed(fed, service(service(eu, "shop", "pay"), "shop", "gone").write());
    eu.restart();
    const records = service(eu, "shop", "pay").write();
    const outcome = fed.apply(records[0]!);
    expect(outcome).toMatchObject({ kind: "applied", changed: [{ key: serviceKey("shop", "gone") }] });
    expect(keys()).toEqual([serviceKey("shop", "pay")]);
    expect(fed.digest()).not.toBe(newFederation().digest());
  });

  it("makes older records stale", () => {
    const old = service(eu, "shop", "gone").write();
    eu.restart();
    feed(fed, service(eu, "shop", "pay").write());
    for (const record of old) expect(fed.apply(record, { acceptGap: true })).toEqual({ kind: "stale" });
    expect(keys()).toEqual([serviceKey("shop", "pay")]);
  });

  it("spans many records and loses nothing that changed meanwhile", () => {
    for (let id = 0; id < 450; id++) endpoint(eu, "pay", `p${id}`);
    feed(fed, eu.write());
    eu.writer("ep").requestSnapshot();
    const first = eu.writer("ep").next()!;
    eu.writer("ep").stored(1000);
    endpoint(eu, "pay", "p400", "10.9.9.9");
    eu.remove(endpointKey("shop", "pay", "p449"));
    fed.apply({ record: first.record, account: eu.account, lane: "ep" });
    feed(fed, eu.write());
    expect(keys()).toHaveLength(449);
    expect(fed.get("eu", endpointKey("shop", "pay", "p400"))?.value).toMatchObject({ address: "10.9.9.9" });
    expect(fed.laneDigest(eu.account, "ep")).toBe(eu.writer("ep").head()?.digest);
    expect(fed.member("eu")?.degraded).toBe(false);
  });

  it("heals a gap", () => {
    const records = ["a", "b", "c"].flatMap((name) => service(eu, "shop", name).write());
    feed(fed, [records[0]!]);
    fed.apply(records[2]!, { acceptGap: true });
    expect(fed.member("eu")?.degraded).toBe(true);
    eu.writer("sum").requestSnapshot();
    feed(fed, eu.write());
    expect(keys()).toEqual(["a", "b", "c"].map((name) => serviceKey("shop", name)));
    expect(fed.member("eu")?.degraded).toBe(false);
  });

  it("makes what was lost before it stale, so that no forgotten tombstone is missed", () => {
    const [first] = service(eu, "shop", "pay").write();
    const [lost] = service(eu, "shop", "gone").write();
    const [tombstone] = eu.remove(serviceKey("shop", "gone")).write();
    feed(fed, [first!]);
    fed.apply(tombstone!, { acceptGap: true });
    eu.writer("sum").requestSnapshot();
    feed(fed, eu.write());
    expect(fed.apply(lost!).kind).toBe("stale");
    expect(keys()).toEqual([serviceKey("shop", "pay")]);
  });

  it("sweeps nothing when a record in its middle is missing", () => {
    for (let id = 0; id < 250; id++) endpoint(eu, "pay", `p${id}`);
    feed(fed, eu.write());
    eu.writer("ep").requestSnapshot();
    const records = eu.write();
    expect(records.length).toBeGreaterThan(2);
    fed.apply(records[0]!);
    for (const record of records.slice(2)) fed.apply(record, { acceptGap: true });
    expect(keys()).toHaveLength(250);
    expect(fed.member("eu")?.degraded).toBe(true);
  });
});

describe("a snapshot's digest", () => {
  const begin = { type: "SnapshotBegin", v: 1, key: "", at: 1, data: { id: "s" } };
  const end = (digest: string, count: number, id = "s") => ({
    type: "SnapshotComplete",
    v: 1,
    key: "",
    at: 1,
    data: { id, digest, count },
  });
  const repeated = wantBody("us", "1") as object[];
  const right = laneDigest([["want/us", valueHash('{"nonce":"1"}', rigCrypto)]], rigCrypto);

  const play = (...closing: object[]): void => {
    const one = rawRecord(eu, {
      seq: 1,
      prev: ZERO_HASH,
      body: [...repeated, ...(wantBody("ap", "1") as object[])],
    });
    const two = rawRecord(eu, { seq: 2, prev: hashOf(one), body: [begin, ...repeated, ...closing] });
    feed(fed, [one, two]);
  };

  it("lets it sweep where it is right", () => {
    play(end(right, 1));
    expect(keys()).toEqual(["want/us"]);
    expect(fed.member("eu")?.degraded).toBe(false);
  });

  it.each([
    ["another digest", end("0".repeat(64), 1)],
    ["another count", end(right, 2)],
  ])("sweeps nothing at %s and reports it", (_name, closing) => {
    play(closing);
    expect(keys()).toEqual(["want/ap", "want/us"]);
    expect(fed.findings()).toMatchObject([{ code: "HSA2007", cluster: "eu" }]);
    const digest = fed.laneDigest(eu.account, "sum");
    expect(digest).toBe(
      laneDigest(
        ["want/ap", "want/us"].map((key) => [key, valueHash('{"nonce":"1"}', rigCrypto)] as const),
        rigCrypto,
      ),
    );
  });

  it("means nothing without its own beginning", () => {
    play(end(right, 1, "other"));
    expect(keys()).toEqual(["want/ap", "want/us"]);
  });
});

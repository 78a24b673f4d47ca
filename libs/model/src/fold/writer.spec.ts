/** The writer against a bus that refuses, forgets and stays silent: every fold ends with what the writer wanted. */
import { type BusRecord, endpointKey, LaneWriter } from "@hansa/events";
import { rigCrypto } from "@hansa/events/rig";
import fc from "fast-check";
import { expect, it, vi } from "vitest";
import { admit, feed, fingerprint, hashOf, newFederation, rigCluster, rigHub } from "./rig.ts";

type Turn =
  | { readonly do: "set" | "remove"; readonly n: number; readonly value: number }
  | { readonly do: "publish"; readonly outcome: "stored" | "silent-stored" | "silent-lost" | "refused" }
  | { readonly do: "wipe" | "lose-last" | "restart" | "crash" };

const turn = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constantFrom("set", "remove"), n: fc.nat(6), value: fc.nat(3) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("publish"),
      outcome: fc.constantFrom("stored", "silent-stored", "silent-lost", "refused"),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("wipe", "lose-last", "restart", "crash") }) },
) as fc.Arbitrary<Turn>;

vi.setConfig({ testTimeout: 300_000 });

it("ends every fold with what the writer wanted, and never shows two versions of a record", () => {
  const soak = process.env.HANSA_SOAK === "1";
  fc.assert(
    fc.property(fc.array(turn, { maxLength: 80 }), play),
    soak ? { numRuns: 3000 } : { numRuns: 300, seed: 3 },
  );
});

function play(turns: readonly Turn[]): void {
  const eu = rigCluster("eu", 2);
  const wanted = new Map<string, number>();
  const seen: BusRecord[] = [];
  let stream: BusRecord[] = [];
  let streamSeq = 0;
  const make = (
    restored?: ReturnType<LaneWriter["state"]> | ReturnType<LaneWriter["position"]>,
  ): LaneWriter => {
    const writer = new LaneWriter({
      source: eu.account,
      lane: "ep",
      signer: eu.signer,
      fingerprint,
      crypto: rigCrypto,
      restored,
    });
    for (const [key, value] of wanted) set(writer, key, value);
    for (const key of [...writer.keys()]) if (!wanted.has(key)) writer.remove(key, 1);
    writer.synced();
    writer.open(stream.at(-1) ?? null, stream.at(-1)?.record.header.epoch ?? 0);
    return writer;
  };
  let writer = make();
  const publish = (outcome: "stored" | "silent-stored" | "silent-lost" | "refused"): boolean => {
    const next = writer.next();
    if (next === null) return false;
    const last = stream.at(-1) ?? null;
    const fits = next.expectedStreamSeq === (last?.streamSeq ?? 0);
    if (fits && (outcome === "stored" || outcome === "silent-stored")) {
      streamSeq += 1;
      const record = {
        record: next.record,
        account: eu.account,
        lane: "ep" as const,
        streamSeq,
        previousStreamSeq: 0,
      };
      stream.push(record);
      seen.push(record);
    }
    if (fits && outcome === "stored") writer.stored(streamSeq);
    else expect(writer.refused(stream.at(-1) ?? null)).toBe("retry");
    return true;
  };
  for (const each of turns) {
    if (each.do === "set") {
      const key = endpointKey("shop", "pay", `p${each.n}`);
      wanted.set(key, each.value);
      set(writer, key, each.value);
    } else if (each.do === "remove") {
      const key = endpointKey("shop", "pay", `p${each.n}`);
      wanted.delete(key);
      writer.remove(key, 1);
    } else if (each.do === "publish") publish(each.outcome);
    else if (each.do === "wipe") stream = [];
    else if (each.do === "lose-last") stream = stream.slice(0, -1);
    else
      writer = make(JSON.parse(JSON.stringify(each.do === "restart" ? writer.state() : writer.position())));
  }
  for (let round = 0; publish("stored"); round++) expect(round).toBeLessThan(20);
  const byPosition = new Map(seen.map((record) => [positionOf(record), hashOf(record)]));
  for (const record of seen) expect(byPosition.get(positionOf(record))).toBe(hashOf(record));

  const fed = newFederation();
  const hub = rigHub();
  feed(fed, admit(hub, eu).write());
  for (const record of seen) expect(["applied", "duplicate"]).toContain(fed.apply(record).kind);
  expect([...fed.registers("eu")].map((view) => view.key).sort()).toEqual([...wanted.keys()].sort());
  if (seen.length > 0) expect(fed.laneDigest(eu.account, "ep")).toBe(writer.head()?.digest);
}

const positionOf = ({ record }: BusRecord): string => `${record.header.epoch}.${record.header.seq}`;

function set(writer: LaneWriter, key: string, value: number): void {
  const data = {
    address: `10.0.0.${value}`,
    ports: {},
    ready: true,
    region: "eu-west-1",
    zone: "a",
    weight: 1,
    serviceAccount: "pay",
    workload: "pay",
  };
  writer.set({ type: "EndpointSet", v: 1, key, at: 1, data });
}

it("ends a snapshot with the readers' digest also where more was taken away meanwhile than one record holds", () => {
  const eu = rigCluster("eu", 2);
  const fed = newFederation();
  feed(fed, admit(rigHub(), eu).write());
  const writer = new LaneWriter({
    source: eu.account,
    lane: "ep",
    signer: eu.signer,
    fingerprint,
    crypto: rigCrypto,
  });
  const keys = Array.from({ length: 400 }, (_, index) => endpointKey("shop", "pay", `p${index}`));
  for (const key of keys) set(writer, key, 1);
  writer.synced();
  writer.open(null, 0);
  let streamSeq = 0;
  const ends: string[] = [];
  const publish = (): boolean => {
    const next = writer.next();
    if (next === null) return false;
    streamSeq += 1;
    writer.stored(streamSeq);
    fed.apply({ record: next.record, account: eu.account, lane: "ep" });
    ends.push(...fed.findings().map(({ code }) => code));
    return true;
  };
  while (publish());
  // Before it begins, while it is under way, and before its last record: far more than the half of a record that is for changes.
  for (const key of keys.slice(0, 150)) writer.remove(key, 2);
  writer.requestSnapshot();
  for (const key of keys.slice(150, 250)) writer.remove(key, 2);
  publish();
  for (const key of keys.slice(250, 350)) writer.remove(key, 2);
  while (publish());
  expect(ends).toEqual([]);
  expect([...fed.registers("eu")].map(({ key }) => key).sort()).toEqual(keys.slice(350).sort());
  expect(fed.laneDigest(eu.account, "ep")).toBe(writer.head()?.digest);
});

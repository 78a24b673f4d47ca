/** What the fold may hold, at each limit; registers per lane and parked records per source: chain.spec.ts, quotas: effect.spec.ts. */
import { describe, expect, it } from "vitest";
import { Chain, GAPS_MAX, RECENT_MAX } from "./chain.ts";
import { admit, command, feed, newFederation, type RigSource, rigCluster, rigHub, service } from "./rig.ts";

const member = (number: number): RigSource => rigCluster(`c${number}`, 50 + number);

describe("a fold at its limits", () => {
  it("knows so many clusters; one more is refused, and those that are known go on", () => {
    const fed = newFederation({ clustersMax: 2 });
    const hub = rigHub();
    for (const number of [1, 2, 3]) admit(hub, member(number));
    feed(fed, hub.write());
    expect(fed.members().map(({ cluster }) => cluster)).toEqual(["c1", "c2"]);
    expect(fed.findings()).toMatchObject([{ code: "HSA2002", cluster: "hub", key: "membership/c3" }]);
    feed(fed, admit(hub, member(1), { state: "left" }).write());
    expect(fed.member("c1")?.state).toBe("left");
  });

  it("keeps so many operator commands in force", () => {
    const fed = newFederation({ commandsMax: 1 });
    const hub = rigHub();
    const [one, two] = [member(1), member(2)];
    admit(admit(hub, one), two);
    command(hub, { do: "drain", cluster: one.name as never, incarnation: 1 }, "first");
    command(hub, { do: "drain", cluster: two.name as never, incarnation: 1 }, "second");
    feed(fed, hub.write());
    expect(fed.commands()).toHaveLength(1);
    expect([one, two].filter(({ name }) => fed.member(name)?.state === "draining")).toHaveLength(1);
  });

  it("parks so many records in all, and so many bytes", () => {
    const records = [1, 2, 3].flatMap((number) => service(member(number), "shop", "pay").write());
    const held = (fed: ReturnType<typeof newFederation>): unknown[] =>
      records.map((record) => {
        const outcome = fed.apply(record);
        return outcome.kind === "parked" && outcome.held;
      });
    expect(held(newFederation({ parkedMax: 2 }))).toEqual([true, true, false]);
    const sizeBytes = records[0]?.record.body.length ?? 0;
    expect(held(newFederation({ parkedBytesMax: sizeBytes }))).toEqual([true, false, false]);
  });

  it("keeps the newest of what was refused", () => {
    const fed = newFederation({ findingsMax: 2 });
    const hub = rigHub();
    const source = member(1);
    feed(fed, admit(hub, source).write());
    const [record] = service(source, "shop", "pay").write();
    for (const seq of [2, 3, 4]) {
      const header = { ...record!.record.header, seq, prev: "0".repeat(64) };
      fed.apply({ ...record!, record: { ...record!.record, header } }, { acceptGap: true });
    }
    expect(
      fed
        .findings()
        .filter(({ code }) => code === "HSA2004")
        .map(({ key }) => key),
    ).toEqual(["sum@1.3", "sum@1.4"]);
  });

  it("remembers so many records of a log; an older one is stale, never a second history", () => {
    const fed = newFederation();
    const [hub, source] = [rigHub(), member(1)];
    feed(fed, admit(hub, source).write());
    const records = Array.from({ length: RECENT_MAX + 1 }, (_, index) =>
      service(source, "shop", `s${index}`).write(),
    ).flat();
    feed(fed, records);
    const again = records
      .slice(-RECENT_MAX - 1)
      .slice(0, 2)
      .map((record) => fed.apply(record).kind);
    expect(again).toEqual(["stale", "duplicate"]);
  });

  it("keeps so many gaps of a log apart; beyond it the two oldest are one", () => {
    const chain = new Chain(() => 0);
    const header = (seq: number) =>
      ({ source: "A", lane: "sum", key: "k", epoch: 1, seq, prev: "" }) as never;
    const hashes = { record: "r", body: "b" } as never;
    for (let seq = 2; seq <= 2 * (GAPS_MAX + 1); seq += 2) chain.advance(header(seq), hashes, true);
    const { gaps } = chain.dump();
    expect(gaps).toHaveLength(GAPS_MAX);
    expect([gaps[0]?.after.seq, gaps[0]?.before.seq]).toEqual([0, 4]);
    expect(chain.step(header(1), "other", false)).toEqual({ kind: "late" });
  });
});

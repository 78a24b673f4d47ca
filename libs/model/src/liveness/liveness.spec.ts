import type { LeaseState, LinkState, LinkValue, ProbeState } from "@hansa/events";
import { describe, expect, it } from "vitest";
import { Importer } from "./liveness-rig.ts";
import { nextProbe } from "./settings.ts";
import { verdictOf } from "./verdict.ts";

const TWO = ["ap", "us"];
const THREE = ["ap", "sa", "us"];

describe("the table of verdicts", () => {
  it.each<[LeaseState, ProbeState, LinkState]>([
    ["ok", "ok", "normal"],
    ["ok", "unknown", "normal"],
    ["ok", "fail", "unreachable"],
    ["lost", "ok", "stale"],
    ["lost", "unknown", "stale"],
    ["lost", "fail", "lost"],
  ])("%s, %s: %s", (lease, probe, state) => {
    expect(verdictOf(lease, probe)).toBe(state);
  });

  it("is walked through by a cluster that dies and returns", () => {
    const eu = new Importer(...TWO).run(5, TWO, TWO);
    expect(eu.state("us")).toBe("normal");
    eu.run(2, ["ap"], ["ap"]);
    expect(eu.state("us")).toBe("normal");
    eu.run(1, ["ap"], ["ap"]);
    expect(eu.liveness.link("us")).toMatchObject({
      lease: "ok",
      probe: "fail",
      state: "unreachable",
      stage: "tcp",
      sinceMs: 1_008_000,
    });
    eu.run(6, ["ap"], ["ap"]);
    expect(eu.state("us")).toBe("unreachable");
    eu.run(1, ["ap"], ["ap"]);
    expect(eu.state("us")).toBe("lost");
    eu.run(2, TWO, TWO);
    expect(eu.state("us")).toBe("unreachable");
    eu.run(1, TWO, TWO);
    expect(eu.liveness.link("us")).toMatchObject({ lease: "ok", probe: "ok", state: "normal", stage: "" });
    expect(eu.state("ap")).toBe("normal");
  });

  it("keeps a silent cluster whose gateway answers, for as long as it does", () => {
    const eu = new Importer(...TWO).run(11, ["ap"], TWO);
    expect(eu.state("us")).toBe("stale");
    eu.nowMs += 25 * 3_600_000;
    eu.beat("ap");
    eu.probe("us", true);
    eu.step({ kind: "tick" });
    expect(eu.state("us")).toBe("stale");
    const alarm = eu.liveness.alarms(eu.moment).find(({ peer }) => peer === "us");
    expect(alarm).toMatchObject({ code: "HSA4002" });
    expect(alarm?.message).toContain("longer than the limit of 24 h");
  });
});

describe("the lease", () => {
  it("is renewed by higher beats only", () => {
    const eu = new Importer("us");
    const beat = (bootMs: number, counter: number): void => {
      eu.step({ kind: "beat", peer: "us", bootMs, counter });
    };
    beat(5, 7);
    eu.nowMs = 9000;
    beat(5, 7);
    beat(5, 6);
    beat(4, 100);
    eu.nowMs = 10_000;
    eu.step({ kind: "tick" });
    expect(eu.state("us")).toBe("stale");
    beat(6, 1);
    expect(eu.state("us")).toBe("normal");
  });

  it("is renewed by later records only", () => {
    const eu = new Importer("us");
    const record = (epoch: number, seq: number): void => {
      eu.step({ kind: "record", peer: "us", lane: "sum", position: { epoch, seq } });
    };
    record(2, 5);
    eu.nowMs = 9999;
    record(1, 900);
    record(2, 5);
    eu.nowMs = 10_000;
    eu.step({ kind: "tick" });
    expect(eu.state("us")).toBe("stale");
    record(2, 6);
    expect(eu.state("us")).toBe("normal");
  });
});

describe("the probe", () => {
  it("needs three failures in a row, and three successes to come back", () => {
    const eu = new Importer("us");
    for (const ok of [false, false, true, false, false]) eu.probe("us", ok);
    expect(eu.state("us")).toBe("normal");
    eu.probe("us", false);
    expect(eu.state("us")).toBe("unreachable");
    for (const ok of [true, true, false, true, true]) eu.probe("us", ok);
    expect(eu.state("us")).toBe("unreachable");
    eu.probe("us", true);
    expect(eu.state("us")).toBe("normal");
  });

  it("counts traffic that succeeds as good", () => {
    const eu = new Importer("us");
    for (let index = 0; index < 9; index += 1) {
      eu.probe("us", false);
      eu.probe("us", false);
      eu.step({ kind: "traffic", peer: "us" });
    }
    expect(eu.state("us")).toBe("normal");
  });

  it("holds a flapping gateway down, twice as long each time, up to a minute", () => {
    const eu = new Importer("ap", "us");
    const downForS: number[] = [];
    for (let flap = 0; flap < 8; flap += 1) {
      eu.run(3, TWO, ["ap"]);
      expect(eu.state("us")).toBe("unreachable");
      const since = eu.nowMs;
      while (eu.state("us") !== "normal") eu.run(1, TWO, TWO);
      downForS.push((eu.nowMs - since) / 1000);
    }
    expect(downForS).toEqual([3, 3, 4, 8, 16, 32, 60, 60]);
    eu.run(61, TWO, TWO).run(3, TWO, ["ap"]);
    const since = eu.nowMs;
    while (eu.state("us") !== "normal") eu.run(1, TWO, TWO);
    expect(eu.nowMs - since).toBe(3000);
  });

  it("is due at once, then every second give or take a tenth, in full every 30 s", () => {
    expect(nextProbe(0, 0, 0.7)).toEqual({ delayMs: 0, fullHandshake: true });
    expect(nextProbe(1, 0, 0)).toEqual({ delayMs: 900, fullHandshake: false });
    expect(nextProbe(1, 29_000, 0.5)).toEqual({ delayMs: 1000, fullHandshake: true });
  });
});

describe("self-doubt", () => {
  it("withdraws nothing when most probes fail at once, and says so", () => {
    const eu = new Importer(...TWO).run(5, TWO, TWO).run(60, TWO, []);
    for (const peer of TWO) {
      expect(eu.state(peer)).toBe("normal");
      expect(eu.liveness.link(peer)).toMatchObject({ probe: "fail", selfDoubt: true });
    }
    expect(eu.liveness.alarms(eu.moment)).toMatchObject([{ code: "HSA4003", peer: "" }]);
    eu.run(4, TWO, TWO);
    expect(eu.liveness.link("us")).toMatchObject({ state: "normal", probe: "ok", selfDoubt: false });
  });

  it("needs fresh failures once the doubt is over: ways do not come back in the same second", () => {
    const eu = new Importer(...TWO).run(5, TWO, TWO).run(20, TWO, []);
    eu.run(1, TWO, ["ap"]);
    expect(eu.liveness.link("us")).toMatchObject({ state: "normal", selfDoubt: false });
    eu.run(1, TWO, ["ap"]).run(5, TWO, TWO);
    expect(eu.transitions.map(({ value }) => value.state)).not.toContain("unreachable");
    eu.run(20, TWO, []).run(4, TWO, ["ap"]);
    expect(TWO.map((peer) => eu.state(peer))).toEqual(["normal", "unreachable"]);
  });

  it("does not hide one dead cluster of two or more", () => {
    expect(new Importer(...THREE).run(5, THREE, THREE).run(3, TWO, ["ap", "us"]).state("sa")).toBe(
      "unreachable",
    );
    expect(new Importer("us").run(5, ["us"], ["us"]).run(3, ["us"], []).state("us")).toBe("unreachable");
  });

  it("lets clusters go that are lost by both kinds of evidence while a witness is well", () => {
    const eu = new Importer(...THREE).run(5, THREE, THREE).run(9, ["ap"], ["ap"]);
    expect([eu.state("sa"), eu.state("us")]).toEqual(["normal", "normal"]);
    eu.run(1, ["ap"], ["ap"]);
    expect([eu.state("sa"), eu.state("us")]).toEqual(["lost", "lost"]);
    expect(eu.state("ap")).toBe("normal");
  });

  it("does not judge leases while the own bus is down, nor before everybody could speak again", () => {
    const eu = new Importer(...TWO).run(5, TWO, TWO);
    eu.step({ kind: "bus", up: false });
    eu.run(3600, [], TWO);
    expect(TWO.map((peer) => eu.state(peer))).toEqual(["normal", "normal"]);
    expect(eu.liveness.link("us")).toMatchObject({ lease: "ok", selfDoubt: true });
    eu.step({ kind: "bus", up: true });
    eu.run(9, [], TWO);
    expect(eu.state("us")).toBe("normal");
    eu.run(1, ["ap"], TWO);
    expect(TWO.map((peer) => eu.state(peer))).toEqual(["normal", "stale"]);
  });

  it("excuses peers when the own loop was late", () => {
    const eu = new Importer("us").run(5, ["us"], ["us"]);
    eu.probe("us", false);
    eu.probe("us", false);
    eu.nowMs += 60_000;
    eu.step({ kind: "lag", lagMs: 59_000 });
    eu.probe("us", false);
    eu.step({ kind: "tick" });
    expect(eu.liveness.link("us")).toMatchObject({
      state: "normal",
      lease: "ok",
      probe: "ok",
      selfDoubt: true,
    });
    eu.run(4, ["us"], ["us"]);
    expect(eu.liveness.link("us")?.selfDoubt).toBe(false);
    eu.step({ kind: "lag", lagMs: 900 });
    expect(eu.liveness.doubt(eu.moment)).toBe("none");
  });
});

describe("a restart", () => {
  it("goes on from what was known, and deletes nothing", () => {
    const fresh = new Importer("us");
    expect(fresh.transitions).toMatchObject([
      { peer: "us", before: undefined, value: { state: "normal", probe: "unknown" } },
    ]);
    const before: LinkValue = {
      lease: "lost",
      probe: "fail",
      state: "lost",
      stage: "tcp",
      sinceMs: 7,
      rttMs: 3,
      selfDoubt: false,
    };
    const eu = new Importer();
    eu.step({ kind: "follow", peer: "us", previous: before });
    expect(eu.transitions).toEqual([]);
    expect(eu.liveness.link("us")).toEqual(before);
    eu.run(3, ["us"], ["us"]);
    expect(eu.state("us")).toBe("normal");
  });

  it("in the middle of a doubt blames nobody for the failures of before", () => {
    const eu = new Importer(...TWO).run(5, TWO, TWO).run(5, TWO, []);
    const links = TWO.map((peer) => ({ peer, previous: eu.liveness.link(peer) }));
    expect(links.map(({ previous }) => previous)).toMatchObject([{ selfDoubt: true }, { selfDoubt: true }]);
    const restarted = new Importer();
    for (const link of links) restarted.step({ kind: "follow", ...link });
    restarted.run(10, TWO, []);
    expect(restarted.transitions.map(({ value }) => value.state)).not.toContain("unreachable");
  });

  it("and a forgotten peer is gone; unknown peers change nothing", () => {
    const eu = new Importer("us");
    eu.step({ kind: "forget", peer: "us" });
    eu.beat("us");
    eu.probe("nobody", false);
    expect(eu.liveness.peers()).toEqual([]);
  });
});

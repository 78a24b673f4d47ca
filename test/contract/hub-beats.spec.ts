/** The hub's heartbeats over its terms of office, and what it makes of members' claims. */
import { noMetrics, silentLog } from "@hansa/core";
import { decodeHeartbeat, type Heartbeat, isLaterBeat } from "@hansa/events";
import { rigCrypto } from "@hansa/events/rig";
import { describe, expect, it } from "vitest";
import {
  admit,
  feed,
  fingerprint,
  HUB,
  hubSigner,
  newFederation,
  rigCluster,
  rigHub,
  service,
} from "../../libs/model/src/fold/rig.ts";
import type { LeaderContext } from "../../services/hub/src/context.ts";
import { Beats } from "../../services/hub/src/leader/beats.ts";

interface World {
  nowMs: number;
  committedMs: number;
  readonly sent: Heartbeat[];
  readonly counted: string[];
}

const contextOf = (world: World): LeaderContext =>
  ({
    clock: { nowMs: () => world.nowMs, monotonicMs: () => 0 },
    store: { now: async () => ({ position: 1, committedMs: world.committedMs }) },
    keys: { issuer: { hubAccount: HUB }, signer: hubSigner, fingerprint },
    bus: {
      publishBeat: async (bytes: Uint8Array) => void world.sent.push(decodeHeartbeat(bytes)!.beat),
    },
    crypto: rigCrypto,
    log: silentLog,
    metrics: {
      ...noMetrics,
      count: (name: string, labels: object) =>
        void world.counted.push(`${name} ${Object.values(labels).join(" ")}`),
    },
  }) as unknown as LeaderContext;

const worldAt = (nowMs: number, committedMs: number): World => ({
  nowMs,
  committedMs,
  sent: [],
  counted: [],
});

describe("the hub's heartbeats", () => {
  it("are later in each term than in all before, although the wall clock was set back", async () => {
    const world = worldAt(5_000_000, 5_000_000);
    for (let epoch = 1; epoch <= 4; epoch += 1) {
      const beats = new Beats(contextOf(world), () => {});
      await beats.open(epoch);
      await beats.send([], [], []);
      await beats.send([], [], []);
      // The archive's commit time stands still where nothing was committed, and never goes back.
      world.nowMs -= 1_000_000;
    }
    const pairs = world.sent.slice(1).map((beat, index) => isLaterBeat(beat, world.sent[index]!));
    expect(pairs).toEqual(Array(7).fill(true));
  });

  it("are heard after a restore of an older archive", async () => {
    const world = worldAt(5_000_000, 5_000_000);
    const before = new Beats(contextOf(world), () => {});
    await before.open(9);
    await before.send([], [], []);
    [world.nowMs, world.committedMs] = [6_000_000, 1_000_000];
    const restored = new Beats(contextOf(world), () => {});
    await restored.open(3);
    await restored.send([], [], []);
    expect(isLaterBeat(world.sent[1]!, world.sent[0]!)).toBe(true);
  });
});

describe("a member's claim against the archive", () => {
  it("is a dispute, answered with what is held; signed evidence alone is an equivocation", async () => {
    const hub = rigHub();
    const [eu, us] = [rigCluster("eu", 2), rigCluster("us", 3)];
    const fed = newFederation();
    feed(fed, admit(admit(hub, eu), us).write());
    feed(fed, service(eu, "shop", "pay").write());
    const twin = rigCluster("eu", 2);
    const other = newFederation();
    feed(other, hub.log);
    feed(other, service(twin, "shop", "other").write());

    const world = worldAt(1, 1);
    const beats = new Beats(contextOf(world), () => {});
    const claim = other.heads().find(({ source }) => source === eu.account)!;
    const said: Heartbeat = {
      source: us.account,
      bootMs: 1,
      counter: 1,
      own: [],
      known: [claim],
      acked: [],
      committed: [],
    };
    beats.dispute(said, [claim], fed);
    expect(world.counted).toEqual(["hansa_disputes_total eu us"]);
    await beats.send([], [], []);
    expect(world.sent[0]?.evidence).toEqual([fed.evidenceAt(claim)]);

    const proof = other.evidenceAt(claim)!;
    beats.dispute({ ...said, evidence: [{ ...proof, body: "0".repeat(64) }] }, [], fed);
    expect(world.counted).toHaveLength(1);
    beats.dispute({ ...said, evidence: [proof] }, [], fed);
    expect(world.counted.at(-1)).toBe("hansa_hub_equivocations_total eu");
    expect(fed.member("eu")?.frozen).toBe(false);
    expect(other.observeBeat({ ...said, ...world.sent[0]!, source: HUB }).equivocations).toHaveLength(1);
  });
});

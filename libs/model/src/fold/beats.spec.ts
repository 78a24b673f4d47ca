/** Heartbeats against the fold. */
import type { ClusterName } from "@hansa/core";
import { type Head, type Heartbeat, ZERO_HASH } from "@hansa/events";
import { beforeEach, describe, expect, it } from "vitest";
import type { Federation } from "./federation.ts";
import { admit, command, feed, newFederation, type RigSource, rigCluster, rigHub, service } from "./rig.ts";

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

  it("freezes a member on two accusers, not on one", () => {
    const known = [{ ...headOf(eu), head: ZERO_HASH }];
    fed.observeBeat(beat(us, { known }));
    fed.observeBeat(beat(us, { known }));
    expect(fed.member("eu")?.frozen).toBe(false);
    expect(fed.findings()).toMatchObject([{ code: "HSA2008", cluster: "eu" }]);
    fed.observeBeat(beat(ap, { known }));
    expect(fed.member("eu")?.frozen).toBe(true);
  });

  it("freezes the hub on one accuser, and no membership changes after that", () => {
    fed.observeBeat(beat(us, { known: [{ ...headOf(hub), head: ZERO_HASH }] }));
    expect(fed.sourceByCluster("hub")?.frozen).toBe(true);
    feed(fed, admit(hub, rigCluster("zz", 9)).write());
    expect(fed.member("zz")).toBeUndefined();
    expect(fed.findings().map((finding) => finding.code)).toContain("HSA3009");
  });

  it("of an evicted member says nothing", () => {
    feed(fed, command(us, { do: "evict", cluster: "ap" as ClusterName, incarnation: 1 }, "e").write());
    expect(fed.observeBeat(beat(ap, { known: [{ ...headOf(hub), head: ZERO_HASH }] })).equivocations).toEqual(
      [],
    );
    expect(fed.sourceByCluster("hub")?.frozen).toBe(false);
  });

  it("of an unknown source says nothing", () => {
    const own = [{ ...headOf(eu), head: ZERO_HASH }];
    expect(fed.observeBeat(beat(rigCluster("zz", 9), { own })).equivocations).toEqual([]);
  });
});

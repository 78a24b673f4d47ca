import { endpointKey, serviceKey } from "@hansa/events";
import { describe, expect, it } from "vitest";
import { Federation } from "./federation.ts";
import { admit, endpoint, feed, newFederation, rigCluster, rigHub, service } from "./rig.ts";

describe("Federation", () => {
  it("folds a member's services and endpoints", () => {
    const hub = rigHub();
    const eu = rigCluster("eu", 2);
    const fed = newFederation();
    feed(fed, admit(hub, eu).write());
    expect(fed.members().map(({ cluster, state }) => [cluster, state])).toEqual([["eu", "active"]]);
    const [record] = service(eu, "shop", "pay").write();
    const outcome = fed.apply(record!);
    expect(outcome).toMatchObject({ kind: "applied", changed: [{ cluster: "eu", key: "service/shop/pay" }] });
    feed(fed, endpoint(eu, "pay", "pay-1").write());
    expect(fed.effective("eu", serviceKey("shop", "pay"))?.value).toMatchObject({ createdMs: 1 });
    expect([...fed.ofService("eu", "shop", "pay")].map((view) => view.key).sort()).toEqual([
      endpointKey("shop", "pay", "pay-1"),
      serviceKey("shop", "pay"),
    ]);
    expect(fed.apply(record!)).toEqual({ kind: "duplicate" });
    expect(fed.laneDigest(eu.account, "sum")).toBe(eu.writer("sum").head()?.digest);
    expect(fed.findings()).toEqual([]);
  });

  it("parks records of an unknown source until its membership arrives", () => {
    const hub = rigHub();
    const eu = rigCluster("eu", 2);
    const fed = newFederation();
    const records = [...service(eu, "shop", "pay").write(), ...endpoint(eu, "pay", "pay-1").write()];
    for (const record of records) expect(fed.apply(record)).toEqual({ kind: "parked", held: true });
    expect(fed.get("eu", serviceKey("shop", "pay"))).toBeUndefined();
    const [membership] = admit(hub, eu).write();
    const outcome = fed.apply(membership!);
    expect(outcome.kind === "applied" && outcome.changed.map((ref) => ref.key).sort()).toEqual([
      "endpoint/shop/pay/pay-1",
      "membership/eu",
      "service/shop/pay",
    ]);
    expect(fed.parkedCount).toBe(0);
  });

  it("restores only a whole dump of its own federation", () => {
    const fed = newFederation();
    feed(fed, admit(rigHub(), rigCluster("eu", 2)).write());
    const dump = JSON.parse(JSON.stringify(fed.dump())) as Record<string, unknown>;
    expect(Federation.restore(dump, fed.options)?.members()).toEqual(fed.members());
    const others = [
      null,
      7,
      {},
      { ...dump, format: 99 },
      { ...dump, fingerprint: "0" },
      { ...dump, sources: undefined },
    ];
    for (const other of others) expect(Federation.restore(other, fed.options)).toBeUndefined();
  });
});

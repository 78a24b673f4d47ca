/** Names, keys, members and operators (design §4): what the hub may do, and what only operators may. */
import { base64, type ClusterName } from "@hansa/core";
import { membershipKey, type OperatorOrder, serviceKey } from "@hansa/events";
import { rigAccount, rigSigner } from "@hansa/events/rig";
import { beforeEach, describe, expect, it } from "vitest";
import type { Federation } from "./federation.ts";
import {
  admit,
  command,
  commandOf,
  feed,
  hubSigner,
  keyText,
  membershipOf,
  newFederation,
  operatorSigners,
  type RigSource,
  rigCluster,
  rigHub,
  service,
} from "./rig.ts";

const EU = "eu" as ClusterName;
const PAY = serviceKey("shop", "pay");

let fed: Federation;
let hub: RigSource;
let eu: RigSource;
let us: RigSource;

beforeEach(() => {
  hub = rigHub();
  eu = rigCluster("eu", 2);
  us = rigCluster("us", 3);
  fed = newFederation();
  feed(fed, admit(admit(hub, eu), us).write());
});

const codes = (): string[] => fed.findings().map((finding) => finding.code);
const state = () => fed.member("eu")?.state;
const order = (what: "drain" | "undrain" | "evict" | "admit", incarnation = 1): OperatorOrder => ({
  do: what,
  cluster: EU,
  incarnation,
});

describe("membership", () => {
  it("pins the name to its first key", () => {
    feed(fed, admit(hub, eu, { signer: rigSigner(50), incarnation: 2 }).write());
    expect(fed.member("eu")).toMatchObject({
      signingKey: keyText(eu.signer),
      membership: { incarnation: 1 },
    });
    expect(codes()).toContain("HSA3004");
  });

  it("pins it after the cluster has left, and after the hub took the entry back", () => {
    feed(fed, admit(hub, eu, { state: "left" }).write());
    expect(state()).toBe("left");
    feed(fed, hub.remove(membershipKey("eu")).write());
    expect(state()).toBe("left");
    feed(fed, admit(hub, eu, { signer: rigSigner(50), incarnation: 2 }).write());
    expect(state()).toBe("left");
    feed(fed, admit(hub, eu, { incarnation: 2 }).write());
    expect(state()).toBe("active");
  });

  it("gives no account to two clusters", () => {
    feed(fed, admit(hub, rigClusterAt("ap", 4, eu.account)).write());
    expect(fed.member("ap")).toBeUndefined();
    feed(fed, admit(hub, rigClusterAt("zz", 4, hub.account)).write());
    expect(fed.member("zz")).toBeUndefined();
    expect(codes()).toEqual(["HSA3004", "HSA3004"]);
  });

  it("takes another account only with another incarnation", () => {
    const moved = rigClusterAt("eu", 2, rigAccount("eu2"));
    feed(fed, service(eu, "shop", "pay").write());
    feed(fed, admit(hub, moved).write());
    expect(fed.member("eu")?.account).toBe(eu.account);
    feed(fed, admit(hub, moved, { incarnation: 2 }).write());
    expect(fed.member("eu")?.account).toBe(moved.account);
    expect(fed.effective("eu", PAY)).toBeUndefined();
    expect(fed.source(eu.account)?.live).toBe(false);
    feed(fed, service(moved, "shop", "pay").write());
    expect(fed.effective("eu", PAY)).toBeDefined();
  });

  it("refuses an entry that the hub's key did not countersign, or the cluster did not sign", () => {
    feed(fed, admit(hub, rigCluster("ap", 4), { hub: rigSigner(60) }).write());
    expect(fed.member("ap")).toBeUndefined();
    const stolen = { ...membershipOf(rigCluster("xx", 5)), requestSignature: base64(new Uint8Array(64)) };
    feed(fed, hub.set("MembershipSet", membershipKey("xx"), stolen).write());
    expect(fed.member("xx")).toBeUndefined();
    expect(codes()).toEqual(["HSA3007", "HSA3007"]);
  });

  it("is inert in a member's log", () => {
    feed(fed, admit(us, rigCluster("ap", 4)).write());
    expect(fed.member("ap")).toBeUndefined();
    expect(codes()).toEqual(["HSA2013"]);
  });

  it("makes registers inert when the cluster leaves, without taking them out of the digest", () => {
    feed(fed, service(eu, "shop", "pay").write());
    const lane = fed.laneDigest(eu.account, "sum");
    feed(fed, admit(hub, eu, { state: "left" }).write());
    expect(fed.effective("eu", PAY)).toBeUndefined();
    expect(fed.get("eu", PAY)).toBeDefined();
    expect(fed.laneDigest(eu.account, "sum")).toBe(lane);
  });
});

describe("operator commands", () => {
  it("evict whoever carries them, and say what changed", () => {
    feed(fed, service(eu, "shop", "pay").write());
    const [record] = command(us, order("evict"), "e1").write();
    const outcome = fed.apply(record!);
    expect(outcome.kind === "applied" && outcome.changed.map((ref) => ref.key)).toContain("membership/eu");
    expect(state()).toBe("evicted");
    expect(fed.effective("eu", PAY)).toBeUndefined();
    expect(fed.get("eu", PAY)).toBeDefined();
    expect(codes()).toContain("HSA3010");
    // Still verified and folded, only without effect.
    feed(fed, service(eu, "shop", "cart").write());
    expect(fed.get("eu", serviceKey("shop", "cart"))).toBeDefined();
  });

  it("stay in force when their carrier forgets them", () => {
    feed(fed, command(us, order("evict"), "e1").write());
    feed(fed, us.remove("command/e1").write());
    us.restart();
    feed(fed, service(us, "shop", "pay").write());
    expect(state()).toBe("evicted");
  });

  it("count even in a record that has nothing else to say any more", () => {
    const [carrying] = command(us, order("evict"), "e1").write();
    us.restart();
    us.remove("command/e1");
    feed(fed, us.write());
    expect(state()).toBe("active");
    expect(fed.apply(carrying!)).toMatchObject({ kind: "applied", changed: [{ key: "membership/eu" }] });
    expect(state()).toBe("evicted");
    expect(fed.get("us", "command/e1")).toBeUndefined();
  });

  it("need k signatures of distinct operators, over this payload", () => {
    const one = operatorSigners[0]!;
    feed(fed, command(us, order("evict"), "a", [one]).write());
    feed(fed, command(us, order("evict"), "b", [one, one]).write());
    feed(fed, command(us, order("evict"), "c", [one, rigSigner(900)]).write());
    const { payload } = commandOf(order("evict"), "d");
    const { signatures } = commandOf(order("drain"), "d");
    feed(fed, us.set("CommandSet", "command/d", { payload, signatures }).write());
    feed(fed, us.set("CommandSet", "command/f", commandOf(order("evict"), "other")).write());
    expect(state()).toBe("active");
    expect(codes()).toEqual(["HSA3007", "HSA3007", "HSA3007", "HSA3007", "HSA3007"]);
    expect(fed.commands()).toEqual([]);
  });

  it("of another federation do nothing", () => {
    const { payload, signatures } = commandOf(order("evict"), "a");
    const foreign = payload.replace(/"fingerprint":"./, '"fingerprint":"0');
    feed(fed, us.set("CommandSet", "command/a", { payload: foreign, signatures }).write());
    expect(state()).toBe("active");
  });

  it("drain and undrain by their time, whichever came first", () => {
    feed(fed, command(us, order("undrain"), "u", undefined, 200).write());
    feed(fed, command(hub, order("drain"), "d", undefined, 100).write());
    expect(state()).toBe("active");
    feed(fed, command(hub, order("drain"), "d2", undefined, 300).write());
    expect(state()).toBe("draining");
    feed(fed, service(eu, "shop", "pay").write());
    expect(fed.effective("eu", PAY)).toBeDefined();
  });

  it("name an incarnation, so that a replay does nothing", () => {
    feed(fed, command(us, order("drain"), "d").write());
    expect(state()).toBe("draining");
    feed(fed, admit(hub, eu, { incarnation: 2 }).write());
    expect(state()).toBe("active");
    feed(fed, command(hub, order("drain"), "d").write());
    expect(state()).toBe("active");
  });

  it("end an evicted name until operators admit a later incarnation", () => {
    feed(fed, command(us, order("evict"), "e").write());
    feed(fed, admit(hub, eu, { incarnation: 2 }).write());
    expect(state()).toBe("evicted");
    feed(fed, command(us, order("admit", 1), "a1").write());
    expect(state()).toBe("evicted");
    feed(fed, command(us, order("admit", 2), "a2").write());
    expect(state()).toBe("active");
    feed(fed, command(hub, order("evict"), "e").write());
    expect(state()).toBe("active");
  });

  it("may come before the membership that they speak of", () => {
    const fresh = newFederation();
    const ap = rigCluster("ap", 4);
    feed(fresh, hub.log);
    feed(fresh, command(us, { ...order("evict"), cluster: "ap" } as OperatorOrder, "e").write());
    feed(fresh, admit(hub, ap).write());
    expect(fresh.member("ap")?.state).toBe("evicted");
  });
});

describe("rekey", () => {
  const fresh = rigSigner(70);
  const rekey: OperatorOrder = { do: "rekey", cluster: EU, incarnation: 1, signingKey: keyText(fresh) };

  it("gives the name another key, and the old one has no say any more", () => {
    feed(fed, service(eu, "shop", "pay").write());
    const late = service(eu, "shop", "late").write();
    feed(fed, command(us, rekey, "r").write());
    expect(fed.apply(late[0]!)).toEqual({ kind: "stale" });
    eu.restart(fresh);
    feed(fed, service(eu, "shop", "cart").write());
    expect([...fed.registers("eu")].map((view) => view.key)).toEqual([serviceKey("shop", "cart")]);
    expect(fed.member("eu")?.signingKey).toBe(keyText(fresh));
  });

  it("releases what the new key had written before", () => {
    eu.restart(fresh);
    for (const record of service(eu, "shop", "pay").write())
      expect(fed.apply(record)).toEqual({ kind: "parked", held: true });
    feed(fed, command(us, rekey, "r").write());
    expect(fed.effective("eu", PAY)).toBeDefined();
  });

  it("allows a membership with that key, whichever came first", () => {
    feed(fed, admit(hub, eu, { signer: fresh, incarnation: 2 }).write());
    expect(fed.member("eu")?.membership.incarnation).toBe(1);
    feed(fed, command(us, rekey, "r").write());
    expect(fed.member("eu")?.membership.incarnation).toBe(2);
    expect(codes()).toEqual([]);
  });

  it("lifts a freeze", () => {
    const [first] = service(eu, "shop", "pay").write();
    feed(fed, [first!]);
    const twin = rigCluster("eu", 2);
    fed.apply(service(twin, "shop", "other").write()[0]!);
    expect(fed.member("eu")?.frozen).toBe(true);
    feed(fed, command(us, rekey, "r").write());
    expect(fed.member("eu")?.frozen).toBe(false);
  });
});

describe("the hub's key", () => {
  const fresh = rigSigner(80);
  const order: OperatorOrder = { do: "hubkey", key: keyText(fresh) };

  it("changes by operators alone, and records of the new one wait for that", () => {
    const ap = rigCluster("ap", 4);
    hub.restart(fresh);
    admit(admit(admit(hub, eu), us), ap, { hub: fresh });
    for (const record of hub.write()) expect(fed.apply(record).kind).toBe("parked");
    feed(fed, command(us, order, "h").write());
    expect(fed.hubKey()).toBe(keyText(fresh));
    expect(fed.members().map((member) => [member.cluster, member.state])).toEqual([
      ["ap", "active"],
      ["eu", "active"],
      ["us", "active"],
    ]);
  });

  it("is announced in the hub's own log too", () => {
    feed(fed, hub.set("HubkeySet", "hubkey", commandOf(order, "h")).write());
    expect(fed.hubKey()).toBe(keyText(fresh));
  });

  it("does not change by the hub alone", () => {
    feed(fed, hub.set("HubkeySet", "hubkey", commandOf(order, "h", [hubSigner])).write());
    expect(fed.hubKey()).toBe(keyText(hubSigner));
    expect(codes()).toEqual(["HSA3007"]);
  });

  it("freezes memberships at an equivocation of the hub, until operators give another key", () => {
    const twin = rigHub();
    fed.apply(admit(twin, rigCluster("xx", 9)).write()[0]!);
    expect(fed.sourceByCluster("hub")?.frozen).toBe(true);
    feed(fed, admit(hub, rigCluster("ap", 4)).write());
    expect(fed.member("ap")).toBeUndefined();
    expect(codes()).toEqual(expect.arrayContaining(["HSA2008", "HSA3009"]));
    feed(fed, command(us, order, "h").write());
    expect(fed.member("ap")?.state).toBe("active");
  });
});

describe("operators", () => {
  const fresh = [rigSigner(91), rigSigner(92)];
  const rotation = (keeps: string[]): OperatorOrder => ({
    do: "operators",
    keys: fresh.map(keyText),
    threshold: 2,
    keeps,
  });

  it("replace themselves; what they keep stays in force, the rest ends", () => {
    feed(fed, command(us, order("drain"), "d").write());
    feed(fed, command(us, { ...order("evict"), cluster: "us" } as OperatorOrder, "e").write());
    const kept = fed.commands().filter(({ payload }) => payload.id === "d");
    const [carrying] = command(hub, rotation(kept.map(({ hash }) => hash)), "o", undefined, 300).write();
    const outcome = fed.apply(carrying!);
    expect(outcome.kind === "applied" && outcome.changed.map(({ key }) => key)).toContain("membership/us");
    expect(fed.operators().keys).toEqual(fresh.map(keyText));
    expect(state()).toBe("draining");
    expect(fed.member("us")?.state).toBe("active");
    feed(fed, command(us, order("evict"), "old").write());
    expect(state()).toBe("draining");
    feed(fed, command(us, order("evict"), "new", fresh).write());
    expect(state()).toBe("evicted");
  });

  it("give the same result in every order", () => {
    feed(fed, command(us, order("drain"), "d").write());
    const keeps = fed.commands().map(({ hash }) => hash);
    const second = rigSigner(95);
    command(us, order("evict"), "e", [second]);
    command(us, { do: "operators", keys: [keyText(second)], threshold: 1, keeps }, "o2", fresh, 400);
    feed(fed, us.write());
    expect(state()).toBe("draining");
    feed(fed, command(hub, rotation(keeps), "o1", undefined, 300).write());
    expect(state()).toBe("evicted");
    const other = newFederation();
    feed(other, [...hub.log, ...us.log]);
    expect(other.operators()).toEqual(fed.operators());
    expect(other.commands()).toEqual(fed.commands());
    expect(other.member("eu")?.state).toBe("evicted");
  });
});

function rigClusterAt(name: string, seed: number, account: RigSource["account"]): RigSource {
  const source = rigCluster(name, seed);
  return new (source.constructor as typeof RigSource)(name, source.signer, account);
}

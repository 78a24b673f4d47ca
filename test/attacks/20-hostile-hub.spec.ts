/**
 * A hub in enemy hands (T10): real agents and Envoys, the hub's own keys, the bus's own accounts. Each lie is shown to
 * work on a reader that takes the hub's word (support/believer.ts); the mesh goes on, and says what it refused.
 */
import { workloadId } from "@hansa/core";
import { bundleKey, foreignKey, membershipKey } from "@hansa/events";
import { newSvid, toBundle, toPem } from "@hansa/identity";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AgentRig, allow, replica, service, until, workload } from "../contract/agent-rig.ts";
import { call } from "../contract/envoy/calls.ts";
import { domain, eventually, HTTP, id, sniOf } from "../contract/envoy/world.ts";
import { knock } from "../e2e/support/stranger.ts";
import { Believer } from "./support/believer.ts";
import { HostileHub } from "./support/hostile-hub.ts";
import { world as mesh, SERVER, server, serverResources } from "./support/mesh.ts";
import { pooledRoots } from "./support/weaken.ts";

let rig: AgentRig;
let hub: HostileHub;

interface Item {
  readonly cluster: string;
  readonly account: never;
  readonly state: string;
  readonly frozen: boolean;
}
interface State {
  readonly digest: string;
  readonly findings: readonly { readonly code: string; readonly cluster: string }[];
}

const pay = () => call(rig.address("us", 10), 15_001, "pay.shop.svc.clusterset.local");
const us = async (): Promise<Item> => {
  const { items } = await rig.get<{ items: Item[] }>("eu", "/v1/clusters");
  return items.find(({ cluster }) => cluster === "us") as Item;
};
const codes = async (): Promise<string[]> =>
  (await rig.get<State>("eu", "/v1/federation-state")).findings.map(({ code }) => code);
const believed = async () => new Believer().read(await hub.records()).registers;

const reported = (code: string) => until(`eu reports ${code}`, async () => (await codes()).includes(code));
/** Calls go on, and what us's agent writes is still heard. */
async function meshGoesOn(): Promise<void> {
  expect((await pay()).status).toBe(200);
  for (const extra of [true, false]) {
    rig.source("us", usDocument(extra));
    await until("us is heard", async () => {
      const { items } = await rig.get<{ items: { name: string }[] }>("eu", "/v1/services?cluster=us");
      return items.some(({ name }) => name === "extra") === extra;
    });
  }
}

const usDocument = (extra: boolean) => ({
  services: extra ? [service("extra", "http")] : [],
  workloads: [workload("web", [replica("web-1", rig.address("us", 10))], [])],
});

beforeAll(async () => {
  rig = await AgentRig.start();
  rig.source("eu", {
    services: [service("pay", "http")],
    workloads: [workload("pay", [replica("pay-1", rig.address("eu", 10))])],
    allows: [allow("pay", "us", "web")],
  });
  rig.source("us", usDocument(false));
  rig.configure("eu", await rig.joinToken("eu"));
  rig.configure("us", await rig.joinToken("us"));
  await Promise.all([rig.agent("eu"), rig.agent("us")]);
  await rig.app("http", "pay", rig.address("eu", 10));
  await Promise.all([
    rig.envoy("eu", "gateway/gw", rig.address("eu", 1)),
    rig.envoy("eu", "shop/pay/pay-1", rig.address("eu", 10)),
    rig.envoy("us", "shop/web/web-1", rig.address("us", 10)),
  ]);
  await until("us calls eu", async () => (await pay()).status === 200);
  hub = await HostileHub.of(rig.hub);
}, 120_000);

afterAll(async () => {
  await hub?.close();
  await mesh.close();
  await rig?.stop();
});

describe("a hub that gives a member", () => {
  it("a new key is obeyed where the hub is the authority; here the name is pinned to its key", async () => {
    const before = await us();
    const data = hub.entryWithKey("us");
    await hub.say({ type: "MembershipSet", key: membershipKey("us"), data });
    expect((await believed()).get(membershipKey("us"))).toEqual(data);
    await reported("HSA3004");
    expect(await us()).toEqual({ ...before, heads: expect.anything() });
    await meshGoesOn();
  });

  it("a new key by way of an eviction and a new admission is obeyed as well; here only operators evict", async () => {
    const own = hub.entry("us", {});
    const data = hub.entryWithKey("us", { incarnation: 2 });
    await hub.say({ type: "MembershipSet", key: membershipKey("us"), data: null });
    // What it cannot change it can take back, and everybody sees it: that is the hub's power over members.
    await until("us has left", async () => (await us()).state === "left");
    await hub.say({ type: "MembershipSet", key: membershipKey("us"), data });
    expect((await believed()).get(membershipKey("us"))).toEqual(data);
    await reported("HSA3004");
    expect(await us()).toMatchObject({ state: "left" });
    await hub.say({ type: "MembershipSet", key: membershipKey("us"), data: own });
    await until("us is back with its own key", async () => (await us()).state === "active");
    await until("us calls eu", async () => (await pay()).status === 200);
    await meshGoesOn();
  });

  it("a new root lets the hub's own leaves in where bundles come from the hub; here they are the member's alone", async () => {
    // The attacker's Envoy is configured as a mesh would be whose bundles come from the hub.
    const inTest = hub.forgeAuthority(domain("us"));
    const taken = newSvid(inTest, id("us", "web"));
    await server.ads.push(pooledRoots(serverResources(), [toPem(inTest.rootDer)]));
    const atBeliever = () => knock({ address: `${SERVER}:15006`, sni: sniOf("pay", HTTP), ...taken });
    await eventually(async () => (await atBeliever()).status === 200);

    const forged = hub.forgeAuthority("us.lab.hansa");
    const bundle = { type: "BundleSet", key: bundleKey(), data: toBundle(forged, 99) };
    await hub.say(bundle);
    await hub.sayAs((await us()).account, hub.signer, bundle);
    expect((await believed()).get(bundleKey())).toEqual(bundle.data);
    const leaf = newSvid(forged, workloadId(forged.trustDomain, "shop", "web"));
    const sni = "http.pay.shop.svc.lab.hansa";
    const refused = await knock({ address: `${rig.address("eu", 10)}:15006`, sni, ...leaf });
    expect(refused.status).toBe(0);
    await reported("HSA2004");
    const own = await rig.post<{ certPem: string; keyPem: string }>("us", "/v1/svid", {
      namespace: "shop",
      serviceAccount: "web",
    });
    expect(await knock({ address: `${rig.address("eu", 10)}:15006`, sni, ...own })).toMatchObject({
      status: 200,
    });
    await meshGoesOn();
  });
});

describe("a hub that speaks", () => {
  it("for a foreign domain is believed where the hub may; here operators must have signed it", async () => {
    const forged = toBundle(hub.forgeAuthority("partner.example"), 1);
    const key = foreignKey("partner.example");
    const { roots } = forged;
    const data = { trustDomain: "partner.example", roots, signatures: [] };
    await hub.say({ type: "ForeignSet", key, data });
    expect((await believed()).get(key)).toEqual(data);
    await reported("HSA3007");
    await meshGoesOn();
  });

  it("with two tongues is one more voice where histories are not compared; here its trust changes end", async () => {
    const grant = hub.entry("us", {}).grant;
    const granting = (...zones: string[]) => ({
      type: "MembershipSet",
      key: membershipKey("us"),
      data: hub.entry("us", { grant: { ...grant, zones } }),
    });
    const second = granting("a", "b", "c");
    await hub.sayTwoThings(granting("a"), second);
    expect((await believed()).get(membershipKey("us"))).toEqual(second.data);
    await reported("HSA2008");
    await meshGoesOn();
    const gone = { type: "MembershipSet", key: membershipKey("us"), data: null };
    await hub.say(gone);
    expect((await believed()).get(membershipKey("us"))).toBeNull();
    await meshGoesOn();
    expect(await us()).toMatchObject({ state: "active" });
  });
});

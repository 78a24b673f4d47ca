/** Grants and quotas: facts outside them stay in the fold without effect. */
import {
  bundleKey,
  endpointKey,
  gatewayKey,
  identityKey,
  loadKey,
  policyKey,
  serviceKey,
} from "@hansa/events";
import { beforeEach, describe, expect, it } from "vitest";
import { Federation } from "./federation.ts";
import {
  admit,
  endpoint,
  feed,
  GRANT,
  newFederation,
  type RigSource,
  rigCluster,
  rigHub,
  service,
} from "./rig.ts";

let fed: Federation;
let hub: RigSource;
let eu: RigSource;

beforeEach(() => {
  hub = rigHub();
  eu = rigCluster("eu", 2);
  fed = newFederation();
  feed(fed, admit(hub, eu).write());
});

const has = (key: string, observer?: string): boolean => fed.effective("eu", key, observer) !== undefined;
const load = { healthy: 1, total: 1, desired: 1, weight: 1 };
const gateway = (address: string, region = "eu-west-1") => ({ address, port: 15443, region, ready: true });

describe("a grant", () => {
  it.each(["127.0.0.1", "169.254.1.1", "224.0.0.1", "11.0.0.1", "eu.example", "fe80::1"])(
    "never covers a gateway at %s",
    (address) => {
      feed(fed, eu.set("GatewaySet", gatewayKey("g"), gateway(address)).write());
      expect(has(gatewayKey("g"))).toBe(false);
      expect(fed.get("eu", gatewayKey("g"))).toBeDefined();
      expect(fed.findings()).toMatchObject([{ code: "HSA3006", cluster: "eu", key: gatewayKey("g") }]);
    },
  );

  it("does not cover loopback outside a lab even where it names it", () => {
    feed(fed, admit(hub, eu, { grant: { cidrs: ["127.0.0.0/8"] } }).write());
    feed(fed, eu.set("GatewaySet", gatewayKey("g"), gateway("127.0.0.1")).write());
    expect(has(gatewayKey("g"))).toBe(false);
  });

  it("covers its own region and zones only", () => {
    eu.set("LoadSet", loadKey("shop", "pay", "http", "eu-west-1", "a"), load);
    eu.set("LoadSet", loadKey("shop", "pay", "http", "eu-west-1", "z"), load);
    eu.set("LoadSet", loadKey("shop", "pay", "http", "us-east-1", "a"), load);
    eu.set("GatewaySet", gatewayKey("g"), gateway("10.0.0.1", "us-east-1"));
    feed(fed, eu.write());
    expect([...fed.registers("eu")].filter((view) => has(view.key)).map((view) => view.key)).toEqual([
      loadKey("shop", "pay", "http", "eu-west-1", "a"),
    ]);
  });

  it("hides an export outside its namespaces from others and leaves the service to its own cluster", () => {
    feed(fed, service(eu, "bank", "ledger").write());
    const key = serviceKey("bank", "ledger");
    expect(has(key)).toBe(false);
    expect(has(key, "us")).toBe(false);
    expect(fed.effective("eu", key, "eu")?.value).toMatchObject({ export: null });
    expect(fed.findings()).toMatchObject([{ code: "HSA3006", key }]);
  });

  it("leaves a cluster its own places", () => {
    feed(fed, endpoint(eu, "pay", "p", "192.168.0.1").write());
    expect(has(endpointKey("shop", "pay", "p"))).toBe(false);
    expect(has(endpointKey("shop", "pay", "p"), "eu")).toBe(true);
  });

  it("widens for what is there already", () => {
    feed(fed, service(eu, "bank", "ledger").write());
    feed(fed, admit(hub, eu, { grant: { namespaces: ["shop", "bank"] } }).write());
    expect(has(serviceKey("bank", "ledger"))).toBe(true);
  });

  it("covers identities and a bundle of its own trust domain only", () => {
    eu.set("IdentitySet", identityKey("shop", "pay"), { spiffeId: "spiffe://eu.lab.hansa/ns/shop/sa/pay" });
    eu.set("IdentitySet", identityKey("shop", "web"), { spiffeId: "spiffe://us.lab.hansa/ns/shop/sa/web" });
    eu.set("IdentitySet", identityKey("bank", "x"), { spiffeId: "spiffe://eu.lab.hansa/ns/bank/sa/x" });
    eu.set("BundleSet", bundleKey(), { trustDomain: "us.lab.hansa", sequence: 1, roots: [] });
    feed(fed, eu.write());
    expect(has(identityKey("shop", "pay"))).toBe(true);
    expect(has(identityKey("shop", "web"))).toBe(false);
    expect(has(identityKey("bank", "x"))).toBe(false);
    expect(has(bundleKey())).toBe(false);
    expect(has(bundleKey(), "eu")).toBe(false);
  });
});

describe("the hub", () => {
  it("sets failover policies and nothing of a cluster's", () => {
    const failover = {
      tiers: [["eu"]],
      regions: {},
      threshold: 70,
      hysteresisPercent: 10,
      hysteresisMs: 30_000,
    };
    hub.set("PolicySet", policyKey("failover", "-", "-"), failover);
    hub.set("PolicySet", policyKey("allow", "shop", "all"), {
      service: "pay",
      from: [{ cluster: "*", namespace: "*", serviceAccount: "*" }],
    });
    service(hub, "shop", "pay");
    feed(fed, hub.write());
    expect(fed.effective("hub", policyKey("failover", "-", "-"))).toBeDefined();
    expect(fed.effective("hub", policyKey("allow", "shop", "all"))).toBeUndefined();
    expect(fed.effective("hub", serviceKey("shop", "pay"))).toBeUndefined();
    expect(fed.findings().map((finding) => finding.code)).toEqual(["HSA2013", "HSA2013"]);
  });
});

describe("a quota", () => {
  const shown = (of: Federation): string[] =>
    [...of.registers("eu", "ep")].flatMap((view) => of.effect("eu", view)?.key ?? []).sort();

  beforeEach(() => {
    feed(fed, admit(hub, eu, { grant: { quotas: { ...GRANT.quotas, endpoints: 10 } } }).write());
  });

  it("lets the same registers count in every history", () => {
    for (let id = 0; id < 30; id++) feed(fed, endpoint(eu, "pay", `p${id}`).write());
    for (let id = 0; id < 30; id += 3) feed(fed, eu.remove(endpointKey("shop", "pay", `p${id}`)).write());
    expect(shown(fed)).toHaveLength(10);
    expect(fed.findings()).toHaveLength(10);
    eu.writer("ep").requestSnapshot();
    const tail = eu.write();
    const joiner = newFederation();
    feed(joiner, hub.log);
    for (const record of tail) joiner.apply(record, { acceptGap: true });
    expect(joiner.digest()).toBe(fed.digest());
    expect(shown(joiner)).toEqual(shown(fed));
  });

  it("names every register whose effect it changes", () => {
    const effect = new Set<string>();
    for (let id = 0; id < 40; id++) {
      if (id < 25) endpoint(eu, "pay", `p${id}`);
      else eu.remove(endpointKey("shop", "pay", `p${id - 25}`));
      for (const record of eu.write()) {
        const outcome = fed.apply(record);
        if (outcome.kind !== "applied") throw new Error(outcome.kind);
        for (const { key } of outcome.changed) {
          if (has(key)) effect.add(key);
          else effect.delete(key);
        }
      }
      expect([...effect].sort()).toEqual(shown(fed));
    }
  });

  it("holds after a restart from disk", () => {
    for (let id = 0; id < 20; id++) endpoint(eu, "pay", `p${id}`);
    feed(fed, eu.write());
    const restored = Federation.restore(JSON.parse(JSON.stringify(fed.dump())), fed.options)!;
    expect(shown(restored)).toEqual(shown(fed));
    expect(restored.findings()).toEqual(fed.findings());
  });

  it("moves with the grant", () => {
    for (let id = 0; id < 20; id++) endpoint(eu, "pay", `p${id}`);
    feed(fed, eu.write());
    const [record] = admit(hub, eu, { grant: { quotas: { ...GRANT.quotas, endpoints: 15 } } }).write();
    fed.apply(record!);
    expect(shown(fed)).toHaveLength(15);
  });
});

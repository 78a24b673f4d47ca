/**
 * A hostile member that lies about what it was never granted: namespaces, ages, addresses, amounts. Its records go over
 * a real NATS into us's fold, the view of it into a real Envoy; `ungranted` is the same fold without grants.
 */
import type { TrustDomain } from "@hansa/core";
import { gatewayKey, loadKey, type ServicePort, type ServiceValue, serviceKey } from "@hansa/events";
import { FailbackMemory, type FederationReader, type ServicePortView, servicePortViews } from "@hansa/model";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { cluster, eventually, id } from "../contract/envoy/world.ts";
import { ungranted } from "./support/believer.ts";
import { type Impostor, impostor } from "./support/impostor.ts";
import { world as bus, EVIL_ADMITTED_MS, League, PAY } from "./support/league.ts";
import { clientResources, EVIL, world as mesh, pay, pushClient } from "./support/mesh.ts";

let league: League;
beforeEach(async () => {
  league = await League.form();
});
afterAll(async () => {
  await Promise.all([bus.close(), mesh.close()]);
});

const HTTP: ServicePort = { name: "http", port: 80, protocol: "http" };

const exported = (sinceMs: number, port = HTTP): ServiceValue => ({
  type: "ClusterSetIP",
  ports: [port],
  serviceAccounts: ["pay"],
  createdMs: sinceMs,
  export: { sinceMs, to: "all" },
});

/** Ready pods behind a gateway at `address`. */
const capacity = (namespace: string, name: string, address: string): void => {
  const region = "eu-west-1";
  const load = { healthy: 9, total: 9, desired: 9, weight: 9 };
  league.evil.source.set("LoadSet", loadKey(namespace, name, "http", region, "a"), load as never);
  league.evil.source.set("GatewaySet", gatewayKey("g"), { address, port: 15_443, region, ready: true });
};

/** `namespace/name` as us's sidecars see it. */
const seen = (fed: FederationReader, namespace: string, name: string): ServicePortView[] =>
  servicePortViews(
    {
      fed,
      self: { cluster: cluster("us"), region: "eu-west-1", zone: "a" },
      memory: new FailbackMemory(),
      monotonicMs: 0,
    },
    namespace,
    name,
  );

const exporters = (views: readonly ServicePortView[]) =>
  views.flatMap((view) => view.exporters.map((exporter) => exporter.cluster));

describe("an export of a namespace that was not granted", () => {
  it("draws another cluster's calls to itself where nobody asks for grants; here it is inert", async () => {
    league.us.source.set("ServiceSet", serviceKey("bank", "vault"), { ...exported(1), export: null });
    await league.publish(league.us, league.us.source.write());
    league.evil.source.set("ServiceSet", serviceKey("bank", "vault"), exported(1));
    capacity("bank", "vault", "10.6.6.6");
    await league.publish(league.evil, league.evil.source.write());
    const fed = await league.fold();
    expect(exporters(seen(ungranted(fed), "bank", "vault"))).toEqual(["evil"]);
    expect(exporters(seen(fed, "bank", "vault"))).toEqual(["us"]);
    expect(fed.findings()).toContainEqual(expect.objectContaining({ code: "HSA3006", cluster: "evil" }));
  });
});

describe("an export that claims to be older than its cluster's membership", () => {
  it("decides what the service is, where ages are believed, and takes all calls; here the honest one stays the oldest", async () => {
    const tcp: ServicePort = { name: "http", port: 80, protocol: "tcp" };
    league.evil.source.set("ServiceSet", PAY, exported(1, tcp));
    capacity("shop", "pay", "10.6.6.6");
    await league.publish(league.evil, league.evil.source.write());
    const fed = await league.fold();
    expect(fed.member("evil")?.membership.admittedMs).toBe(EVIL_ADMITTED_MS);
    const [taken] = seen(ungranted(fed), "shop", "pay");
    expect([taken?.port.protocol, exporters([taken!])]).toEqual(["tcp", ["evil"]]);
    const [held] = seen(fed, "shop", "pay");
    expect([held?.port.protocol, exporters([held!])]).toEqual(["http", ["us"]]);
  });
});

describe("a gateway at an address that was not granted", () => {
  let victim: Impostor | undefined;

  it("has others' Envoys dial it, wherever that is; here nobody dials it", async () => {
    // Stands for anything that is not evil's to name: a loopback port, a metadata service, another tenant's host.
    victim = await impostor(EVIL, 15_443, mesh.svid("eu", "pay"));
    league.evil.source.set("ServiceSet", PAY, exported(EVIL_ADMITTED_MS));
    capacity("shop", "pay", EVIL);
    await league.publish(league.us, league.us.source.remove(PAY).write());
    await league.publish(league.evil, league.evil.source.write());
    const fed = await league.fold();
    const bundles = new Map([
      ...mesh.bundles("us"),
      ["evil.lab.hansa" as TrustDomain, mesh.bundles("evil").values().next().value ?? []],
    ]);
    const call = async (reader: FederationReader) => {
      const views = seen(reader, "shop", "pay");
      await pushClient(clientResources({ views, bundles }));
      return (await pay()).status;
    };
    await call(ungranted(fed));
    await eventually(async () => (victim?.knocked() ?? 0) > 0);
    const knocked = victim.knocked();
    expect(await call(fed)).toBe(503);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(victim.knocked()).toBe(knocked);
    expect(fed.findings()).toContainEqual(expect.objectContaining({ code: "HSA3006", key: "gateway/g" }));
    await victim.close();
  });
});

describe("more than was granted", () => {
  it("is everybody's to carry where nothing is counted; here what is over the quota is inert (T13)", async () => {
    const { services } = (await league.fold()).member("evil")!.membership.grant.quotas;
    for (let n = 0; n < services + 50; n += 1)
      league.evil.source.set("ServiceSet", serviceKey("shop", `s${n}`), exported(EVIL_ADMITTED_MS));
    await league.publish(league.evil, league.evil.source.write());
    const fed = await league.fold();
    const offered = (reader: FederationReader) =>
      [...fed.serviceNames("evil")].filter(({ namespace, name }) => seen(reader, namespace, name).length > 0);
    expect(offered(ungranted(fed))).toHaveLength(services + 50);
    expect(offered(fed)).toHaveLength(services);
    expect(exporters(seen(fed, "shop", "pay"))).toEqual(["us"]);
  });
});

describe("an identity of another's trust domain", () => {
  it("is published in vain: who may serve follows from the exporter's own name (T3)", async () => {
    const spiffeId = id("us", "pay");
    league.evil.source.set("IdentitySet", "identity/shop/pay", { spiffeId } as never);
    league.evil.source.set("ServiceSet", PAY, exported(EVIL_ADMITTED_MS));
    capacity("shop", "pay", "10.6.6.6");
    await league.publish(league.evil, league.evil.source.write());
    const fed = await league.fold();
    const ids = seen(fed, "shop", "pay").flatMap((view) =>
      view.exporters.flatMap(({ allowedIds }) => allowedIds),
    );
    expect(ids.sort()).toEqual(["evil", "us"].map((name) => `spiffe://${name}.lab.hansa/ns/shop/sa/pay`));
    expect(ungranted(fed).effective("evil", "identity/shop/pay")?.value).toMatchObject({ spiffeId });
    expect(fed.effective("evil", "identity/shop/pay")).toBeUndefined();
  });
});

/** `clusterset.local` in clusters with real API servers: what the ServiceImport says, DNS says (KEP-1645 DNS schema 1.0.0). */
import { Resolver } from "node:dns/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { DNS_PORT, McsRig, namespace, service, serviceExport, slice } from "./mcs-rig.ts";

const HELLO = "hello.shop.svc.clusterset.local";
const DB = "db.shop.svc.clusterset.local";
const WAIT = { timeout: 20_000, interval: 50 };
let rig: McsRig;
let us: Resolver;

/** Addresses in order, or the code where there are none. */
const ask = (name: string): Promise<readonly string[] | string> =>
  us.resolve4(name).then(
    (addresses) => addresses.sort(),
    (error: { code: string }) => error.code,
  );

beforeAll(async () => {
  rig = await McsRig.start(["eu", "us"]);
  us = new Resolver({ timeout: 2000, tries: 1 });
  us.setServers([`${rig.agents.address("us", 2)}:${DNS_PORT}`]);
  await Promise.all([rig.apply("eu", namespace("shop")), rig.apply("us", namespace("shop"))]);
}, 120_000);
afterAll(() => rig?.stop());

it("a service that nobody exports does not exist", async () => {
  const ports = [
    { name: "tcp", port: 42, protocol: "TCP" },
    { name: "udp", port: 42, protocol: "UDP" },
  ];
  await rig.apply("eu", service("hello", { ports }), slice("hello", ["10.241.0.7"]));
  await expect.poll(() => ask(HELLO), WAIT).toBe("ENOTFOUND");
});

it("an export has the address of this cluster's import, and a port for each transport", async () => {
  await rig.apply("eu", serviceExport("hello"));
  const { spec } = await rig.import("us", "hello");
  await expect.poll(() => ask(HELLO), WAIT).toEqual(spec.ips);
  for (const transport of ["tcp", "udp"])
    expect(await us.resolveSrv(`_${transport}._${transport}.${HELLO}`)).toMatchObject([
      { name: HELLO, port: 42 },
    ]);
  expect(await ask(`eu.${HELLO}`)).toBe("ENOTFOUND");
});

it("a headless one has its endpoints, by their host names and ports too", async () => {
  await rig.apply("eu", service("db", { clusterIP: "None" }), slice("db", ["10.241.0.8", "10.241.0.9"]));
  await rig.apply("eu", serviceExport("db"));
  await expect.poll(() => ask(DB), WAIT).toEqual(["10.241.0.8", "10.241.0.9"]);
  expect(await ask(`db-1.eu.${DB}`)).toEqual(["10.241.0.9"]);
  const targets = (await us.resolveSrv(`_tcp._tcp.${DB}`)).map(({ name, port }) => `${name}:${port}`);
  expect(targets.sort()).toEqual([`db-0.eu.${DB}:4242`, `db-1.eu.${DB}:4242`]);
});

it("answers stay while no API server does", async () => {
  const before = [await ask(HELLO), await ask(DB)];
  await Promise.all([rig.kube.cluster("eu").killApiServer(), rig.kube.cluster("us").killApiServer()]);
  expect([await ask(HELLO), await ask(DB)]).toEqual(before);
  await Promise.all([rig.kube.cluster("eu").startApiServer(), rig.kube.cluster("us").startApiServer()]);
  expect([await ask(HELLO), await ask(DB)]).toEqual(before);
});

it("an export that ends ends its names", async () => {
  await rig.delete("eu", "serviceexport", "hello");
  await expect.poll(() => ask(HELLO), WAIT).toBe("ENOTFOUND");
  expect(await ask(DB)).toHaveLength(2);
});

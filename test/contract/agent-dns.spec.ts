/** `clusterset.local` from a real agent without Kubernetes: what it answers, how soon, and what it needs for it. */
import { Resolver } from "node:dns/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AgentRig, replica, service, until, workload } from "./agent-rig.ts";

const PAY = "pay.shop.svc.clusterset.local";
const DB = "db.shop.svc.clusterset.local";
const PORT = 15_053;
let rig: AgentRig;
let resolver: Resolver;

const db = (count: number, ready = true) => ({
  services: [service("pay", "http"), { ...service("db", "tcp"), type: "Headless" }],
  workloads: [
    workload("pay", [replica("pay-1", rig.address("eu", 10))]),
    workload(
      "db",
      Array.from({ length: count }, (_, at) => replica(`db-${at}`, rig.address("eu", 20 + at), ready)),
    ),
  ],
});
const codeOf = (name: string): Promise<string> =>
  resolver.resolve4(name).then(
    () => "answered",
    (error: { code: string }) => error.code,
  );
const addresses = async (): Promise<string[]> => (await resolver.resolve4(DB).catch(() => [])).sort();

beforeAll(async () => {
  rig = await AgentRig.start();
  resolver = new Resolver({ timeout: 2000, tries: 1 });
  resolver.setServers([`${rig.address("eu", 2)}:${PORT}`]);
  rig.configure("eu", await rig.joinToken("eu"), {
    dns: { listen: [{ host: rig.address("eu", 2), port: PORT }] },
  });
}, 60_000);
afterAll(() => rig?.stop());

test("before the agent knows what there is, nothing is told to be missing", async () => {
  rig.source("eu", "services: none of your business\n");
  const ready = rig.agent("eu");
  await until("DNS answers", async () => (await codeOf(PAY)) === "ESERVFAIL");
  rig.source("eu", db(2));
  await ready;
  await until("it knows", async () => (await codeOf("nobody.shop.svc.clusterset.local")) === "ENOTFOUND");
});

test("a headless service has the addresses of its endpoints", async () => {
  expect(await addresses()).toEqual([rig.address("eu", 20), rig.address("eu", 21)]);
  expect((await resolver.resolveSrv(`_tcp._tcp.${DB}`)).map(({ name }) => name).sort()).toEqual(
    [20, 21].map((host) => `${rig.address("eu", host).replaceAll(".", "-")}.eu.${DB}`),
  );
});

test("without Kubernetes a cluster-set address would reach nobody, so there is none; its ports are told", async () => {
  expect(await codeOf(PAY)).toBe("ENODATA");
  expect(await resolver.resolveSrv(`_http._tcp.${PAY}`)).toMatchObject([{ name: PAY, port: 80 }]);
});

test("an endpoint that comes or goes is answered within a moment, the last one with NXDOMAIN", async () => {
  rig.source("eu", db(5));
  await until("five", async () => (await addresses()).length === 5);
  rig.source("eu", db(5, false));
  await until("none", async () => (await codeOf(DB)) === "ENOTFOUND");
  rig.source("eu", db(3));
  await until("three", async () => (await addresses()).length === 3);
});

test("hub and NATS down, and the agent started anew: the answers stay", async () => {
  await rig.hub.hub.stop();
  await rig.hub.nats.stop();
  expect((await addresses()).length).toBe(3);
  rig.source("eu", db(4));
  await until("four", async () => (await addresses()).length === 4);
  await rig.restart("eu");
  expect((await addresses()).length).toBe(4);
  await until("answers are counted", async () =>
    (await rig.metrics("eu")).includes('hansa_dns_answers_total{transport="udp",rcode="NOERROR"}'),
  );
});

/** Agents as their users meet them: a real hub, nats-server and Postgres, real agents, real Envoys. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { AgentRig, allow, replica, service, until, workload } from "./agent-rig.ts";
import { call, tcpLine } from "./envoy/calls.ts";

let rig: AgentRig;
const PAY = "pay.shop.svc.clusterset.local";

const euDocument = () => ({
  services: [],
  workloads: [workload("web", [replica("web-1", rig.address("eu", 10))], [])],
});
const usDocument = (payReady = true, extra: readonly unknown[] = []) => ({
  services: [service("pay", "http"), service("ledger", "tcp"), service("private", "http", false)],
  workloads: [
    workload("pay", [replica("pay-1", rig.address("us", 10), payReady), ...extra]),
    workload("ledger", [replica("ledger-1", rig.address("us", 11))]),
  ],
  allows: [allow("pay", "eu", "web"), allow("ledger", "eu", "web")],
});

const web = (host: string) => call(rig.address("eu", 10), 15_001, host);

beforeAll(async () => {
  rig = await AgentRig.start();
  rig.source("eu", euDocument());
  rig.source("us", usDocument());
  rig.configure("eu", await rig.joinToken("eu"));
  rig.configure("us", await rig.joinToken("us"));
  await Promise.all([rig.agent("eu"), rig.agent("us")]);
  await rig.app("http", "pay", rig.address("us", 10));
  await rig.app("tcp", "ledger", rig.address("us", 11));
  await Promise.all([
    rig.envoy("us", "gateway/gw", rig.address("us", 1)),
    rig.envoy("eu", "gateway/gw", rig.address("eu", 1)),
    rig.envoy("us", "shop/pay/pay-1", rig.address("us", 10)),
    rig.envoy("us", "shop/ledger/ledger-1", rig.address("us", 11)),
    rig.envoy("eu", "shop/web/web-1", rig.address("eu", 10)),
  ]);
}, 120_000);

afterAll(async () => {
  await rig?.stop();
});

test("a call from eu reaches us through its gateway, and the app sees the caller's identity", async () => {
  await until("pay answers", async () => (await web(PAY)).status === 200);
  const answer = await web(PAY);
  const { name, headers } = JSON.parse(answer.body);
  expect(name).toBe("pay");
  expect(headers["x-forwarded-client-cert"]).toContain("URI=spiffe://eu.lab.hansa/ns/shop/sa/web");
});

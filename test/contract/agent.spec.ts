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

test("plain TCP has a port of its own at every sidecar", async () => {
  const { tcpPorts } = await rig.get<{ tcpPorts: Record<string, number> }>(
    "eu",
    "/v1/proxies/shop%2Fweb%2Fweb-1",
  );
  const port = tcpPorts["tcp.ledger.shop.svc.lab.hansa"];
  expect(port).toBeGreaterThanOrEqual(16_000);
  await until("ledger answers", async () =>
    (await tcpLine(rig.address("eu", 10), port ?? 0, "hello\n")).includes("ledger hello"),
  );
});

test("what is not exported is not there", async () => {
  expect((await web("private.shop.svc.clusterset.local")).status).toBe(404);
});

test("withdrawing an allow refuses the next request of a live connection, giving it back admits again", async () => {
  rig.source("us", { ...usDocument(), allows: [] });
  await until("pay refuses", async () => (await web(PAY)).status === 403);
  rig.source("us", usDocument());
  await until("pay answers", async () => (await web(PAY)).status === 200);
});

test("a file with a mistake changes nothing, and status names the place", async () => {
  rig.source("us", "services:\n  - namespace: shop\n    name: Pay\n    ports: [{ port: 80 }]\n");
  await until(
    "problem shows",
    async () => (await rig.get<Status>("us", "/v1/status")).source.problems.length > 0,
  );
  const { source } = await rig.get<Status>("us", "/v1/status");
  expect(source.problems[0]).toContain("services[0].name");
  expect((await web(PAY)).status).toBe(200);
  rig.source("us", usDocument());
  await until("mended", async () => (await rig.get<Status>("us", "/v1/status")).source.problems.length === 0);
});

test("an endpoint change reaches the remote Envoy in milliseconds", async () => {
  const times: number[] = [];
  for (let round = 0; round < 21; round++) {
    const ready = round % 2 === 1;
    const start = performance.now();
    rig.source("us", usDocument(ready));
    await until("eu's fold has it", async () => {
      const { localities } = await route();
      return localities[0]?.healthy === (ready ? 1 : 0);
    });
    times.push(performance.now() - start);
  }
  rig.source("us", usDocument());
  const metrics = await rig.metrics("eu");
  const counted = /federation_propagation_seconds_count\{source="us",importer="eu"\} (\d+)/.exec(
    metrics,
  )?.[1];
  expect(Number(counted)).toBeGreaterThan(20);
});

test("agents hear each other while the hub is dead", async () => {
  await rig.hub.hub.kill();
  rig.source("us", usDocument(false));
  await until("the change arrives", async () => (await web(PAY)).status === 503);
  rig.source("us", usDocument());
  await until("and back", async () => (await web(PAY)).status === 200);
});

test("with hub and NATS dead an agent restarts from its disk, answers its Envoys and applies local changes", async () => {
  await rig.hub.nats.kill();
  await rig.restart("eu");
  expect((await web(PAY)).status).toBe(200);
  await until(
    "its Envoys are back",
    async () => (await rig.get<Status>("eu", "/v1/status")).proxies.connected === 2,
  );
  const status = await rig.get<Status>("eu", "/v1/status");
  expect(status).toMatchObject({ bus: { up: false }, follower: { restored: true } });
  const web2 = replica("web-2", rig.address("eu", 12));
  rig.source("eu", {
    services: [],
    workloads: [workload("web", [replica("web-1", rig.address("eu", 10)), web2], [])],
  });
  await until(
    "a new sidecar is offered",
    async () => (await rig.get<{ total: number }>("eu", "/v1/proxies")) !== undefined,
  );
  await rig.envoy("eu", "shop/web/web-2", rig.address("eu", 12));
  await until("it calls us", async () => (await call(rig.address("eu", 12), 15_001, PAY)).status === 200);
});

test("when NATS and the hub return, what happened meanwhile is published and committed", async () => {
  rig.source("us", usDocument(true, [replica("pay-2", rig.address("us", 13), false)]));
  await rig.hub.startNats();
  await until("eu hears of pay-2", async () => (await route()).localities[0]?.total === 2, 30_000);
  await rig.hub.startHub();
  await until(
    "outboxes drain",
    async () => (await rig.get<Status>("us", "/v1/status")).writer.outbox === 0,
    30_000,
  );
});

interface Status {
  readonly source: { readonly problems: readonly string[] };
  readonly writer: { readonly outbox: number };
  readonly proxies: { readonly connected: number };
}

interface Locality {
  readonly healthy: number;
  readonly total: number;
}

async function route(): Promise<{ localities: readonly Locality[] }> {
  const { ports } = await rig.get<{ ports: { localities: Locality[] }[] }>(
    "eu",
    "/v1/routes?ns=shop&service=pay",
  );
  return { localities: ports[0]?.localities ?? [] };
}

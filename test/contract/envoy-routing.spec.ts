/**
 * Where requests go: shares by weights and health against the model's prediction, failover without a lost request,
 * and the spread over pods behind a gateway. Three clusters, one caller in `us`, real Envoys.
 */
import { predictShares, type ServicePortView, type ViewLocality } from "@hansa/model";
import { gatewayResources, sidecarResources } from "@hansa/xds";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type App, grpcApp, httpApp, tcpApp } from "./envoy/apps.ts";
import { grpcCall, h2, tcpLine } from "./envoy/calls.ts";
import { count, load } from "./envoy/load.ts";
import {
  cluster,
  domain,
  eventually,
  FEDERATION,
  GRPC,
  HTTP,
  healthy,
  hostOf,
  id,
  locality,
  missing,
  type RunningProxy,
  servingOf,
  sniOf,
  TCP,
  viewOf,
  World,
} from "./envoy/world.ts";

const CLUSTERS = ["us", "eu", "ap"] as const;
type Name = (typeof CLUSTERS)[number];
const world = await World.create(CLUSTERS);
const net = (name: Name): number => CLUSTERS.indexOf(name) + 1;
const CLIENT = world.address(1, 100);
const gatewayAddress = (name: Name): string => world.address(net(name), 1);
const pods = (name: Name): string[] => [10, 11, 12, 13].map((host) => world.address(net(name), host));
const gatewayOf = (name: Name, weight = 1) => healthy(gatewayAddress(name), 15_443, weight);
const sidecar = (address: string, weight = 1) => healthy(address, 15_006, weight);
const PORTS = [HTTP, GRPC, TCP];
const ALL = CLUSTERS.map((name) => ({ kind: "prefix", value: `spiffe://${domain(name)}/` }) as const);

const running = new Map<string, RunningProxy>();
const apps = new Map<string, App[]>();
let client: RunningProxy;

const clientResources = (views: readonly ServicePortView[]) =>
  sidecarResources({
    federation: FEDERATION,
    self: { cluster: cluster("us"), region: "us-1", zone: "" },
    proxy: {
      id: "shop/web/web-1",
      trustDomain: domain("us"),
      spiffeId: id("us", "web"),
      listen: { address: CLIENT, outboundPort: 15_001, inboundPort: 15_006 },
      apps: new Map(),
    },
    views,
    serving: [],
    tcpPorts: new Map([[sniOf("pay", TCP), 16_000]]),
    svid: world.svid("us", "web"),
    bundles: world.bundles(),
  });

const serverResources = (name: Name, address: string) =>
  sidecarResources({
    federation: FEDERATION,
    self: { cluster: cluster(name), region: `${name}-1`, zone: "" },
    proxy: {
      id: `shop/pay/${address}`,
      trustDomain: domain(name),
      spiffeId: id(name, "pay"),
      listen: { address, outboundPort: 15_001, inboundPort: 15_006 },
      apps: new Map([
        [sniOf("pay", HTTP), { address, port: 8080, protocol: "http" }],
        [sniOf("pay", GRPC), { address, port: 9090, protocol: "grpc" }],
        [sniOf("pay", TCP), { address, port: 5432, protocol: "tcp" }],
      ]),
    },
    views: [],
    serving: PORTS.map((port) => servingOf("pay", port, [], ALL)),
    tcpPorts: new Map(),
    svid: world.svid(name, "pay"),
    bundles: world.bundles(),
  });

const gatewayWith = (name: Name, addresses: readonly string[], extra = false) =>
  gatewayResources({
    federation: FEDERATION,
    cluster: cluster(name),
    listen: { address: gatewayAddress(name), port: 15_443 },
    serving: (extra ? ["pay", "cart"] : ["pay"]).flatMap((service) =>
      PORTS.map((port) =>
        servingOf(
          service,
          port,
          addresses.map((address) => sidecar(address)),
        ),
      ),
    ),
    members: CLUSTERS.map(cluster),
    svid: world.svid(name, "gateway"),
    bundles: world.bundles(),
  });

const startApps = async (name: Name, address: string): Promise<App[]> => [
  await httpApp(`${name}/${address}`, address, 8080),
  await grpcApp(`${name}/${address}`, address, 9090),
  await tcpApp(`${name}/${address}`, address, 5432),
];

async function startPod(name: Name, address: string): Promise<void> {
  apps.set(address, await startApps(name, address));
  running.set(address, await world.proxy(`pod-${address}`, address, serverResources(name, address)));
}

const startGateway = async (name: Name, addresses: readonly string[]): Promise<void> =>
  void running.set(
    name,
    await world.proxy(`gateway-${name}`, gatewayAddress(name), gatewayWith(name, addresses)),
  );

async function route(localities: readonly ViewLocality[], overprovisioning = 143): Promise<void> {
  const views = PORTS.map((port) => ({
    ...viewOf("pay", port, CLUSTERS, localities),
    overprovisioning,
  }));
  expect(await client.ads.push(clientResources(views))).toEqual([]);
}

const from = (answer: { body: string }): string => JSON.parse(answer.body).name;

beforeAll(async () => {
  await Promise.all([
    ...pods("us")
      .slice(0, 2)
      .map((address) => startPod("us", address)),
    ...pods("eu").map((address) => startPod("eu", address)),
    startPod("ap", pods("ap")[0] as string),
    startGateway("eu", pods("eu").slice(0, 1)),
    startGateway("ap", pods("ap").slice(0, 1)),
  ]);
  client = await world.proxy("client", CLIENT, clientResources([]));
});
afterAll(() => world.close());
world.onClose(async () => {
  for (const app of [...apps.values()].flat()) await app.close();
});

const [us1, us2] = pods("us") as [string, string];
const SHARES: readonly (readonly [string, number, readonly ViewLocality[]])[] = [
  ["1 of 5 ready", 143, [locality("us", 0, "local", [sidecar(us1), missing("192.0.2.1", 4)])]],
  ["3 of 5 ready", 143, [locality("us", 0, "local", [sidecar(us1, 3), missing("192.0.2.1", 2)])]],
  ["4 of 5 ready", 143, [locality("us", 0, "local", [sidecar(us1, 4), missing("192.0.2.1", 1)])]],
  ["2 of 5 ready at 200", 200, [locality("us", 0, "local", [sidecar(us1, 2), missing("192.0.2.1", 3)])]],
  [
    "3 of 10 at a gateway",
    143,
    [locality("ap", 0, "gateway", [gatewayOf("ap", 3), missing("192.0.2.1", 7)])],
  ],
];

// 3 % of so many is beyond four standard deviations: chance does not fail the test.
const SHARE_REQUESTS = 5000;

test.each(SHARES)("shares: %s, as the model predicts within 3 percent", async (_name, factor, first) => {
  const localities = [...first, locality("eu", 1, "gateway", [gatewayOf("eu", 6)])];
  await route(localities, factor);
  const answers = await load({
    address: CLIENT,
    host: hostOf("pay"),
    requests: SHARE_REQUESTS,
    concurrency: 16,
  });
  const seen = count(answers, (answer) => from(answer).split("/")[0] as string);
  const predicted = predictShares(localities, factor);
  for (const [index, { cluster: name }] of localities.entries())
    expect(
      Math.abs((seen.get(name) ?? 0) / SHARE_REQUESTS - (predicted[index] as number) / 100),
      `${name}: ${[...seen]}`,
    ).toBeLessThan(0.03);
});

test("gRPC and HTTP spread over the pods behind a gateway, pods added later included", async () => {
  await running.get("eu")?.ads.push(gatewayWith("eu", pods("eu").slice(0, 2)));
  await route([locality("eu", 0, "gateway", [gatewayOf("eu")])]);
  const session = h2(CLIENT, 15_001);
  const rpc = async (): Promise<string> => from(await grpcCall(session, `${hostOf("pay")}:9090`));
  for (let call = 0; call < 200; call += 1) await rpc();
  await running.get("eu")?.ads.push(gatewayWith("eu", pods("eu")));
  const grpc = new Map<string, number>();
  for (let call = 0; call < 2000; call += 1) {
    const name = await rpc();
    grpc.set(name, (grpc.get(name) ?? 0) + 1);
  }
  session.close();
  const http = count(
    await load({ address: CLIENT, host: hostOf("pay"), requests: 2000, concurrency: 4 }),
    from,
  );
  for (const seen of [grpc, http]) {
    expect(seen.size, String([...seen])).toBe(4);
    for (const calls of seen.values()) {
      expect(calls, String([...seen])).toBeGreaterThanOrEqual(300);
      expect(calls, String([...seen])).toBeLessThanOrEqual(700);
    }
  }
  await running.get("eu")?.ads.push(gatewayWith("eu", pods("eu").slice(0, 1)));
});

test("exporters, gateways and exports come and go under load without a failed request", async () => {
  const near = locality("eu", 0, "gateway", [gatewayOf("eu")]);
  const far = locality("ap", 1, "gateway", [gatewayOf("ap")]);
  await route([near]);
  const pushes: Promise<unknown>[] = [];
  const change = (turn: number): void => {
    const view = viewOf(
      "pay",
      HTTP,
      turn % 2 === 0 ? CLUSTERS : ["eu"],
      turn % 2 === 0 ? [near, far] : [near],
    );
    const more = viewOf("cart", HTTP, ["eu"], [near]);
    const last = pushes.at(-1) ?? Promise.resolve();
    pushes.push(
      last.then(async () => {
        await client.ads.push(clientResources(turn % 3 === 0 ? [view, more] : [view]));
        await running.get("eu")?.ads.push(gatewayWith("eu", pods("eu").slice(0, 1), turn % 2 === 0));
      }),
    );
  };
  const answers = await load({
    address: CLIENT,
    host: hostOf("pay"),
    requests: 600,
    rate: 200,
    during: (sent) => {
      if (sent % 50 === 10) change((sent - 10) / 50);
    },
  });
  await Promise.all(pushes);
  expect([...count(answers, (answer) => String(answer.status))]).toEqual([["200", 600]]);
  expect(client.ads.nacks).toEqual([]);
});

const P0 = locality(
  "us",
  0,
  "local",
  [us1, us2].map((address) => sidecar(address)),
);
const LEAGUE = [
  P0,
  locality("eu", 1, "gateway", [gatewayOf("eu")]),
  locality("ap", 2, "gateway", [gatewayOf("ap")]),
];

/** 200 requests/s; `fault` strikes after 200 of them. Who answered, by cluster; "failed" where nobody did. */
async function under(
  fault: () => void,
  options: { method?: string; requests?: number } = {},
): Promise<Map<string, number>> {
  await route(LEAGUE);
  await eventually(async () => {
    const answers = await load({ address: CLIENT, host: hostOf("pay"), requests: 20 });
    return answers.every((answer) => answer.status === 200 && from(answer).startsWith("us/"));
  });
  const answers = await load({
    address: CLIENT,
    host: hostOf("pay"),
    requests: options.requests ?? 600,
    rate: 200,
    method: options.method ?? "GET",
    during: (sent) => {
      if (sent === 200) fault();
    },
  });
  return count(answers, (answer) =>
    answer.status === 200 ? (from(answer).split("/")[0] as string) : "failed",
  );
}

const retried = (): Promise<number> => client.stat(`cluster.${sniOf("pay", HTTP)}.upstream_rq_retry`);

test("applications die behind live sidecars: no request is lost, POST included, and the sidecars are ejected", async () => {
  const before = await retried();
  const seen = await under(
    () => [us1, us2].flatMap((pod) => apps.get(pod) ?? []).forEach((app) => void app.close()),
    {
      method: "POST",
    },
  );
  expect(seen.get("failed"), String([...seen])).toBeUndefined();
  expect(seen.get("eu")).toBeGreaterThan(380);
  // Each dead sidecar costs three answers, and one more set after each ejection; not one retry per request.
  expect((await retried()) - before).toBeLessThan(100);
  for (const pod of [us1, us2]) apps.set(pod, await startApps("us", pod));
});

test("sidecars hang: pings notice, no idempotent request is lost", async () => {
  const pids = [us1, us2].map((pod) => (running.get(pod) as RunningProxy).child.pid);
  const startMs = performance.now();
  const seen = await under(() => pids.forEach((pid) => void process.kill(pid, "SIGSTOP"))).finally(() => {
    for (const pid of pids) process.kill(pid, "SIGCONT");
  });
  expect(seen.get("failed"), String([...seen])).toBeUndefined();
  // The route's own time limit is 15 s: it was not what ended them.
  expect(performance.now() - startMs).toBeLessThan(12_000);
});

test("all local endpoints die, then the next cluster's gateway: no request and no new TCP connection is lost", async () => {
  const lines: Promise<string>[] = [];
  const line = (): void => void lines.push(tcpLine(CLIENT, 16_000, "x"));
  const kill = (): void => [us1, us2].forEach((pod) => void running.get(pod)?.child.kill());
  const seen = await under(
    () => {
      kill();
      for (let delayMs = 0; delayMs < 1000; delayMs += 10) setTimeout(line, delayMs);
    },
    { requests: 500 },
  );
  expect([...seen.keys()].sort(), String([...seen])).toEqual(["eu", "us"]);
  const connected = count(await Promise.all(lines), (answer) => answer.split("/")[0] as string);
  expect([...connected]).toEqual([["eu", 100]]);
  const answers = await load({
    address: CLIENT,
    host: hostOf("pay"),
    requests: 500,
    rate: 200,
    during: (sent) => {
      if (sent === 200) void running.get("eu")?.child.kill();
    },
  });
  const later = count(answers, (answer) =>
    answer.status === 200 ? (from(answer).split("/")[0] as string) : "failed",
  );
  expect([...later.keys()].sort(), String([...later])).toEqual(["ap", "eu"]);
});

/** `hansa check` against servers: what hub and agents say becomes findings, exit status and JSON. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FakeApi, items, nobody, Raw, type Routes, type World, world } from "../shell/api-fixture.ts";

const ACCOUNT = { eu: "AEU", us: "AUS" };
const cluster = (name: "eu" | "us") => ({
  name,
  account: ACCOUNT[name],
  state: "active",
  trustDomain: `${name}.lab.hansa`,
  region: "r",
  network: name,
  incarnation: 1,
  degraded: false,
});
const clusters = items(cluster("eu"), cluster("us"));
const linkItem = (from: string, to: string, more = {}) => ({
  cluster: from,
  peer: to,
  state: "normal",
  effective: true,
  value: {
    lease: "ok",
    probe: "ok",
    state: "normal",
    stage: "",
    rttMs: 1,
    sinceMs: 0,
    selfDoubt: false,
    ...more,
  },
});
const links = items(linkItem("eu", "us"), linkItem("us", "eu"));
const heads = [
  { source: "AHUB", lane: "sum", epoch: 1, seq: 3 },
  { source: "AEU", lane: "sum", epoch: 1, seq: 5 },
  { source: "AUS", lane: "sum", epoch: 1, seq: 7 },
];
const named = heads.map((head, index) => ({ ...head, cluster: ["hub", "eu", "us"][index] }));
const federation = {
  federation: "lab.hansa",
  fingerprint: "f1",
  lab: true,
  operators: { keys: ["k"], threshold: 1 },
  digest: "d1",
  findings: [],
};
const reads: Routes = {
  "GET /v1/clusters": clusters,
  "GET /v1/links": links,
  "GET /v1/services": items(),
  "GET /v1/endpoints": items(),
};
const hubRoutes = (): Routes => ({
  ...reads,
  "GET /livez": { live: true },
  "GET /readyz": { ready: true, role: "leader", checks: { archive: true, bus: true, current: true } },
  "GET /v1/federation": federation,
  "GET /v1/positions": { committed: named, acked: {}, gaps: [] },
  "GET /v1/bundles": items(
    { trustDomain: "eu.lab.hansa", effective: true },
    { trustDomain: "us.lab.hansa", effective: true },
  ),
});
const status = (more = {}) => ({
  fingerprint: "f1",
  ready: true,
  notReady: [],
  bus: { up: true },
  writer: { elected: true, synced: true, lanes: [{ lane: "sum", mode: "open" }], outbox: 0 },
  heads,
  digest: "d1",
  selfDoubt: "none",
  findings: [],
  source: { problems: [] },
  certificates: { ca: { notAfterMs: Date.now() + 1e12 }, svids: [] },
  ...more,
});
const proxy = {
  id: "gateway/gw",
  xds: { streams: 1, types: [{ typeUrl: "a.b/x.y.Cluster", sent: 4, acked: 4, inFlight: 0 }] },
};
const agentRoutes = (): Routes => ({
  ...reads,
  "GET /v1/federation": federation,
  "GET /v1/status": status(),
  "GET /v1/proxies": items(proxy),
  "GET /v1/paths": items({ to: "hub", host: "h", port: 8443, result: "passes" }),
});

let hub: FakeApi;
let eu: FakeApi;
let us: FakeApi;
let here: World;
beforeEach(async () => {
  [hub, eu, us] = await Promise.all([
    FakeApi.start(hubRoutes()),
    FakeApi.startAgent(agentRoutes()),
    FakeApi.startAgent(agentRoutes()),
  ]);
  here = await world(hub, { eu, us });
});
afterEach(() => here.end());

const findings = (json: { categories: { checks: { result: string; code?: string; error?: string }[] }[] }) =>
  json.categories.flatMap(({ checks }) => checks).filter(({ result }) => result !== "success");

describe("hansa check", () => {
  it("passes where all is well", async () => {
    const { status: exit, json } = await here.run("check");
    expect(findings(json)).toEqual([]);
    expect(json).toMatchObject({ apiVersion: "hansa/v1", kind: "CheckReport", success: true });
    expect(json.categories).toHaveLength(10);
    expect(exit).toBe(0);
  });

  it("runs the chosen categories alone", async () => {
    const { json } = await here.run("check", "--category", "clock,hub");
    expect(json.categories.map(({ categoryName }: { categoryName: string }) => categoryName)).toEqual([
      "hub",
      "clock",
    ]);
  });

  it("ends with 79 and names hub, bus and archive where the hub says it is not ready", async () => {
    const unready = { ready: false, role: "starting", checks: { archive: false, bus: false, current: true } };
    hub.set({ "GET /readyz": new Raw(503, { apiVersion: "hansa/v1", kind: "Ready", data: unready }) });
    const { status: exit, json } = await here.run("check");
    expect(findings(json).map(({ code }) => code)).toEqual(["HSA2011", "HSA2010"]);
    expect(json.success).toBe(false);
    expect(exit).toBe(79);
  });

  it("finds NACKs, another digest at the same heads, bad source, lost bus and expired certificates", async () => {
    us.set({
      "GET /v1/status": status({
        bus: { up: false },
        digest: "d2",
        source: { problems: ["services[0]: bad"] },
        certificates: { ca: { notAfterMs: Date.now() + 1e12 }, svids: [{ id: "spiffe://x", notAfterMs: 1 }] },
      }),
      "GET /v1/proxies": items({
        ...proxy,
        xds: {
          streams: 1,
          types: [
            {
              typeUrl: "x.Listener",
              sent: 4,
              acked: 3,
              nack: { message: "no such filter", atMs: 1, names: [] },
            },
          ],
        },
      }),
    });
    const { json } = await here.run("check");
    const codes = findings(json).map(({ code }) => code);
    expect(codes).toEqual(["HSA2010", "HSA3008", "HSA2007", "HSA1003", "HSA5001"]);
    expect(findings(json).at(-1)?.error).toBe("gateway/gw refused Listener: no such filter");
  }, 20_000);

  it("goes on with the agents where the hub is dead", async () => {
    await hub.stop();
    const { status: exit, json } = await here.run("check");
    const failing = findings(json);
    expect(failing[0]).toMatchObject({ code: "HSA1012", result: "error" });
    expect(
      json.categories.find(({ categoryName }: { categoryName: string }) => categoryName === "gateways").checks
        .length,
    ).toBeGreaterThan(1);
    expect(exit).toBe(79);
    hub = await FakeApi.start({});
  });

  it("tells wrong credentials from silence", async () => {
    us.set({ "GET /v1/status": new Raw(401, { code: "HSA3001", message: "the token is not valid here" }) });
    const { json } = await here.run("check", "--category", "context");
    expect(findings(json)).toMatchObject([{ code: "HSA3001" }]);
  });

  it("does not judge what has left", async () => {
    const gone = items(cluster("eu"), { ...cluster("us"), state: "evicted" });
    for (const api of [hub, eu]) api.set({ "GET /v1/clusters": gone });
    us.set({ "GET /v1/status": status({ bus: { up: false }, digest: "d9" }) });
    const { json } = await here.run("check");
    expect(findings(json)).toEqual([]);
  }, 20_000);

  it("warns of nothing but silence where no agent answers", async () => {
    const alone = await world(hub, { eu: await nobody() });
    const { json } = await alone.run("check", "--category", "context");
    expect(findings(json).map(({ code }) => code)).toEqual(["HSA1012", "HSA1005"]);
  });
});

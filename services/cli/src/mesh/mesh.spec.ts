/** Commands about the mesh against servers: what is asked, what is printed, and every way in which it fails. */
import { HansaError } from "@hansa/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  FakeApi,
  items,
  nobody,
  Raw,
  type Request,
  type Routes,
  type World,
  world,
} from "../shell/api-fixture.ts";

const cluster = (name: string, more = {}) => ({
  name,
  account: `A${name.toUpperCase()}`,
  region: `${name}-1`,
  network: name,
  trustDomain: `${name}.lab.hansa`,
  state: "active",
  incarnation: 1,
  degraded: false,
  value: { grant: { namespaces: ["shop"], cidrs: ["10.0.0.0/8"], zones: [`${name}-1a`] } },
  ...more,
});
const service = (of: string, name: string, more = {}) => ({
  cluster: of,
  namespace: "shop",
  name,
  exported: true,
  effective: true,
  epoch: 1,
  seq: 2,
  value: {
    type: "ClusterSetIP",
    ports: [{ name: "http", port: 80, protocol: "http" }],
    serviceAccounts: [name],
    export: { to: "all" },
  },
  ...more,
});
const link = (from: string, to: string, more = {}) => ({
  cluster: from,
  peer: to,
  effective: true,
  value: {
    lease: "ok",
    probe: "ok",
    state: "normal",
    stage: "",
    rttMs: 12,
    sinceMs: 0,
    selfDoubt: false,
    ...more,
  },
});
const endpoint = (of: string, id: string, workload: string) => ({
  cluster: of,
  namespace: "shop",
  service: "pay",
  id,
  address: "10.0.0.1",
  ready: true,
  effective: true,
  epoch: 1,
  seq: 3,
  value: { zone: `${of}-1b`, region: `${of}-1`, workload, ports: { http: 1 }, weight: 1 },
});
const locality = (name: string, priority: number, share: number) => ({
  priority,
  cluster: name,
  region: `${name}-1`,
  zone: "",
  via: priority === 0 ? "local" : "gateway",
  healthy: 2,
  total: 2,
  link: priority === 0 ? "self" : "normal",
  draining: false,
  sharePercent: share,
  endpoints: [],
  reason: "same zone",
  because: [{ register: `${name}/sum/service/shop/pay`, position: { epoch: 1, seq: 2 }, at: 0 }],
});
const port = (name: string, number: number) => ({
  port: { name, port: number, protocol: "http" },
  sni: `${name}.pay.shop.svc.lab.hansa`,
  localities: [locality("eu", 0, 100), locality("us", 1, 0)],
  excluded: [{ cluster: "ap", reason: "lost", because: [] }],
  conflicts: [{ field: "ports", reason: "x", message: "Conflicting ports. Using …" }],
  overprovisioning: 143,
  failsFast: false,
  summary: `${name}: 100 % to eu.`,
});
const route = {
  from: { cluster: "eu", region: "eu-1", zone: "eu-1a" },
  namespace: "shop",
  service: "pay",
  ports: [port("http", 80), port("admin", 81)],
  policy: { threshold: 70, because: [] },
  summary: "http: 100 % to eu.",
};
const access = (verdict: string) => ({
  caller: "spiffe://eu.lab.hansa/ns/shop/sa/web",
  namespace: "shop",
  service: "pay",
  verdict,
  by: verdict === "allow" ? "policy shop/x" : "default deny",
  message: "because",
  exporters: [{ cluster: "us", verdict, by: "x", message: "y", because: [] }],
});
const heads = (seq: number) => [{ source: "AUS", cluster: "us", lane: "sum", epoch: 1, seq }];
const lists = (): Routes => ({
  "GET /v1/clusters": items(cluster("eu"), cluster("us")),
  "GET /v1/services": items(
    service("eu", "pay"),
    service("us", "pay"),
    service("us", "vault", { exported: false }),
  ),
  "GET /v1/links": items(link("eu", "us"), link("us", "eu")),
  "GET /v1/endpoints": items(endpoint("eu", "pay.pay-1", "pay")),
  "GET /v1/identities": items({
    cluster: "eu",
    namespace: "shop",
    serviceAccount: "web",
    spiffeId: "spiffe://x",
    effective: false,
  }),
  "GET /v1/policies": items({
    cluster: "us",
    kind: "allow",
    namespace: "shop",
    name: "x",
    effective: true,
    value: { service: "pay", from: [{ cluster: "eu", namespace: "shop", serviceAccount: "web" }] },
  }),
  "GET /v1/explain/route": route,
  "GET /v1/explain/access": access("allow"),
});
const event = (position: number) => ({
  position,
  committedAt: "2026-11-23T06:00:00.000Z",
  cluster: "us",
  source: "AUS",
  lane: "sum",
  epoch: 1,
  seq: position,
  index: 0,
  type: "LoadSet",
  key: "load/shop/pay/http/r/z",
  atMs: 0,
  data: { healthy: 1 },
});
const hubRoutes = (): Routes => ({
  ...lists(),
  "GET /v1/services/shop/pay": {
    namespace: "shop",
    name: "pay",
    exporters: [service("eu", "pay")],
    loads: [
      { cluster: "eu", port: "http", region: "r", zone: "z", healthy: 1, total: 2, desired: 2, weight: 1 },
    ],
  },
  "GET /v1/positions": {
    committed: heads(9),
    acked: { eu: { heads: heads(7) }, us: { heads: heads(9) } },
    gaps: [],
  },
  "GET /v1/events": items(event(1), event(2)),
  "POST /v1/wants": { cluster: "us", at: { lane: "sum", epoch: 3, seq: 4 } },
});
const agentStatus = (name: string) => ({
  cluster: name,
  ready: true,
  notReady: [],
  writer: {
    elected: true,
    synced: true,
    lanes: [{ lane: "sum", mode: "open", position: { epoch: 1, seq: 10 } }],
  },
  links: [
    {
      peer: name === "eu" ? "us" : "eu",
      lease: "ok",
      probe: "ok",
      state: "normal",
      stage: "",
      rttMs: 3,
      sinceMs: 0,
      selfDoubt: false,
    },
  ],
});
const proxyItem = (nack?: object) => ({
  id: "shop/web/web-1",
  kind: "sidecar",
  xds: {
    streams: 1,
    types: [
      {
        typeUrl: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        sent: 4,
        acked: nack ? 3 : 4,
        inFlight: 0,
        nack,
      },
    ],
  },
});
const agentRoutes = (name: string): Routes => ({
  ...lists(),
  "GET /v1/status": agentStatus(name),
  "GET /v1/federation-state": { heads: heads(9), acked: heads(9) },
  "GET /v1/services/shop/pay": {
    namespace: "shop",
    name: "pay",
    exporters: [{ cluster: "us", value: service("us", "pay").value }],
    ports: [{ portKey: "http", localities: [locality("us", 0, 100)] }],
    conflicts: [],
  },
  "GET /v1/proxies": items(proxyItem()),
  "GET /v1/proxies/shop%2Fweb%2Fweb-1/config": {
    types: [
      { typeUrl: "x.y.Cluster", resources: [{ name: "c1", version: "v1", sizeBytes: 10 }] },
      { typeUrl: "x.y.Secret", resources: [{ name: "svid", version: "v2", sizeBytes: 20 }] },
    ],
  },
  "POST /v1/want": { source: "us" },
});

let hub: FakeApi;
let eu: FakeApi;
let us: FakeApi;
let here: World;
beforeEach(async () => {
  [hub, eu, us] = await Promise.all([
    FakeApi.start(hubRoutes()),
    FakeApi.startAgent(agentRoutes("eu")),
    FakeApi.startAgent(agentRoutes("us")),
  ]);
  here = await world(hub, { eu, us });
});
afterEach(() => here.end());
/** Ends the hub; the world's end needs one that runs. */
const killHub = async () => {
  await hub.stop();
  hub = await FakeApi.start({});
};
const queryOf = ({ path }: Request) => Object.fromEntries(new URL(path, "https://x").searchParams);
const asked = (api: FakeApi, path: string) =>
  api.requests.filter((request) => request.path.split("?")[0] === path);

describe("get", () => {
  it.each(["clusters", "services", "endpoints", "links", "identities", "policies"])(
    "%s as JSON, YAML and table, with who answered",
    async (what) => {
      const { status, json } = await here.run("get", what);
      expect(status).toBe(0);
      expect(json).toMatchObject({
        apiVersion: "hansa/v1",
        answeredBy: "hub",
        position: 42,
        committedAt: "2026-11-23T06:00:00.000Z",
      });
      expect(json.kind).toMatch(/List$/);
      const text = await here.run("get", what, "-o", "table");
      expect(text.stdout.trim().split("\n")).toHaveLength(json.items.length + 1);
      expect((await here.run("get", what, "-o", "yaml")).stdout).toContain(`kind: ${json.kind}`);
    },
  );
  it("names objects as the command line does, and what is inert", async () => {
    expect((await here.run("get", "endpoints")).json.items[0]).toMatchObject({
      cluster: "eu",
      service: "shop/pay",
      setBy: "eu/ep/1/3",
    });
    expect((await here.run("get", "clusters")).json.items[0]).toMatchObject({
      cluster: "eu",
      state: "active",
    });
    expect((await here.run("get", "identities", "-o", "table")).stdout).toContain("spiffe://x (inert)");
    expect((await here.run("get", "policies", "-o", "table")).stdout).toContain("eu/shop/web may call pay");
  });
  it("takes the singular, filters and --at", async () => {
    const { json } = await here.run("get", "service", "--cluster", "us", "-n", "shop", "--at", "5m");
    expect(json.items.map((item: { cluster: string }) => item.cluster)).toEqual(["us", "us"]);
    expect(queryOf(asked(hub, "/v1/services")[0]!)).toEqual({
      namespace: "shop",
      cluster: "us",
      limit: "1000",
      at: "5m",
    });
  });
  it("reads all pages, all of the first one's moment", async () => {
    hub.set({
      "GET /v1/clusters": ({ path }: Request) =>
        path.includes("cursor=c2") ? items(cluster("us")) : { items: [cluster("eu")], next: "c2" },
    });
    expect((await here.run("get", "clusters")).json.items).toHaveLength(2);
    expect(queryOf(asked(hub, "/v1/clusters")[1]!)).toMatchObject({ cursor: "c2", at: "42" });
  });
  it("asks an agent where the hub is silent, and says so once", async () => {
    await killHub();
    const { status, json, stderr } = await here.run("get", "clusters");
    expect(status).toBe(0);
    expect(json.answeredBy).toBe("eu's agent");
    expect(stderr.match(/note: the hub does not answer/g)).toHaveLength(1);
    const past = await here.run("get", "clusters", "--at", "5m");
    expect(past.stderr).toMatch(/HSA1012.*only the hub can answer --at/);
    expect(past.status).toBe(69);
  });
  it("asks an agent where the hub has lost its archive, and nobody where it is refused", async () => {
    const refuse = (code: "HSA2011" | "HSA3001") => () => {
      throw new HansaError(code, "no");
    };
    hub.set({ "GET /v1/clusters": refuse("HSA2011") });
    expect((await here.run("get", "clusters")).json.answeredBy).toBe("eu's agent");
    hub.set({ "GET /v1/clusters": refuse("HSA3001") });
    const { status, stderr, stdout } = await here.run("get", "clusters");
    expect(stderr).toContain("HSA3001");
    expect(stdout).toBe("");
    expect(status).toBe(77);
  });
  it("says HSA1012 where nobody answers, and refuses another CA", async () => {
    const dark = await world(await nobody(), { eu: await nobody() });
    const { status, stderr } = await dark.run("get", "clusters");
    expect(stderr).toContain("nor does any agent");
    expect(status).toBe(69);
    const other = await world({ ...hub.target, caPem: eu.target.caPem });
    expect((await other.run("get", "clusters")).stderr).toContain("HSA1012");
  });
});

describe("status", () => {
  it("measures every column", async () => {
    const { status, json } = await here.run("status");
    expect(status).toBe(0);
    expect(json).toMatchObject({ kind: "Status", healthy: true, answeredBy: "hub" });
    expect(json.items[1]).toMatchObject({
      cluster: "us",
      agent: "ready",
      writer: "writing",
      lease: "1/1",
      head: "1/10",
      committed: "1/9",
      acked: "1/7",
      lagRecords: 3,
      slowest: "eu",
      gateway: "1/1",
      // The importer's own agent tells the newest round trip, not the archive's of the last change.
      rttMs: { minMs: 3, medianMs: 3, maxMs: 3 },
      exports: 1,
      imports: 1,
      state: "Healthy",
      code: null,
    });
    expect((await here.run("status", "-o", "table")).stdout).toMatch(
      /CLUSTER +REGION +AGENT +LEASE +SEQ .*\neu .*Healthy\n/,
    );
  });
  it("shows the past from the archive alone", async () => {
    const { json } = await here.run("status", "--at", "2026-11-23T05:00:00Z");
    expect(json.items[0]).toMatchObject({
      agent: null,
      head: null,
      acked: null,
      state: "Healthy",
      rttMs: { minMs: 12 },
    });
    expect(eu.requests).toEqual([]);
    for (const path of ["/v1/links", "/v1/services"]) expect(queryOf(asked(hub, path)[0]!).at).toBe("42");
  });
  it("works without the hub, from the agents' own positions", async () => {
    await killHub();
    const { json } = await here.run("status");
    expect(json).toMatchObject({ answeredBy: "eu's agent", healthy: true });
    expect(json.items[1]).toMatchObject({ committed: null, acked: "1/9", head: "1/10", lagRecords: 1 });
  });
  it("never calls a cluster healthy that nobody measured", async () => {
    const unprobed = { probe: "unknown", rttMs: null };
    hub.set({ "GET /v1/links": items(link("eu", "us", unprobed), link("us", "eu", unprobed)) });
    for (const api of [eu, us]) api.set({ "GET /v1/status": { ...agentStatus("x"), links: [] } });
    const { json } = await here.run("status");
    expect(json.items.map(({ state }: { state: string }) => state)).toEqual(["Unmeasured", "Unmeasured"]);
  });
  it("names what is wrong with its code", async () => {
    us.set({ "GET /v1/status": new Raw(503, { code: "HSA1012", message: "starting" }) });
    const { json } = await here.run("status");
    expect(json.items[1]).toMatchObject({ agent: "silent", state: "AgentSilent", code: "HSA1012" });
    expect(json.healthy).toBe(false);
  });
});

describe("explain route", () => {
  it("asks the caller's own agent for now", async () => {
    const { status, json } = await here.run("explain", "route", "eu/shop/web", "pay");
    expect(status).toBe(0);
    expect(json).toMatchObject({
      kind: "RouteExplanation",
      answeredBy: "eu's agent",
      caller: "eu/shop/web",
      service: "shop/pay",
      failsFast: false,
    });
    expect(
      json.localities.map(({ cluster: of, sharePercent }: { cluster: string; sharePercent: number }) => [
        of,
        sharePercent,
      ]),
    ).toEqual([
      ["eu", 100],
      ["us", 0],
    ]);
    expect(json.ports).toHaveLength(2);
    expect(queryOf(eu.requests[0]!)).toEqual({
      cluster: "eu",
      ns: "shop",
      service: "pay",
      workload: "shop/web",
    });
    expect(hub.requests).toEqual([]);
  });
  it("asks the hub for the past, from the zone of the caller's endpoints or else the cluster's first", async () => {
    const { json } = await here.run("explain", "route", "eu/shop/pay", "pay", "--at", "5m");
    expect(json).toMatchObject({ answeredBy: "hub", position: 42 });
    expect(queryOf(asked(hub, "/v1/explain/route")[0]!)).toEqual({
      cluster: "eu",
      ns: "shop",
      service: "pay",
      zone: "eu-1b",
      at: "5m",
    });
    await here.run("explain", "route", "eu/shop/web", "pay", "--at", "5m");
    expect(queryOf(asked(hub, "/v1/explain/route")[1]!).zone).toBe("eu-1a");
    await here.run("explain", "route", "eu/shop/web", "pay", "--at", "5m", "--zone", "z9");
    expect(queryOf(asked(hub, "/v1/explain/route")[2]!).zone).toBe("z9");
  });
  it("prints order, weights, why, and the events that made it so", async () => {
    const { stdout } = await here.run("explain", "route", "eu/shop/web", "pay.shop:80", "-o", "table");
    expect(stdout).toContain("pay.shop from eu (eu-1/eu-1a), as eu's agent sees it now");
    expect(stdout).toMatch(/0 +eu +eu-1 +local +2\/2 +self +100 % +same zone/);
    expect(stdout).toContain("not used: ap: lost");
    expect(stdout).toContain("conflict HSA4005: Conflicting ports.");
    expect(stdout).toMatch(/us +service\/shop\/pay +us\/sum\/1\/2 +1970-01-01T00:00:00.000Z/);
    expect(stdout).not.toContain("admin");
  });
  it("refuses a port that is not there", async () => {
    const { status, stderr } = await here.run("explain", "route", "eu/shop/web", "pay:nosuch");
    expect(stderr).toMatch(/HSA1005.*it has http \(80\), admin \(81\)/);
    expect(status).toBe(65);
  });
  it("says so where nobody offers the service", async () => {
    eu.set({ "GET /v1/explain/route": { ...route, ports: [], summary: "HSA4006: no cluster offers x" } });
    const { status, json } = await here.run("explain", "route", "eu/shop/web", "x");
    expect(json).toMatchObject({ localities: [], failsFast: true, summary: "HSA4006: no cluster offers x" });
    expect(status).toBe(79);
  });
  it("goes to another agent where the caller's and the hub are silent", async () => {
    await killHub();
    await eu.stop();
    const { json } = await here.run("explain", "route", "eu/shop/web", "pay");
    expect(json.answeredBy).toBe("us's agent");
    eu = await FakeApi.start({});
  });
});

describe("explain access", () => {
  const id = "spiffe://eu.lab.hansa/ns/shop/sa/web";
  it("allows with exit 0 and denies with exit 79", async () => {
    const yes = await here.run("explain", "access", id, "pay");
    expect(yes.json).toMatchObject({ verdict: "allow", by: "policy shop/x", code: null });
    expect(queryOf(hub.requests[0]!)).toEqual({ caller: id, ns: "shop", service: "pay" });
    expect(yes.status).toBe(0);
    hub.set({ "GET /v1/explain/access": access("deny") });
    const no = await here.run("explain", "access", id, "pay", "-o", "table");
    expect(no.stdout).toContain("DENY by default deny  HSA4007");
    expect(no.status).toBe(79);
  });
});

describe("describe service", () => {
  it("puts exporters, loads, endpoints and policies together, of one moment", async () => {
    const { json } = await here.run("describe", "service", "pay", "-n", "shop", "--at", "5m");
    expect(json).toMatchObject({ kind: "Service", service: "shop/pay", loads: [{ healthy: 1, total: 2 }] });
    expect(json.exporters).toHaveLength(1);
    expect(json.endpoints).toHaveLength(1);
    expect(json.policies).toHaveLength(1);
    expect(queryOf(asked(hub, "/v1/endpoints")[0]!).at).toBe("42");
  });
  it("reads an agent's answer as well", async () => {
    await killHub();
    const { json } = await here.run("describe", "service", "shop/pay");
    expect(json).toMatchObject({
      answeredBy: "eu's agent",
      exporters: [{ cluster: "us", exported: true, service: "shop/pay" }],
      loads: [{ cluster: "us", port: "http", healthy: 2 }],
    });
  });
  it("refuses what nobody has", async () => {
    const { status, stderr } = await here.run("describe", "service", "shop/none");
    expect(stderr).toContain("HSA1005");
    expect(status).toBe(65);
  });
});

describe("events", () => {
  it("lists with filters", async () => {
    const { json } = await here.run("events", "--source", "us", "--since", "5m", "--limit", "2");
    expect(json.items.map(({ position }: { position: number }) => position)).toEqual([1, 2]);
    expect(queryOf(hub.requests[0]!)).toEqual({ source: "us", since: "5m", limit: "2" });
    expect((await here.run("events", "-o", "table")).stdout).toContain("us/sum/1/2");
  });
  it("needs the hub: agents keep no archive", async () => {
    await killHub();
    for (const args of [["events"], ["events", "--follow"]]) {
      const { status, stdout, stderr } = await here.run(...args);
      expect(stderr).toContain("HSA1012");
      expect(stdout).toBe("");
      expect(status).toBe(69);
    }
  });
  it("passes a refusal of the stream on", async () => {
    hub.set({
      "GET /v1/events/stream": () => {
        throw new HansaError("HSA1006", "at most 64 event streams at once");
      },
    });
    const { status, stderr } = await here.run("events", "--follow");
    expect(stderr).toContain("HSA1006");
    expect(status).toBe(65);
  });
});

describe("proxy", () => {
  it("status shows what was sent and acknowledged, of all or one", async () => {
    const { status, json } = await here.run("proxy", "status");
    expect(json.items.map((item: { cluster: string; id: string }) => `${item.cluster}/${item.id}`)).toEqual([
      "eu/shop/web/web-1",
      "us/shop/web/web-1",
    ]);
    expect(json.items[0].types).toEqual([{ type: "Cluster", sent: 4, acked: 4, synced: true, nack: null }]);
    expect(status).toBe(0);
    expect((await here.run("proxy", "status", "eu/shop/web")).json.items).toHaveLength(1);
  });
  it("status ends with 79 on a NACK and prints its reason", async () => {
    eu.set({
      "GET /v1/proxies": items(proxyItem({ message: "unknown filter", atMs: Date.now(), names: ["x"] })),
    });
    const { status, stdout } = await here.run("proxy", "status", "eu", "-o", "table");
    expect(stdout).toMatch(/Cluster +4 +3 +NACK HSA5001 0\.\ds ago: unknown filter/);
    expect(status).toBe(79);
  });
  it("status skips a silent agent, unless it was asked for", async () => {
    await us.stop();
    const all = await here.run("proxy", "status");
    expect(all.json.items).toHaveLength(1);
    expect(all.stderr).toContain("note: us's agent does not answer");
    const one = await here.run("proxy", "status", "us");
    expect(one.status).toBe(69);
    us = await FakeApi.start({});
  });
  it("status refuses unknown clusters and proxies", async () => {
    expect((await here.run("proxy", "status", "ap")).stderr).toContain("HSA1005");
    expect((await here.run("proxy", "status", "eu/gateway/none")).stderr).toMatch(
      /HSA1005.*it serves shop\/web\/web-1/,
    );
  });
  it("config lists names and versions, by type", async () => {
    const { json } = await here.run("proxy", "config", "eu/shop/web/web-1");
    expect(json.resources).toHaveLength(2);
    const secrets = await here.run("proxy", "config", "eu/shop/web/web-1", "--type", "secrets");
    expect(secrets.json.resources).toEqual([{ type: "Secret", name: "svid", version: "v2", sizeBytes: 20 }]);
  });
});

describe("wait", () => {
  it("returns when all importers have acknowledged", async () => {
    const { status, json } = await here.run("wait", "--position", "us/sum/1/7");
    expect(status).toBe(0);
    expect(json).toMatchObject({ kind: "Wait", position: "us/sum/1/7", acknowledgedBy: ["eu", "us"] });
  });
  it("ends with 75 and names who is missing, and where they are", async () => {
    const { status, stdout, stderr } = await here.run(
      "wait",
      "--position",
      "us/sum/1/8",
      "--timeout",
      "300ms",
    );
    expect(stderr).toMatch(/HSA1009.*eu \(at 1\/7\)/);
    expect(stderr).not.toMatch(/error.*us \(at/);
    expect(stdout).toBe("");
    expect(status).toBe(75);
  });
  it("does not wait for members that are gone, and takes a later epoch", async () => {
    hub.set({ "GET /v1/clusters": items(cluster("eu", { state: "evicted" }), cluster("us")) });
    expect((await here.run("wait", "--position", "us/sum/1/9")).status).toBe(0);
    expect((await here.run("wait", "--position", "us/sum/0/99")).status).toBe(0);
  });
  it("asks the agents where the hub is silent", async () => {
    await killHub();
    expect((await here.run("wait", "--position", "us/sum/1/9")).json.answeredBy).toBe("agents");
  });
});

describe("want", () => {
  it("asks by the hub, and by another's agent where it is silent", async () => {
    const { json } = await here.run("want", "us");
    expect(json).toMatchObject({ source: "us", takenBy: "hub", position: "hub/sum/3/4" });
    await killHub();
    expect((await here.run("want", "us")).json.takenBy).toBe("eu's agent");
    expect(asked(eu, "/v1/want")[0]?.body).toEqual({ source: "us" });
  });
});

/** Members come and go: grants, orders and their effect, stragglers, losses, round trips. */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { base64, HansaError } from "@hansa/core";
import { newSigningKey } from "@hansa/identity";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FakeApi, items, type Request, type Routes, type World, world } from "../shell/api-fixture.ts";
import { endedWith } from "./join-processes.ts";
import { lostWithout } from "./losses.ts";
import { roundTrips } from "./round-trip.ts";
import { grantOf } from "./token.ts";

const operator = newSigningKey();
const FINGERPRINT = "ab".repeat(32);
const ACCOUNTS = { eu: "AEU", us: "AUS", ap: "AAP" };

/** What hub and agents hold; orders change it. */
let state: Record<string, string>;
/** Head of the hub's log that each importer's Envoys have acknowledged. */
let acked: Record<string, number>;
let hubSeq: number;

const take = ({ body }: Request) => {
  const { order } = JSON.parse((body as { payload: string }).payload);
  state[order.cluster] = { drain: "draining", undrain: "active", evict: "evicted" }[order.do as string] ?? "";
  hubSeq += 1;
  for (const importer of Object.keys(acked)) if (acked[importer] !== -1) acked[importer] = hubSeq;
};
const clusters = () =>
  items(
    ...Object.entries(ACCOUNTS).map(([name, account]) => ({
      name,
      account,
      incarnation: 1,
      state: state[name],
    })),
  );
const reads = (): Routes => ({
  "GET /v1/federation": {
    fingerprint: FINGERPRINT,
    operators: { keys: [base64(operator.signer.publicKey)], threshold: 1 },
  },
  "GET /v1/clusters": clusters,
  "GET /v1/services": items(
    { cluster: "us", namespace: "shop", name: "catalog", exported: true, effective: true, value: {} },
    { cluster: "us", namespace: "shop", name: "pay", exported: true, effective: true, value: {} },
    { cluster: "eu", namespace: "shop", name: "pay", exported: true, effective: true, value: {} },
  ),
});
const hubHead = (seq: number) => ({ source: "AHUB", lane: "sum", epoch: 1, seq });
const agentRoutes = (name: string): Routes => ({
  ...reads(),
  "GET /v1/federation-state": () => ({ heads: [hubHead(hubSeq)], acked: [hubHead(acked[name] ?? 0)] }),
  "POST /v1/commands": (request: Request) => {
    take(request);
    return { position: `${name}/sum/1/2` };
  },
});
const hubRoutes = (): Routes => ({
  ...reads(),
  "GET /v1/positions": () => ({
    committed: [],
    acked: Object.fromEntries(
      Object.entries(acked).map(([name, seq]) => [name, { heads: [{ ...hubHead(seq), cluster: "hub" }] }]),
    ),
  }),
  "POST /v1/commands": (request: Request) => {
    take(request);
    return { accepted: true, at: hubHead(hubSeq) };
  },
  "POST /v1/clusters/us/leave": () => {
    state.us = "left";
    hubSeq += 1;
    for (const importer of Object.keys(acked)) acked[importer] = hubSeq;
    return { cluster: "us", state: "left", at: hubHead(hubSeq) };
  },
});

let hub: FakeApi;
let eu: FakeApi;
let ap: FakeApi;
let here: World;
beforeEach(async () => {
  state = { eu: "active", us: "active", ap: "active" };
  acked = { eu: 0, us: 0, ap: 0 };
  hubSeq = 0;
  [hub, eu, ap] = await Promise.all([
    FakeApi.start(hubRoutes()),
    FakeApi.startAgent(agentRoutes("eu")),
    FakeApi.startAgent(agentRoutes("ap")),
  ]);
  here = await world(hub, { eu, ap }, [operator.pkcs8]);
});
afterEach(() => here.end());
const restartHub = async () => {
  hub = await FakeApi.start({});
};

describe("cluster drain, undrain, evict", () => {
  it.each(["drain", "evict"])(
    "%s is signed, sent to the hub, and waited for at every other importer",
    async (order) => {
      const { status, json, stderr } = await here.run("cluster", order, "us");
      expect(status, stderr).toBe(0);
      expect(json).toMatchObject({
        kind: "ClusterOrder",
        order,
        cluster: "us",
        takenBy: "hub",
        position: "hub/sum/1/1",
        stragglers: [],
      });
      expect(json.done.sort()).toEqual(["ap", "eu"]);
      expect(stderr).toContain("only us exports shop/catalog");
      expect(stderr).not.toContain("shop/pay");
    },
  );

  it("works while the hub is down, by any agent", async () => {
    await hub.stop();
    const { status, json, stderr } = await here.run("cluster", "evict", "us");
    expect(status, stderr).toBe(0);
    expect(json).toMatchObject({ takenBy: "eu's agent", position: "eu/sum/1/2" });
    expect(state.us).toBe("evicted");
    await restartHub();
  });

  it("goes through the agent that --via names", async () => {
    const { json } = await here.run("cluster", "drain", "us", "--via", "ap");
    expect(json.takenBy).toBe("ap's agent");
    const none = await here.run("cluster", "drain", "us", "--via", "tokyo");
    expect(none.stderr).toContain("HSA1005");
    expect(none.status).toBe(65);
  });

  it("ends with 75 and names who has not followed", async () => {
    acked.ap = -1;
    const { status, stdout, stderr } = await here.run("cluster", "drain", "us", "--timeout", "700ms");
    expect(stderr).toContain("HSA1009");
    expect(stderr).toMatch(/the order stands.*ap \(its Envoys have not acknowledged it\)/);
    expect(stderr).not.toMatch(/followed:.*eu/);
    expect(stdout).toBe("");
    expect(status).toBe(75);
  });

  it("waits for a fold that has not heard of the order", async () => {
    const before = items(
      ...Object.entries(ACCOUNTS).map(([name, account]) => ({
        name,
        account,
        incarnation: 1,
        state: "active",
      })),
    );
    ap.set({ "GET /v1/clusters": before });
    const { status, stderr } = await here.run("cluster", "evict", "us", "--timeout", "700ms");
    expect(stderr).toMatch(/followed: ap \(has not heard of it \(active\)\)/);
    expect(status).toBe(75);
  });

  it("waits by the hub's positions for importers whose agents the context does not name", async () => {
    const alone = await world(hub, { eu }, [operator.pkcs8]);
    acked.ap = -1;
    const { status, stderr } = await alone.run("cluster", "drain", "us", "--timeout", "700ms");
    expect(stderr).toMatch(/ap \(at hub\/sum\/1\/-1\)|ap \(has told of nothing\)/);
    expect(status).toBe(75);
  });

  it("undrains, and refuses what is gone or unknown", async () => {
    state.us = "draining";
    expect((await here.run("cluster", "undrain", "us")).status).toBe(0);
    expect(state.us).toBe("active");
    state.us = "evicted";
    const gone = await here.run("cluster", "undrain", "us");
    expect(gone.stderr).toContain("HSA3010");
    expect(gone.status).toBe(77);
    const unknown = await here.run("cluster", "evict", "tokyo");
    expect(unknown.stderr).toContain("HSA1005");
    expect(unknown.stderr).toContain("eu, us, ap");
  });

  it("refuses too few signatures before anything is sent", async () => {
    const other = join(here.folder, "other.pem");
    writeFileSync(other, newSigningKey().pkcs8, { mode: 0o600 });
    const { status, stderr } = await here.run("cluster", "evict", "us", "--key", other);
    expect(stderr).toContain("HSA3007");
    expect(status).toBe(77);
    expect(state.us).toBe("active");
  });

  it("takes a file of collected signatures, for this order alone", async () => {
    const file = join(here.folder, "drain.json");
    await here.run("operator", "sign", "--order", "drain us", "--out", file);
    const wrong = await here.run("cluster", "evict", "us", "--signed", file);
    expect(wrong.stderr).toContain("HSA1004");
    expect(state.us).toBe("active");
    expect((await here.run("cluster", "drain", "us", "--signed", file)).status).toBe(0);
    expect(state.us).toBe("draining");
  });
});

describe("cluster leave", () => {
  it("drains first, then leaves", async () => {
    const { status, json, stderr } = await here.run("cluster", "leave", "us");
    expect(status, stderr).toBe(0);
    expect(json).toMatchObject({ order: "leave", drained: true, takenBy: "hub" });
    const posts = hub.requests.filter(({ method }) => method === "POST").map(({ path }) => path);
    expect(posts).toEqual(["/v1/commands", "/v1/clusters/us/leave"]);
  });
  it("leaves at once with --no-drain", async () => {
    const { json } = await here.run("cluster", "leave", "us", "--no-drain");
    expect(json.drained).toBe(false);
  });
  it("drains nothing where the hub is down", async () => {
    await hub.stop();
    const { status } = await here.run("cluster", "leave", "us");
    expect(status).toBe(69);
    expect(state.us).toBe("active");
    await restartHub();
  });
});

describe("cluster token", () => {
  it("asks for exactly what was named, and prints the token alone", async () => {
    hub.set({ "POST /v1/tokens": { id: "t1", token: "hansa1.abc", expiresAt: "2026-11-23T07:00:00Z" } });
    const flags = [
      "--region",
      "r1",
      "--namespaces",
      "shop,bank",
      "--cidrs",
      "10.7.0.0/16,10.8.0.0/16",
      "--ttl",
      "5m",
    ];
    const { status, stdout } = await here.run("cluster", "token", "tokyo", ...flags, "-o", "table");
    expect(status).toBe(0);
    expect(stdout).toBe("hansa1.abc\n");
    expect(hub.requests.at(-1)?.body).toEqual({
      kind: "join",
      cluster: "tokyo",
      ttlSeconds: 300,
      uses: 1,
      grant: {
        namespaces: ["shop", "bank"],
        cidrs: ["10.7.0.0/16", "10.8.0.0/16"],
        region: "r1",
        zones: ["r1"],
        network: "tokyo",
      },
    });
  });
  it("waits while the hub's leader changes, and for nothing else", async () => {
    const flags = ["cluster", "token", "tokyo", "--region", "r1", "--cidrs", "10.7.0.0/16"];
    const details = { retry: true };
    const answers: unknown[] = [
      new HansaError("HSA1012", "hub: the leader is changing", { details }),
      new HansaError("HSA2010", "hub: the bus was not reached", { details }),
      { id: "t1", token: "hansa1.abc", expiresAt: "2026-11-23T07:00:00Z" },
      new HansaError("HSA1012", "hub: what was asked may be done"),
    ];
    hub.set({
      "POST /v1/tokens": () => {
        const answer = answers.shift();
        if (answer instanceof HansaError) throw answer;
        return answer;
      },
    });
    expect((await here.run(...flags, "-o", "table")).stdout).toBe("hansa1.abc\n");
    expect((await here.run(...flags)).stderr).toContain("may be done");
  });
  it("passes the hub's refusal on", async () => {
    hub.set({
      "POST /v1/tokens": () => {
        throw new HansaError("HSA3006", "cidrs: loopback is granted in a lab alone");
      },
    });
    const { status, stderr, stdout } = await here.run(
      "cluster",
      "token",
      "tokyo",
      "--region",
      "r",
      "--cidrs",
      "127.0.0.0/8",
    );
    expect(stderr).toContain("HSA3006");
    expect(stdout).toBe("");
    expect(status).toBe(65);
  });
  it("reads zones and network", () => {
    const options = { region: "r", cidrs: "10.0.0.0/8", namespaces: "*", zones: "a,b", network: "flat" };
    expect(grantOf("x", options)).toMatchObject({ zones: ["a", "b"], network: "flat", namespaces: ["*"] });
  });
});

describe("cluster list", () => {
  it("shows members, and waiting tokens to who may see them", async () => {
    const token = {
      kind: "join",
      id: "t1",
      cluster: "tokyo",
      expiresAt: new Date(Date.now() + 60_000).toISOString(),
      usedAt: null,
      revokedAt: null,
    };
    hub.set({ "GET /v1/tokens": items(token, { ...token, usedAt: "2026-01-01T00:00:00Z" }) });
    const { json } = await here.run("cluster", "list");
    expect(json.items.map((item: { cluster: string }) => item.cluster)).toEqual(["eu", "us", "ap"]);
    expect(json.tokens).toHaveLength(1);
    hub.set({
      "GET /v1/tokens": () => {
        throw new HansaError("HSA3002", "viewer");
      },
    });
    expect((await here.run("cluster", "list")).json.tokens).toEqual([]);
  });
});

describe("cluster join", () => {
  const ticket = (cluster: string) =>
    `hansa1.${Buffer.from(JSON.stringify({ hub: ["https://127.0.0.1:1"], caPin: "00".repeat(32), cluster, federation: "lab.hansa", fingerprint: "ab".repeat(32), secret: "s" })).toString("base64url")}`;
  const join_ = (...args: string[]) =>
    here.run("cluster", "join", "--config", join(here.folder, "agent.yaml"), ...args);

  it("refuses a torn token", async () => {
    const { status, stderr } = await join_("--token", `${ticket("tokyo").slice(0, 30)}`);
    expect(stderr).toContain("HSA3003");
    expect(status).toBe(77);
  });
  it("says which flags write the configuration", async () => {
    const { status, stderr } = await join_("--token", ticket("tokyo"));
    expect(stderr).toContain("--address");
    expect(status).toBe(64);
    expect(existsSync(join(here.folder, "agent.yaml"))).toBe(false);
  });
  it("refuses another cluster's configuration, and one that lacks something", async () => {
    const file = join(here.folder, "agent.yaml");
    writeFileSync(
      file,
      "cluster: osaka\ndataDir: d\nadmin: {host: 127.0.0.1, port: 1}\ngateway: {name: gw}\n",
    );
    expect((await join_("--token", ticket("tokyo"))).stderr).toContain("HSA3003");
    writeFileSync(file, "cluster: tokyo\n");
    expect((await join_("--token", ticket("tokyo"))).stderr).toMatch(/HSA1004.*dataDir/);
    writeFileSync(file, "{{");
    expect((await join_("--token", ticket("tokyo"))).stderr).toContain("HSA1004");
  });
  it("writes a configuration for the agent and ends it again where the hub is not there", async () => {
    const data = join(here.folder, "data");
    mkdirSync(data);
    const flags = [
      "--address",
      "127.0.0.1",
      "--region",
      "r",
      "--cidrs",
      "127.0.0.0/24",
      "--nats",
      "nats://127.0.0.1:1",
    ];
    const { status, stdout, stderr } = await join_(
      ...[
        "--token",
        ticket("tokyo"),
        ...flags,
        "--data",
        data,
        "--source",
        join(here.folder, "services.yaml"),
        "--timeout",
        "20s",
      ],
    );
    expect(stderr).toContain("HSA1012");
    expect(status).toBe(69);
    expect(stdout).toBe("");
    const file = join(here.folder, "agent.yaml");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, "utf8")).toContain("cluster: tokyo");
    expect(readFileSync(file, "utf8")).not.toContain(ticket("tokyo"));
  }, 30_000);
  it("reports an agent's last words with their own code", () => {
    expect(
      endedWith("agent", "a.log", '{"level":"info"}\nagent: HSA3003 join: the token is used'),
    ).toMatchObject({
      code: "HSA3003",
      message: "agent ended: join: the token is used (log: a.log)",
    });
    expect(endedWith("gateway", "g.log", "terminate called").code).toBe("HSA6005");
    expect(endedWith("gateway", "g.log", "").code).toBe("HSA6005");
  });
});

describe("round trips", () => {
  const link = (from: string, to: string, probe: string, stage = "") => ({
    from,
    to,
    state: "normal",
    lease: "ok",
    probe,
    stage,
    rttMs: 3,
    sinceMs: 0,
    selfDoubt: false,
  });
  it("need both ways, each measured", () => {
    const trips = roundTrips(
      "tokyo",
      ["eu", "us", "ap"],
      [
        link("tokyo", "eu", "ok"),
        link("eu", "tokyo", "ok"),
        link("tokyo", "us", "ok"),
        link("us", "tokyo", "fail", "tls"),
        link("tokyo", "ap", "unknown"),
      ],
    );
    expect(trips.map(({ missing }) => missing)).toEqual([
      "",
      "us cannot reach tokyo (fails at TLS)",
      "tokyo has not probed ap, ap has not probed tokyo",
    ]);
    expect(trips[0]).toMatchObject({ there: true, back: true, rttMs: 3 });
  });
});

it("loses what nobody else exports", () => {
  const item = (cluster: string, service: string, exported = true) => ({ cluster, service, exported });
  const services = [
    item("us", "a/x"),
    item("us", "a/y"),
    item("eu", "a/y"),
    item("us", "a/z", false),
    item("eu", "a/x", false),
  ];
  expect(lostWithout("us", services)).toEqual(["a/x"]);
});

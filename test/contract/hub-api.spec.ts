/** Every route of the hub, by the registry: without, with wrong and with too weak credentials; limits; the document. */
import { request } from "node:https";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Hub } from "../../services/hub/src/api/hub.ts";
import type { Access } from "../../services/hub/src/api/route.ts";
import { routes as routesOf } from "../../services/hub/src/api/routes.ts";
import { HubRig, until } from "./hub-rig.ts";

interface Reply {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

/** The registry that the server is built from; handlers are not called here. */
const routes = routesOf({} as Hub);

let rig: HubRig;
const tokens = new Map<string, string>();
beforeAll(async () => {
  rig = await HubRig.start({ config: { api: { strangersPerSecondMax: 1000 } } });
  for (const role of ["viewer", "operator", "admin"]) tokens.set(role, await rig.apiToken(role));
  const eu = await rig.join("eu");
  tokens.set("agent", eu.answer.apiToken);
});
afterAll(() => rig?.stop());

function call(method: string, path: string, token: string | null, body?: string): Promise<Reply> {
  const { url, caPem } = rig.target();
  return new Promise((resolve, reject) => {
    const headers = {
      ...(token === null ? {} : { authorization: token }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    };
    const sent = request(new URL(path, url), { method, ca: caPem, headers, agent: false }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, body: text, headers: response.headers }),
      );
      response.on("error", reject);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

const codeOf = ({ body }: Reply): string => (JSON.parse(body) as { code?: string }).code ?? "";
const RANKS: readonly Access[] = ["agent", "viewer", "operator", "admin"];
const weaker = (access: Access): readonly Access[] => RANKS.slice(0, Math.max(0, RANKS.indexOf(access)));
const concrete = (path: string): string => path.replaceAll(/:[A-Za-z]+/g, "x");

const guarded = routes.filter(({ access }) => access !== "none" && access !== "secret");
const open = routes.filter(({ access }) => access === "none" || access === "secret");

describe("credentials", () => {
  test("only liveness, readiness and join are without a bearer token", () => {
    expect(open.map(({ method, path }) => `${method} ${path}`).sort()).toEqual([
      "GET /livez",
      "GET /readyz",
      "POST /v1/join",
    ]);
    expect(guarded.length).toBeGreaterThan(20);
  });

  test.each(guarded.map((route) => [`${route.method} ${route.path}`, route] as const))(
    "%s",
    async (_name, route) => {
      const path = concrete(route.path);
      const none = await call(route.method, path, null);
      expect([none.status, codeOf(none)]).toEqual([401, "HSA3001"]);
      expect(none.headers["www-authenticate"]).toContain("Bearer");
      for (const wrong of ["Bearer nonsense", "Bearer ", "Basic aGk6aGk=", `Bearer ${rig.adminToken}x`]) {
        const reply = await call(route.method, path, wrong);
        expect([wrong, reply.status, codeOf(reply)]).toEqual([wrong, 401, "HSA3001"]);
      }
      for (const role of weaker(route.access)) {
        const reply = await call(route.method, path, `Bearer ${tokens.get(role)}`);
        expect([role, reply.status, codeOf(reply)]).toEqual([role, 403, "HSA3002"]);
      }
      // The role itself passes the gate; whatever the route then says of the empty request is not about credentials.
      if (route.path.endsWith("/stream")) return;
      const enough = await call(route.method, path, `Bearer ${tokens.get(route.access)}`);
      const isOwnRule = route.path.endsWith("/leave");
      expect(isOwnRule || ![401, 403].includes(enough.status)).toBe(true);
    },
  );

  test("a revoked token and one of a cluster that left are nobody's", async () => {
    const { data } = await rig.post<{ id: string; token: string }>("/v1/tokens", {
      kind: "api",
      name: "short",
      role: "viewer",
    });
    expect((await call("GET", "/v1/clusters", `Bearer ${data.token}`)).status).toBe(200);
    const revoked = await call("DELETE", `/v1/tokens/${data.id}`, `Bearer ${rig.adminToken}`);
    expect(revoked.status).toBe(200);
    expect((await call("GET", "/v1/clusters", `Bearer ${data.token}`)).status).toBe(401);
  });

  test("an operator makes join tokens but no API tokens; nobody makes agent tokens", async () => {
    const operator = `Bearer ${tokens.get("operator")}`;
    const api = JSON.stringify({ kind: "api", name: "x", role: "viewer" });
    expect(codeOf(await call("POST", "/v1/tokens", operator, api))).toBe("HSA3002");
    const agent = JSON.stringify({ kind: "api", name: "x", role: "agent" });
    expect(codeOf(await call("POST", "/v1/tokens", `Bearer ${rig.adminToken}`, agent))).toBe("HSA1004");
  });

  test("an agent's token leaves for its own cluster only", async () => {
    const reply = await call("POST", "/v1/clusters/us/leave", `Bearer ${tokens.get("agent")}`, "{}");
    expect([reply.status, codeOf(reply)]).toEqual([403, "HSA3002"]);
  });

  test("no secret is in the log", () => {
    const log = rig.log();
    for (const secret of [rig.adminToken, ...tokens.values()]) expect(log).not.toContain(secret);
  });
});

describe("requests", () => {
  const admin = (): string => `Bearer ${rig.adminToken}`;

  test.each([
    ["POST", "/v1/tokens", "{", 400, "HSA1004"],
    [
      "POST",
      "/v1/tokens",
      JSON.stringify({ cluster: "eu", grant: { region: "r" }, colour: 1 }),
      400,
      "HSA1004",
    ],
    ["POST", "/v1/tokens", JSON.stringify({ cluster: "hub", grant: { region: "r" } }), 400, "HSA1004"],
    [
      "POST",
      "/v1/tokens",
      JSON.stringify({ cluster: "x".repeat(70_000), grant: { region: "r" } }),
      413,
      "HSA1006",
    ],
    ["GET", "/v1/clusters?limit=5000", undefined, 400, "HSA1004"],
    ["GET", "/v1/clusters?colour=red", undefined, 400, "HSA1004"],
    ["GET", "/v1/clusters?cursor=zzz", undefined, 400, "HSA1004"],
    ["GET", "/v1/clusters?at=yesterday", undefined, 400, "HSA1008"],
    ["GET", "/v1/clusters?at=999999", undefined, 400, "HSA1008"],
    ["GET", "/v1/services/shop/none", undefined, 404, "HSA1005"],
    ["GET", "/v1/explain/route?cluster=none&ns=shop&service=pay", undefined, 404, "HSA1005"],
    ["GET", "/v1/explain/access?caller=me&ns=shop&service=pay", undefined, 400, "HSA1004"],
    ["GET", "/v1/nothing", undefined, 404, "HSA1005"],
    ["POST", "/v1/wants", JSON.stringify({ cluster: "none" }), 404, "HSA1005"],
    [
      "POST",
      "/v1/commands",
      JSON.stringify({ payload: "{}", signatures: [{ key: "a", sig: "b" }] }),
      403,
      "HSA3007",
    ],
    ["POST", "/v1/records", JSON.stringify({ records: [{ headers: {}, body: "" }] }), 400, "HSA2001"],
  ])("%s %s is refused with a code and what to do", async (method, path, body, status, code) => {
    const reply = await call(method, path, admin(), body);
    expect([reply.status, codeOf(reply)]).toEqual([status, code]);
    const { todo, message, kind } = JSON.parse(reply.body) as Record<string, string>;
    expect([kind, typeof todo, message !== ""]).toEqual(["Error", "string", true]);
  });

  test("the document names exactly the routes that are served", async () => {
    const document = JSON.parse((await call("GET", "/v1/openapi.json", admin())).body) as {
      paths: Record<string, Record<string, unknown>>;
    };
    const named = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const served = routes.map(({ method, path }) => `${method} ${path.replaceAll(/:([A-Za-z]+)/g, "{$1}")}`);
    expect(named.sort()).toEqual(served.sort());
  });

  test("metrics are Prometheus text with queue depths and lag", async () => {
    const asked = () => call("GET", "/metrics", admin());
    let body = "";
    await until("the outbox is empty and gaps are counted", async () => {
      body = (await asked()).body;
      return body.includes("hansa_hub_gaps 0") && body.includes('hansa_queue_depth{queue="outbox"} 0');
    });
    for (const name of [
      "hansa_hub_position",
      'hansa_queue_bound{queue="event-streams"}',
      "hansa_hub_lag_records",
      "hansa_hub_commit_seconds_count",
      "hansa_bus_up 1",
      "hansa_hub_leader 1",
    ])
      expect(body).toContain(name);
  });
});

test("events stream from a position, then live", async () => {
  const { url, caPem } = rig.target();
  const seen: string[] = [];
  const stream = request(new URL("/v1/events/stream?since=0", url), {
    ca: caPem,
    headers: { authorization: `Bearer ${tokens.get("viewer")}` },
    agent: false,
  });
  stream.on("response", (response) =>
    response.on("data", (chunk: Buffer) => seen.push(...chunk.toString().split("\n\n"))),
  );
  stream.end();
  const has = (text: string) => seen.some((part) => part.includes(text));
  const deadline = performance.now() + 10_000;
  while (!has('"MembershipSet"') && performance.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 20));
  expect(has('"MembershipSet"')).toBe(true);
  await rig.post("/v1/wants", { cluster: "eu" });
  while (!has('"want/eu"') && performance.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 20));
  expect(has('"want/eu"')).toBe(true);
  stream.destroy();
});

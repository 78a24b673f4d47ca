/** Two hubs on one archive: whichever is asked, the caller is served, and nothing is done twice. */
import { createHmac, createPrivateKey } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { Agent, createServer, request, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { base64, systemClock, systemTimers } from "@hansa/core";
import { type RecordHeader, toHeaders } from "@hansa/events";
import { callLeader, createTlsAuthority, loadTlsAuthority, nodeRandom } from "@hansa/identity";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { freePort } from "../../deploy/tools/child.ts";
import type { Hub } from "../../services/hub/src/api/hub.ts";
import { MARK, PASSED_ON_MAX } from "../../services/hub/src/api/pass-on.ts";
import { routes as routesOf } from "../../services/hub/src/api/routes.ts";
import {
  type Envelope,
  grantOf,
  type HubMember,
  HubProcess,
  HubRig,
  newMemberKeys,
  service,
  until,
} from "./hub-rig.ts";

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: {
    readonly kind?: string;
    readonly code?: string;
    readonly message?: string;
    readonly details?: object;
  };
}

let rig: HubRig;
let eu: HubMember;
let other: HubProcess;
/** Of the hub that leads at first, and of the one that stands by. */
let ports: readonly [number, number];

const startOther = () => new HubProcess(join(rig.dir, "second.yaml"), join(rig.folder, "second.log"));

async function at<Result>(port: number, work: () => Promise<Result>): Promise<Result> {
  const before = rig.apiPort;
  rig.apiPort = port;
  try {
    return await work();
  } finally {
    rig.apiPort = before;
  }
}

const isRole = (port: number, role: string) =>
  until(`${port} is ${role}`, () =>
    at(port, async () => ((await rig.get("/readyz", "")) as Envelope<{ role: string }>).data.role === role),
  );

beforeAll(async () => {
  rig = await HubRig.start();
  ports = [rig.apiPort, await freePort("127.0.0.1")];
  const config = parse(readFileSync(rig.config, "utf8")) as { api: object };
  writeFileSync(
    join(rig.dir, "second.yaml"),
    stringify({ ...config, api: { ...config.api, port: ports[1] } }),
  );
  other = startOther();
  await isRole(ports[1], "standby");
  eu = await at(ports[1], () => rig.join("eu"));
  await eu.write(service("pay"));
});
afterAll(async () => {
  await eu?.close();
  await other?.stop();
  await rig?.stop();
});

/** As an HTTP client sees it: `callApi` hides status and type. */
function ask(
  port: number,
  [method, path, body]: readonly [string, string, unknown?],
  headers: Readonly<Record<string, string>> = { authorization: `Bearer ${rig.adminToken}` },
  agent: Agent | false = false,
): Promise<Reply> {
  const { caPem } = rig.target();
  return new Promise((resolve, reject) => {
    const json = body === undefined ? {} : { "content-type": "application/json" };
    const options = { method, ca: caPem, headers: { ...headers, ...json }, agent };
    const sent = request(new URL(path, `https://127.0.0.1:${port}`), options, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          type: response.headers["content-type"] ?? "",
          body: JSON.parse(text) as Reply["body"],
        }),
      );
      response.on("error", reject);
    });
    sent.on("error", reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

const order = (cluster: string) => ({ kind: "join", cluster, grant: grantOf() });
const tokens = async () => (await rig.get<{ items: unknown[] }>("/v1/tokens")).data.items.length;
const standby = () => ports[1];

test("a hub that stands by answers reads itself", async () => {
  await until("eu in its answer", async () => {
    const { data } = await at(standby(), () => rig.get<{ items: unknown[] }>("/v1/clusters"));
    return data.items.length === 1;
  });
});

describe("what only the leader answers, asked of the hub that stands by", () => {
  /** One request that succeeds, of each route of the registry that needs the leader. */
  const good: Record<string, () => Promise<readonly [string, string, unknown?]>> = {
    "GET /v1/positions": async () => ["GET", "/v1/positions"],
    "POST /v1/tokens": async () => ["POST", "/v1/tokens", order("us")],
    "DELETE /v1/tokens/:id": async () => {
      const { data } = await rig.post<{ id: string }>("/v1/tokens", order("us"));
      return ["DELETE", `/v1/tokens/${data.id}`];
    },
    "POST /v1/join": async () => {
      const body = rig.joinBody("us", newMemberKeys(), await rig.joinSecret("us"));
      return ["POST", "/v1/join", body];
    },
    "POST /v1/clusters/:cluster/leave": async () => ["POST", "/v1/clusters/us/leave", {}],
    "POST /v1/commands": async () => [
      "POST",
      "/v1/commands",
      rig.command({ do: "drain", cluster: "eu", incarnation: 1 }),
    ],
    "POST /v1/wants": async () => ["POST", "/v1/wants", { cluster: "eu" }],
    "POST /v1/records": async () => {
      const records = eu.published.map(({ record }) => ({
        headers: toHeaders(record.header as RecordHeader),
        body: base64(record.body),
      }));
      return ["POST", "/v1/records", { records }];
    },
  };
  const needLeader = routesOf({} as Hub).filter((route) => "lead" in route);

  test.each(needLeader.map(({ method, path, kind }) => [`${method} ${path}`, kind] as const))(
    "%s",
    async (name, kind) => {
      const reply = await ask(standby(), await good[name]!());
      expect([reply.body, reply.status]).toEqual([expect.objectContaining({ kind }), 200]);
      expect(reply.type).toMatch(/^application\/json/);
    },
  );

  test("has its effect once, and the leader's refusals come back as they are", async () => {
    const before = await tokens();
    expect((await ask(standby(), ["POST", "/v1/tokens", order("jp")])).status).toBe(200);
    expect(await tokens()).toBe(before + 1);
    for (const wrong of [
      ["POST", "/v1/wants", { cluster: "none" }],
      ["POST", "/v1/tokens", { kind: "join", cluster: "jp", colour: 1 }],
      ["POST", "/v1/commands", { payload: "{}", signatures: [{ key: "a", sig: "b" }] }],
    ] as const)
      expect(await ask(standby(), wrong)).toEqual(await ask(ports[0], wrong));
  });

  test("is refused without a credential", async () => {
    for (const headers of [{}, { authorization: "Bearer nonsense" }, { [MARK]: "1" }])
      for (const { method, path, access } of needLeader)
        if (access !== "secret") {
          const reply = await ask(standby(), [method, path.replaceAll(/:[a-z]+/g, "x")], headers);
          expect([reply.status, reply.body.code]).toEqual([401, "HSA3001"]);
        }
  });
});

describe("the mark of a request that was passed on", () => {
  const admin = () => ({ authorization: `Bearer ${rig.adminToken}` });

  test("ends at a hub that does not lead", async () => {
    const key = createPrivateKey(readFileSync(join(rig.dir, "api-ca-key.pem"), "utf8"));
    const mark = createHmac("sha256", key.export({ format: "pem", type: "pkcs8" }))
      .update(MARK)
      .digest("hex");
    const reply = await ask(standby(), ["GET", "/v1/positions"], { ...admin(), [MARK]: mark });
    expect([reply.status, reply.body]).toEqual([
      503,
      expect.objectContaining({ code: "HSA1012", details: { retry: true } }),
    ]);
  });

  test("gains nothing where it is forged: it is passed on, and held to the rate of strangers", async () => {
    const forged = { [MARK]: "0".repeat(64) };
    expect((await ask(standby(), ["GET", "/v1/positions"], { ...admin(), ...forged })).status).toBe(200);
    const agent = new Agent({ keepAlive: true, maxSockets: 4 });
    const replies = await Promise.all(
      Array.from({ length: 100 }, () => ask(ports[0], ["POST", "/v1/join", {}], forged, agent)),
    );
    agent.destroy();
    expect(replies.map(({ status }) => status)).toContain(429);
  });
});

describe("a leader that is not where it was, or is another", () => {
  let fake: Server | undefined;
  let asked = 0;
  let announced = "";
  const announce = (url: string) => rig.store.db.query("update archive set leader_url = $1", [url]);
  beforeAll(async () => {
    announced = await rig.store.leaderUrl();
  });
  afterEach(async () => {
    fake?.closeAllConnections();
    fake?.close();
    fake = undefined;
    await announce(announced);
  });

  const refusal = async () => {
    const before = await tokens();
    const { status, body } = await ask(standby(), ["POST", "/v1/tokens", order("jp")]);
    expect([status, body.code, await tokens()]).toEqual([503, "HSA1012", before]);
    return body;
  };

  /** A server of this certificate that counts who asks it, and hangs up or never answers. */
  async function pretend(certificate: { certPem: string; keyPem: string }, hangsUp = true): Promise<void> {
    asked = 0;
    const server = createServer({ cert: certificate.certPem, key: certificate.keyPem }, (incoming) => {
      asked += 1;
      if (hangsUp) incoming.socket.destroy();
    });
    fake = server;
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    await announce(`https://127.0.0.1:${(server.address() as AddressInfo).port}`);
  }
  const hubAuthority = () => {
    const read = (name: string) => readFileSync(join(rig.dir, name), "utf8");
    const keys = { certPem: read("api-ca.pem"), keyPem: read("api-ca-key.pem") };
    return loadTlsAuthority({ clock: systemClock, random: nodeRandom, ...keys });
  };

  test("announced itself nowhere: the answer says what to do", async () => {
    await announce("");
    const { message, details } = await refusal();
    expect(message).toMatch(/standby; .*api\.ownHost/);
    expect(details).toBeUndefined();
  });

  test("does not answer: asking again is safe", async () => {
    await announce(`https://127.0.0.1:${await freePort("127.0.0.1")}`);
    expect((await refusal()).details).toEqual({ retry: true });
  });

  test("has another CA, or another name: it never sees the request", async () => {
    const stranger = createTlsAuthority("stranger", { clock: systemClock, random: nodeRandom });
    for (const certificate of [
      stranger.issueServer(["127.0.0.1"]),
      hubAuthority().issueServer(["10.0.0.1"]),
    ]) {
      await pretend(certificate);
      expect((await refusal()).details).toEqual({ retry: true });
      expect(asked).toBe(0);
      fake?.close();
    }
  });

  test("hangs up after it was asked: the answer warns, and it is asked once", async () => {
    await pretend(hubAuthority().issueServer(["127.0.0.1"]));
    const { message, details } = await refusal();
    expect(message).toMatch(/may be done/);
    expect(details).toBeUndefined();
    expect(asked).toBe(1);
  });

  test("answers nobody: so many wait for it at once", async () => {
    await pretend(hubAuthority().issueServer(["127.0.0.1"]), false);
    const wait = () => ask(standby(), ["GET", "/v1/positions"]);
    const waiting = Array.from({ length: PASSED_ON_MAX }, wait);
    await until("all were passed on", () => asked === PASSED_ON_MAX);
    const oneMore = await wait();
    expect([oneMore.status, oneMore.body.code]).toEqual([429, "HSA1006"]);
    fake?.closeAllConnections();
    const codes = (await Promise.all(waiting)).map(({ body }) => body.code);
    expect(codes).toEqual(waiting.map(() => "HSA1012"));
    await announce(announced);
    expect((await wait()).status).toBe(200);
  });
});

test("the leader is killed: who asks the other meanwhile waits, it takes over, and each answers for both", async () => {
  const before = await tokens();
  await rig.hub.kill();
  const target = await at(standby(), async () => rig.target());
  const call = { method: "POST", path: "/v1/tokens", body: order("jp") } as const;
  // More than once only where this machine is slower than ten seconds.
  await until("a token", async () => "kind" in ((await callLeader(target, call, systemTimers)) as object));
  expect(await at(standby(), tokens)).toBe(before + 1);
  await rig.startHub();
  await isRole(ports[0], "standby");
  const ap = await at(ports[0], () => rig.join("ap"));
  await ap.close();
  for (const port of ports)
    expect((await ask(port, ["POST", "/v1/tokens", order("jp")])).body.kind).toBe("Token");
});

/**
 * What the generator makes, on real Envoys: client sidecar (us) → gateway (eu) → server sidecars (eu) → applications,
 * two trust domains, every resource by ADS. Each test states a fact that a user sees.
 */
import { request } from "node:http";
import { connect as connectTls } from "node:tls";
import { agentId, gatewayId, systemClock, systemTimers } from "@hansa/core";
import { newSvid, probeGateway } from "@hansa/identity";
import { bundleSecretName, CALLERS_SECRET, proto, sidecarResources, type TlsIdentity } from "@hansa/xds";
import { afterAll, expect, test } from "vitest";
import { successesAt } from "../../services/agent/src/liveness/traffic.ts";
import { LAST_WORDS } from "./envoy/apps.ts";
import { call, grpcCall, h2, keepAlive, tcpLine } from "./envoy/calls.ts";
import {
  CLIENT,
  client,
  clientInput,
  GATEWAY,
  gateway,
  gatewayAt,
  pay,
  reached,
  restore,
  SERVERS,
  serverInput,
  servers,
  serving,
  TCP_PORT,
  world,
} from "./envoy/shop.ts";
import {
  domain,
  eventually,
  FEDERATION,
  HTTP,
  hostOf,
  id,
  locality,
  MAIL,
  type RunningProxy,
  sniOf,
  viewOf,
} from "./envoy/world.ts";

afterAll(() => world.close());

test("no Envoy refused anything of what the generator made", () => {
  expect([client, gateway, ...servers].flatMap((proxy) => proxy.ads.nacks)).toEqual([]);
});

test("a call across clusters arrives with the caller's verified identity", async () => {
  const forged = {
    "x-forwarded-client-cert": `URI=${id("eu", "admin")}`,
    "x-envoy-upstream-rq-timeout-ms": "1",
  };
  const answer = await pay({ headers: forged });
  expect(answer.status, answer.body + client.log()).toBe(200);
  const seen = JSON.parse(answer.body);
  expect(seen.headers["x-forwarded-client-cert"]).toMatch(
    new RegExp(`^By=${id("eu", "pay")};Hash=[0-9a-f]{64};URI=${id("us", "web")}$`),
  );
  expect(answer.headers).not.toHaveProperty("x-hansa-unsent");
  expect(answer.headers).not.toHaveProperty("x-envoy-upstream-service-time");
});

test("Envoy counts what succeeded at a peer's gateway where the agent looks for it", async () => {
  const successes = async () =>
    successesAt(
      [{ address: GATEWAY, port: 15_443 }],
      JSON.parse(await client.admin("/clusters?format=json")),
    );
  const before = await successes();
  for (let calls = 0; calls < 3; calls += 1) expect((await pay()).status).toBe(200);
  expect(await successes()).toBe(before + 3);
  expect(
    successesAt([{ address: GATEWAY, port: 1 }], JSON.parse(await client.admin("/clusters?format=json"))),
  ).toBe(0);
});

test("an x-envoy header of a remote caller steers nothing on the server's side", async () => {
  const answer = await pay({ headers: { "x-envoy-retry-on": "5xx", "x-forwarded-for": "203.0.113.9" } });
  const seen = JSON.parse(answer.body);
  expect(seen.headers).not.toHaveProperty("x-envoy-retry-on");
  expect(seen.headers["x-forwarded-for"]).toBe("203.0.113.9");
});

test("gRPC and plain TCP take the same way", async () => {
  const session = h2(CLIENT, 15_001);
  const answer = await grpcCall(session, `${hostOf("pay")}:9090`);
  session.close();
  expect(answer).toMatchObject({ status: 200, grpcStatus: "0" });
  expect(JSON.parse(answer.body).headers["x-forwarded-client-cert"]).toContain(`URI=${id("us", "web")}`);
  expect(await tcpLine(CLIENT, TCP_PORT, "hello")).toMatch(/^pay-[12] hello$/);
});

test("a TCP server's reset does not overtake its answer", async () => {
  for (let calls = 0; calls < 30; calls += 1)
    expect(await tcpLine(CLIENT, TCP_PORT, LAST_WORDS)).toMatch(/^pay-[12] last words$/);
});

test("a WebSocket goes through", async () => {
  const opened = await new Promise<string>((resolve, reject) => {
    const upgrade = request({
      host: CLIENT,
      port: 15_001,
      headers: { host: hostOf("pay"), connection: "upgrade", upgrade: "websocket" },
    });
    upgrade.on("upgrade", (_response, socket) => {
      socket.write("ping");
      socket.on("data", (bytes: Buffer) => {
        socket.destroy();
        resolve(bytes.toString());
      });
    });
    upgrade.on("response", (response) => reject(new Error(`status ${response.statusCode}`)));
    upgrade.on("error", reject);
    upgrade.end();
  });
  expect(opened).toMatch(/^pay-[12]:ping$/);
});

test("an unknown host or port gets 404 with a code, never another service", async () => {
  for (const host of ["other.shop.svc.clusterset.local", `${hostOf("pay")}:81`, `x${hostOf("pay")}`]) {
    const answer = await call(CLIENT, 15_001, host);
    expect(answer.status).toBe(404);
    expect(answer.headers["x-hansa-code"]).toBe("HSA1005");
  }
  expect((await call(CLIENT, 15_001, `${hostOf("pay")}:80`)).status).toBe(200);
});

test("a service with no exporter left is answered at once with a reason", async () => {
  const gone = clientInput({ views: [viewOf("pay", HTTP, [], [])] });
  expect(await client.ads.push(sidecarResources(gone))).toEqual([]);
  const answer = await pay();
  expect([answer.status, answer.headers["x-hansa-code"]]).toEqual([503, "HSA4006"]);
  await restore();
});

test("nothing healthy is a fast 503 with the flag, not a time-out", async () => {
  const down = { ...gatewayAt, health: "unhealthy" as const };
  const views = [viewOf("pay", HTTP, ["eu"], [locality("eu", 0, "gateway", [down])])];
  expect(await client.ads.push(sidecarResources(clientInput({ views })))).toEqual([]);
  const answer = await pay();
  expect(answer.status).toBe(503);
  expect(answer.headers["x-hansa-reason"]).toMatch(/^UH no_healthy_upstream/);
  expect(answer.headers["x-hansa-code"]).toBe("HSA4006");
  await restore();
});

test("a server with another SVID than the exporter's ids is refused", async () => {
  const other = serverInput(SERVERS[0] as string, { svid: world.svid("eu", "other") });
  const more = serverInput(SERVERS[1] as string, { svid: world.svid("eu", "other") });
  await servers[0]?.ads.push(sidecarResources(other));
  await servers[1]?.ads.push(sidecarResources(more));
  await client.ads.push(sidecarResources(clientInput({ views: [] })));
  await client.ads.push(sidecarResources(clientInput()));
  const answer = await pay();
  expect(answer.status).toBe(503);
  await eventually(async () => client.log().includes("verify_cert_failed:_SAN_match"));
  await restore();
  await eventually(async () => (await pay()).status === 200);
});

test("a two-URI leaf is refused in both directions", async () => {
  // Server: signed by ap, claims eu's id as well. ap is not in the client's bundle set.
  const liar = world.twoUriLeaf("ap", id("ap", "x"), id("eu", "pay"));
  for (const [index, address] of SERVERS.entries())
    await servers[index]?.ads.push(sidecarResources(serverInput(address, { svid: liar })));
  await client.ads.push(sidecarResources(clientInput({ views: [] })));
  await client.ads.push(sidecarResources(clientInput()));
  expect((await pay()).status).toBe(503);
  await restore();
  await eventually(async () => (await pay()).status === 200);

  // Client: its first URI is admitted; the guard closes the connection before any policy is asked.
  const served = reached();
  const two = world.twoUriLeaf("us", id("us", "other"), id("eu", "pay"));
  await client.ads.push(sidecarResources(clientInput({ views: [], svid: two })));
  await client.ads.push(sidecarResources(clientInput({ svid: two })));
  expect((await pay()).status).toBe(503);
  expect(await tcpLine(CLIENT, TCP_PORT, "hello")).toBe("");
  expect(reached()).toEqual(served);
  await eventually(async () =>
    servers.some((server) => server.log().includes("rbac_access_denied_matched_policy[multi-uri]")),
  );
  await client.ads.push(sidecarResources(clientInput({ views: [] })));
  await restore();
  await eventually(async () => (await pay()).status === 200);
});

test("a caller that no allow names is denied, HTTP by 403 with a code, TCP by a closed connection", async () => {
  const other = clientInput({ svid: world.svid("us", "other") });
  await client.ads.push(sidecarResources({ ...other, views: [] }));
  await client.ads.push(sidecarResources(other));
  const answer = await pay();
  expect([answer.status, answer.headers["x-hansa-code"]]).toEqual([403, "HSA4007"]);
  expect(answer.headers["x-hansa-reason"]).toContain("rbac_access_denied_matched_policy[default-deny]");
  expect(await tcpLine(CLIENT, TCP_PORT, "hello")).toBe("");
  await client.ads.push(sidecarResources(clientInput({ views: [] })));
  await restore();
});

test("a server-first application says nothing to a caller that is not admitted", async () => {
  const greeting = (svid: TlsIdentity): Promise<string> =>
    new Promise((resolve) => {
      const socket = connectTls({
        host: GATEWAY,
        port: 15_443,
        servername: sniOf("pay", MAIL),
        cert: svid.certPem,
        key: svid.keyPem,
        rejectUnauthorized: false,
      });
      socket.on("data", (bytes: Buffer) => {
        socket.destroy();
        resolve(bytes.toString());
      });
      socket.on("error", () => resolve(""));
      socket.on("close", () => resolve(""));
    });
  expect(await greeting(world.svid("us", "web"))).toBe("welcome");
  const served = reached();
  expect(await greeting(world.svid("us", "other"))).toBe("");
  expect(await greeting(world.svid("ap", "web"))).toBe("");
  expect(await greeting(world.twoUriLeaf("ap", id("ap", "x"), id("us", "web")))).toBe("");
  expect(reached()).toEqual(served);
});

test("a change of policy judges the next request of a live connection", async () => {
  const agent = keepAlive();
  expect((await pay({ agent })).status).toBe(200);
  const connections = await client.stat(`cluster.${sniOf("pay", HTTP)}.upstream_cx_total`);
  const closed = serving.map((port) => ({ ...port, callers: [] }));
  for (const [index, address] of SERVERS.entries())
    await servers[index]?.ads.push(sidecarResources(serverInput(address, { serving: closed })));
  expect((await pay({ agent })).status).toBe(403);
  expect(await client.stat(`cluster.${sniOf("pay", HTTP)}.upstream_cx_total`)).toBe(connections);
  await restore();
  expect((await pay({ agent })).status).toBe(200);
  agent.destroy();
});

/** TLS to the gateway by `servername`, as a client with a good SVID; "" where it was cut, else the ALPN or "tls". */
const handshake = (servername: string): Promise<string> =>
  new Promise((resolve) => {
    const { certPem, keyPem } = world.svid("us", "web");
    const socket = connectTls({
      host: GATEWAY,
      port: 15_443,
      servername,
      cert: certPem,
      key: keyPem,
      rejectUnauthorized: false,
      ALPNProtocols: ["h2"],
    });
    socket.on("secureConnect", () => {
      socket.destroy();
      resolve(socket.alpnProtocol || "tls");
    });
    socket.on("error", () => resolve(""));
    socket.on("close", () => resolve(""));
  });

test("the gateway passes exported names only; an unknown one is reset, counted and logged", async () => {
  expect(await handshake(sniOf("pay", HTTP))).toBe("h2");
  const before = await gateway.stat("tcp.unknown_sni.downstream_cx_total");
  expect(await handshake(sniOf("secret", HTTP))).toBe("");
  expect(await handshake("nobody.example")).toBe("");
  expect(await handshake(`passthrough/${sniOf("pay", HTTP)}`)).toBe("");
  expect(await gateway.stat("tcp.unknown_sni.downstream_cx_total")).toBe(before + 3);
  await eventually(async () => gateway.log().includes(`unknown_sni ${sniOf("secret", HTTP)}`));
});

test("the gateway's probe answers members' agents and nobody else", async () => {
  const probe = async (name: string, spiffeId = agentId(domain(name))) =>
    await probeGateway(
      {
        address: GATEWAY,
        port: 15_443,
        sni: `probe.eu.gw.${FEDERATION}`,
        roots: [world.authority("eu").rootDer],
        expectedId: gatewayId(domain("eu")),
        svid: newSvid(world.authority(name), spiffeId),
        timeoutMs: 5_000,
      },
      { clock: systemClock, timers: systemTimers },
    );
  expect(await probe("us")).toMatchObject({ ok: true });
  expect(await probe("us", id("us", "web"))).toMatchObject({ ok: false, stage: "http" });
  expect(await probe("ap")).toMatchObject({ ok: false, stage: "tls" });
});

test("an empty validation context is refused and the good one stays", async () => {
  const empty = (name: string): Uint8Array =>
    proto.toBinary(
      proto.SecretSchema,
      proto.create(proto.SecretSchema, { name, type: { case: "validationContext", value: {} } }),
    );
  const good = sidecarResources(serverInput(SERVERS[0] as string));
  const spoiled = { ...good, secrets: new Map(good.secrets).set(CALLERS_SECRET, empty(CALLERS_SECRET)) };
  const nacks = await (servers[0] as RunningProxy).ads.push(spoiled);
  expect(nacks.map((nack) => nack.message).join()).toMatch(/SAN-based verification .* without trusted CA/);
  const mine = sidecarResources(clientInput());
  const name = bundleSecretName(domain("eu"));
  const bad = await client.ads.push({ ...mine, secrets: new Map(mine.secrets).set(name, empty(name)) });
  expect(bad.map((nack) => nack.message).join()).toMatch(/SAN-based verification .* without trusted CA/);
  expect((await pay()).status).toBe(200);
  await restore();
});

test("leaf and roots rotate under load without a failed request", async () => {
  const agent = keepAlive();
  const statuses: number[] = [];
  let over = false;
  const caller = (async () => {
    while (!over) statuses.push((await pay({ agent })).status);
  })();
  for (let round = 0; round < 8; round += 1) {
    expect(await client.ads.push(sidecarResources(clientInput({ svid: world.svid("us", "web") })))).toEqual(
      [],
    );
    for (const [index, address] of SERVERS.entries()) {
      const input = serverInput(address, {
        svid: world.svid("eu", "pay"),
        bundles: world.bundles("eu", "us", "ap"),
      });
      expect(await servers[index]?.ads.push(sidecarResources(input))).toEqual([]);
    }
  }
  over = true;
  await caller;
  agent.destroy();
  expect(statuses.filter((status) => status !== 200)).toEqual([]);
  expect(statuses.length).toBeGreaterThan(100);
  await restore();
});

test("fields newer than the generated code arrive under their names", async () => {
  const listeners = JSON.parse(await servers[0]!.admin("/config_dump?resource=dynamic_listeners"));
  const text = JSON.stringify(listeners);
  expect(text).toContain(
    '"upstream_connect_mode":"ON_DOWNSTREAM_TLS_HANDSHAKE","max_early_data_bytes":65536',
  );
  expect(text).toContain('"max_downstream_connection_duration_jitter_percentage":{"value":8}');
  expect(
    JSON.stringify(JSON.parse(await gateway.admin("/config_dump?resource=dynamic_listeners"))),
  ).toContain('"backoff_options":{"base_interval":"0.010s","max_interval":"0.050s"}');
});

import { createServer as createTcpServer, type Server } from "node:net";
import { createServer, type TlsOptions } from "node:tls";
import { gatewayId, type SpiffeId, systemClock, systemTimers, type TrustDomain } from "@hansa/core";
import { afterEach, expect, test } from "vitest";
import { createAuthority } from "./authority.ts";
import { craftCertificate } from "./craft-certificate.ts";
import { nodeRandom } from "./node-crypto.ts";
import { toPem } from "./pem.ts";
import { GatewayProber, PROBE_PATH, type ProbeTarget, probeGateway } from "./probe.ts";
import { newSvid } from "./svid.ts";

const ports = { clock: systemClock, timers: systemTimers };
const authorityOf = (domain: string) =>
  createAuthority({ trustDomain: domain as TrustDomain, clock: systemClock, random: nodeRandom });
const eu = authorityOf("eu.lab.hansa");
const us = authorityOf("us.lab.hansa");
const gateway = newSvid(us, gatewayId(us.trustDomain));
const agent = newSvid(eu, "spiffe://eu.lab.hansa/ns/hansa-system/sa/agent" as SpiffeId);

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listen(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** A gateway's probe chain: mTLS, then `answer` for every request. Counts handshakes. */
async function gatewayServer(
  options: TlsOptions = {},
  answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
) {
  const seen = { handshakes: 0, paths: [] as string[], names: [] as unknown[] };
  const server = createServer(
    {
      cert: gateway.certPem,
      key: gateway.keyPem,
      ca: [toPem(eu.rootDer)],
      requestCert: true,
      rejectUnauthorized: true,
      ...options,
    },
    (socket) => {
      seen.handshakes++;
      seen.names.push(socket.servername);
      socket.on("error", () => {});
      socket.on("data", (data) => {
        seen.paths.push(data.toString().split(" ")[1] ?? "");
        socket.write(answer);
      });
    },
  );
  server.on("tlsClientError", () => {});
  return { port: await listen(server), seen };
}

const target = (port: number, change: Partial<ProbeTarget> = {}): ProbeTarget => ({
  address: "127.0.0.1",
  port,
  sni: "probe.us.gw.lab.hansa",
  roots: [us.rootDer],
  expectedId: gatewayId(us.trustDomain),
  svid: agent,
  timeoutMs: 1000,
  ...change,
});

test("a gateway that is itself answers", async () => {
  const { port, seen } = await gatewayServer();
  expect(await probeGateway(target(port), ports)).toMatchObject({ ok: true, rttMs: expect.any(Number) });
  expect(seen).toMatchObject({ paths: [PROBE_PATH], names: ["probe.us.gw.lab.hansa"] });
});

test("nobody listens: tcp", async () => {
  expect(await probeGateway(target(1), ports)).toMatchObject({ ok: false, stage: "tcp" });
});

test("a listener that says nothing: tls", async () => {
  const port = await listen(createTcpServer((socket) => void socket.on("error", () => {})));
  expect(await probeGateway(target(port, { timeoutMs: 100 }), ports)).toMatchObject({
    ok: false,
    stage: "tls",
  });
});

test("a listener that resets, as for an unknown SNI: tls", async () => {
  const port = await listen(createTcpServer((socket) => void socket.destroy()));
  expect(await probeGateway(target(port), ports)).toMatchObject({ ok: false, stage: "tls" });
});

test("a root of another trust domain: tls", async () => {
  const { port } = await gatewayServer();
  expect(await probeGateway(target(port, { roots: [eu.rootDer] }), ports)).toMatchObject({
    ok: false,
    stage: "tls",
  });
  expect(await probeGateway(target(port, { roots: [] }), ports)).toMatchObject({ ok: false });
});

test("another identity of the same trust domain: san", async () => {
  const pay = newSvid(us, "spiffe://us.lab.hansa/ns/shop/sa/pay" as SpiffeId);
  const { port } = await gatewayServer({ cert: pay.certPem, key: pay.keyPem });
  expect(await probeGateway(target(port), ports)).toMatchObject({ ok: false, stage: "san" });
});

test("a leaf with two URIs, the expected one among them: san", async () => {
  const uris = [gatewayId(us.trustDomain), "spiffe://us.lab.hansa/ns/shop/sa/pay"];
  const crafted = craftCertificate(us, { uris }, systemClock.nowMs());
  const { port } = await gatewayServer({ cert: toPem(crafted.der), key: crafted.keyPem });
  expect(await probeGateway(target(port), ports)).toMatchObject({ ok: false, stage: "san" });
});

test("the gateway refuses this importer's certificate: not ok although the client's handshake ended", async () => {
  const { port, seen } = await gatewayServer({ ca: [toPem(us.rootDer)] });
  // Envoy sends an alert (stage tls); Node's server resets instead (stage http).
  expect(await probeGateway(target(port), ports)).toMatchObject({ ok: false });
  expect(seen.paths).toEqual([]);
});

test("an answer other than 200, and no answer: http", async () => {
  const bad = await gatewayServer({}, "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
  expect(await probeGateway(target(bad.port), ports)).toMatchObject({ ok: false, stage: "http" });
  const mute = await gatewayServer({}, "");
  expect(await probeGateway(target(mute.port, { timeoutMs: 100 }), ports)).toMatchObject({
    ok: false,
    stage: "http",
  });
});

test("a prober keeps its connection, and shakes hands anew when time or target change", async () => {
  const { port, seen } = await gatewayServer();
  let nowMs = 0;
  const clock = { nowMs: systemClock.nowMs, monotonicMs: () => nowMs };
  const prober = new GatewayProber({ clock, timers: systemTimers }, 30_000);
  for (let round = 0; round < 3; round++)
    expect(await prober.probe(target(port))).toMatchObject({ ok: true });
  expect(seen.handshakes).toBe(1);
  nowMs = 30_000;
  expect(await prober.probe(target(port))).toMatchObject({ ok: true });
  expect(seen.handshakes).toBe(2);
  const renewed = newSvid(eu, agent.spiffeId);
  expect(await prober.probe(target(port, { svid: renewed }))).toMatchObject({ ok: true });
  expect(seen.handshakes).toBe(3);
  prober.close();
});

test("a prober finds a new server after the old one went away", async () => {
  const first = await gatewayServer();
  const prober = new GatewayProber(ports);
  expect(await prober.probe(target(first.port))).toMatchObject({ ok: true });
  expect(await prober.probe(target(1))).toMatchObject({ ok: false, stage: "tcp" });
  expect(await prober.probe(target(first.port))).toMatchObject({ ok: true });
  prober.close();
});

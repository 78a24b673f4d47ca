// The ADS server's own doors: sockets, TLS, limits, back-pressure, closing.
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Acked, type AdsOptions, type AdsServer, serveAds } from "@hansa/ads";
import { noMetrics, silentLog, systemClock, systemTimers, trustDomainOf, workloadId } from "@hansa/core";
import { createAuthority, createTlsAuthority, newSvid, nodeRandom, toPem } from "@hansa/identity";
import { ResourceLayer, TYPE_URL } from "@hansa/xds";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AdsClient } from "../conformance/xds/client.ts";

const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest();
const { cluster, endpoint, secret } = TYPE_URL;
let dir: string;
let layer: ResourceLayer;
const open: { close(): unknown }[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hansa-ads-"));
  layer = new ResourceLayer({ sha256 });
});

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
  rmSync(dir, { recursive: true, force: true });
});

async function serve(listen: AdsOptions["listen"], more: Partial<AdsOptions> = {}): Promise<AdsServer> {
  const server = await serveAds({
    listen,
    layers: [layer],
    clock: systemClock,
    timers: systemTimers,
    log: silentLog,
    metrics: noMetrics,
    ...more,
  });
  open.push(server);
  return server;
}

function client(address: string, tls = {}): AdsClient {
  const one = new AdsClient({ address, tls, nodeId: "n" });
  open.push(one);
  return one;
}

const put = (typeUrl: string, name: string, text: string) =>
  layer.update(typeUrl, [[name, Buffer.from(text)]]);

test("a socket is for its owner alone, and gone after close", async () => {
  const path = join(dir, "sockets", "one.sock");
  const server = await serve({ path });
  expect(statSync(join(dir, "sockets")).mode & 0o777).toBe(0o700);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  put(endpoint, "a", "1");
  const one = client(`unix:${path}`);
  one.send(endpoint, { subscribe: ["a"] });
  expect((await one.next()).resources).toHaveLength(1);
  await server.close();
  expect(existsSync(path)).toBe(false);
  expect((await one.ended).code).toBe(14);
});

test("a stale socket is replaced; anything else in its place, and an open folder, is refused", async () => {
  const path = join(dir, "stale.sock");
  const crashed = createServer();
  await new Promise<void>((resolve) => crashed.listen(path, resolve));
  await serve({ path });
  await new Promise((resolve) => crashed.close(resolve));
  const file = join(dir, "file.sock");
  writeFileSync(file, "precious");
  await expect(serve({ path: file })).rejects.toMatchObject({ code: "HSA1004" });
  const shared = join(dir, "shared");
  mkdirSync(shared);
  chmodSync(shared, 0o755);
  await expect(serve({ path: join(shared, "x.sock") })).rejects.toMatchObject({ code: "HSA1004" });
  await expect(serve({ path: join(dir, "x".repeat(120)) })).rejects.toMatchObject({ code: "HSA1004" });
});

test("a port that is taken is a clear error", async () => {
  const { address } = await serve({ host: "127.0.0.1", port: 0 });
  const port = Number(address.split(":")[1]);
  await expect(serve({ host: "127.0.0.1", port })).rejects.toMatchObject({ code: "HSA1012" });
});

test("TLS with client certificates: without one there is no stream", async () => {
  const ports = { clock: systemClock, random: nodeRandom };
  const servers = createTlsAuthority("test", ports);
  const pair = servers.issueServer(["127.0.0.1"]);
  const domain = trustDomainOf("eu", "test.hansa");
  const members = createAuthority({ trustDomain: domain, ...ports });
  const svid = newSvid(members, workloadId(domain, "shop", "web"));
  const files = { cert: join(dir, "cert.pem"), key: join(dir, "key.pem"), ca: join(dir, "ca.pem") };
  writeFileSync(files.cert, svid.certPem);
  writeFileSync(files.key, svid.keyPem);
  writeFileSync(files.ca, servers.certPem);
  const tls = { certPem: pair.certPem, keyPem: pair.keyPem };
  const anyone = await serve({ host: "127.0.0.1", port: 0, tls });
  put(secret, "s", "1");
  const trusted = client(anyone.address, { ca: files.ca });
  trusted.send(secret, { subscribe: ["s"] });
  expect((await trusted.next()).resources).toHaveLength(1);
  const mutual = await serve({
    host: "127.0.0.1",
    port: 0,
    tls: { ...tls, clientCaPem: toPem(members.rootDer) },
  });
  const anonymous = client(mutual.address, { ca: files.ca });
  anonymous.send(secret, { subscribe: ["s"] });
  expect((await anonymous.endOfStream()).code).toBe(14);
  const known = client(mutual.address, files);
  known.send(secret, { subscribe: ["s"] });
  expect((await known.next()).resources).toHaveLength(1);
});

test("acknowledged revisions are reported per type and for the stream, and while a stream is open only", async () => {
  const acks: Acked[] = [];
  const server = await serve({ host: "127.0.0.1", port: 0 }, { onAck: (ack) => acks.push(ack) });
  expect(server.ackedRevision()).toBeUndefined();
  put(cluster, "a", "1");
  const first = put(endpoint, "a", "1");
  const one = client(server.address);
  one.send(cluster);
  one.ack(await one.next());
  one.send(endpoint, { subscribe: ["a"] });
  const answer = await one.next();
  expect(server.ackedRevision()).toBeLessThan(first);
  one.ack(answer);
  await expect.poll(() => server.ackedRevision()).toBe(first);
  expect(acks.at(-1)).toMatchObject({ typeUrl: endpoint, revision: first, streamRevision: first });
  expect(server.status()).toMatchObject({
    streams: 1,
    types: [{ typeUrl: cluster }, { named: 1, inFlight: 0 }],
  });
  one.close();
  await expect.poll(() => server.ackedRevision()).toBeUndefined();
});

test("who waits for acknowledgements is told when there is nothing left to wait for", async () => {
  const seen: (number | undefined)[] = [];
  let server: AdsServer | undefined;
  const look = () => seen.push(server?.ackedRevision());
  server = await serve({ host: "127.0.0.1", port: 0 }, { onAck: look, onEnd: look });
  put(endpoint, "a", "1");
  put(endpoint, "b", "1");
  const one = client(server.address);
  one.send(endpoint, { subscribe: ["a", "b"] });
  one.ack(await one.next());
  put(endpoint, "a", "2");
  const answer = await one.next();
  // Changed and changed back before the client could be told: nothing is sent, so nothing will be acknowledged.
  put(endpoint, "b", "2");
  put(endpoint, "b", "1");
  one.ack(answer);
  await expect.poll(() => seen.at(-1)).toBe(layer.revision);
  put(endpoint, "a", "3");
  await one.next();
  const silent = seen.length;
  one.close();
  await expect.poll(() => seen.length).toBeGreaterThan(silent);
  expect(seen.at(-1)).toBeUndefined();
});

test("an owner cannot open streams without end", async () => {
  const server = await serve({ host: "127.0.0.1", port: 0 }, { owner: "n" });
  const streams = Array.from({ length: 8 }, () => client(server.address));
  for (const one of streams) {
    one.send(endpoint, { subscribe: ["a"] });
    await one.next();
  }
  const ninth = client(server.address);
  ninth.send(endpoint, { subscribe: ["a"] });
  expect(await ninth.endOfStream()).toMatchObject({ code: 8, details: expect.stringContaining("HSA1006") });
  streams[0]?.close();
  await expect.poll(() => server.status().streams).toBe(7);
  const tenth = client(server.address);
  tenth.send(endpoint, { subscribe: ["a"] });
  await tenth.next();
});

test("a client that reads but never answers costs one push, however much changes", async () => {
  const server = await serve({ host: "127.0.0.1", port: 0 });
  put(endpoint, "a", "0");
  const one = client(server.address);
  one.send(endpoint, { subscribe: ["a"] });
  one.ack(await one.next());
  for (let round = 0; round < 1000; round += 1) put(endpoint, "a", String(round).padEnd(3000));
  expect(await one.quiet(200)).toHaveLength(1);
  expect(server.status().types[0]).toMatchObject({ inFlight: 1 });
});

test("close ends all streams even where a client does not let go", async () => {
  const server = await serve({ host: "127.0.0.1", port: 0 });
  const one = client(server.address);
  one.send(endpoint, { subscribe: ["a"] });
  await one.next();
  const startMs = performance.now();
  await server.close();
  await server.close();
  expect(performance.now() - startMs).toBeLessThan(3000);
  expect((await one.ended).code).toBe(14);
});

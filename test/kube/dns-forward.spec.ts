/** A cluster's own DNS in front of an agent's: CoreDNS with the stanza that docs/dns.md shows. */
import { Resolver } from "node:dns/promises";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { noMetrics, silentLog, systemClock, systemTimers } from "@hansa/core";
import { nodeRandom } from "@hansa/identity";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Child, freePort } from "../../deploy/tools/child.ts";
import { root } from "../../deploy/tools/paths.mjs";
import { clusterSetIp, endpoint, headless, TestIndex } from "../../services/agent/src/dns/dns.fixture.ts";
import { DnsServer } from "../../services/agent/src/dns/server.ts";
import { startCoreDns } from "../support/coredns.ts";

const PAY = "pay.shop.svc.clusterset.local";
const DB = "db.shop.svc.clusterset.local";
const CACHE_MS = 5000;
const SIZE = 200;
const dir = mkdtempSync(join(tmpdir(), "hansa-coredns-"));
const hosts = Array.from({ length: SIZE }, (_, at) => endpoint(`10.1.0.${at}`, { hostname: `db-${at}` }));
const index = new TestIndex(clusterSetIp(), headless({ eu: hosts }));
let server: DnsServer | undefined;
let coreDns: Child | undefined;
const resolver = new Resolver({ timeout: 3000, tries: 1 });
const codeOf = (name: string): Promise<string> =>
  resolver.resolve4(name).then(
    () => "answered",
    (error: { code: string }) => error.code,
  );

/** The page's stanza, with addresses of this test. */
function stanza(port: number, agent: string): string {
  const [, text] =
    /^```\n(clusterset\.local:53 \{.*?^\})\n```/ms.exec(readFileSync(join(root, "docs/dns.md"), "utf8")) ??
    [];
  if (text === undefined) throw new Error("docs/dns.md shows no stanza");
  return text
    .replace(":53 {", `:${port} {\n    bind 127.0.0.1`)
    .replace(/forward \. \S+/, `forward . ${agent}`);
}

beforeAll(async () => {
  const ports = {
    clock: systemClock,
    timers: systemTimers,
    random: nodeRandom,
    log: silentLog,
    metrics: noMetrics,
  };
  server = await DnsServer.start({ listen: [{ host: "127.0.0.1", port: 0 }], index, ports });
  const port = await freePort();
  resolver.setServers([`127.0.0.1:${port}`]);
  const corefile = stanza(port, `127.0.0.1:${server.addresses[0]?.port}`);
  const isReady = async () => (await codeOf("dns-version.clusterset.local")) === "ENODATA";
  coreDns = await startCoreDns({ dir, corefile, isReady });
}, 300_000);
afterAll(async () => {
  await coreDns?.stop();
  await server?.close();
  rmSync(dir, { recursive: true, force: true });
});

it("pods get addresses, ports and the version", async () => {
  expect(await resolver.resolve4(PAY)).toEqual(["10.42.0.7"]);
  expect(await resolver.resolve6(PAY)).toEqual(["fd42::7"]);
  expect(await resolver.resolveSrv(`_http._tcp.${PAY}`)).toMatchObject([{ name: PAY, port: 80 }]);
  expect(await resolver.resolveTxt("dns-version.clusterset.local")).toEqual([["1.0.0"]]);
  expect(await resolver.resolve4(`db-7.eu.${DB}`)).toEqual(["10.1.0.7"]);
});

it("many endpoints come whole: what is cut on one way is asked for on the other", async () => {
  expect(new Set(await resolver.resolve4(DB)).size).toBe(SIZE);
});

it("what is missing is told apart", async () => {
  expect(await codeOf(`x.${PAY}`)).toBe("ENOTFOUND");
  expect(await codeOf(`_http._tcp.${PAY}`)).toBe("ENODATA");
});

it("a name that comes is found once the answer before it has run out, be it missing or not known yet", async () => {
  const [late, fresh] = ["late", "fresh"].map((name) => `${name}.shop.svc.clusterset.local`) as [
    string,
    string,
  ];
  expect(await codeOf(late)).toBe("ENOTFOUND");
  index.synced = false;
  expect(await codeOf(fresh)).toBe("ESERVFAIL");
  index.synced = true;
  for (const name of ["late", "fresh"]) index.set(clusterSetIp({ name }));
  for (const name of [late, fresh])
    await expect.poll(() => codeOf(name), { timeout: CACHE_MS + 3000, interval: 200 }).toBe("answered");
});

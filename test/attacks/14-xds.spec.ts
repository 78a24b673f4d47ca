/**
 * A process beside an agent that asks for another proxy's configuration (T14): from an xDS server that believes whatever
 * node it names, and from the agent's, whose socket belongs to one proxy. On a running lab: test/e2e/06-identity.spec.ts.
 */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serveAds } from "@hansa/ads";
import { noMetrics, silentLog, systemClock, systemTimers } from "@hansa/core";
import { ResourceLayer, type Resources, SVID_SECRET, svidSecretFor, TYPE_URL } from "@hansa/xds";
import { afterAll, describe, expect, it } from "vitest";
import { AdsClient } from "../conformance/xds/client.ts";
import { serveStatic } from "../contract/envoy/static-ads.ts";

const VICTIM = "shop/pay/pay-1";
const KEY = "-----BEGIN PRIVATE KEY-----\nthe victim's\n-----END PRIVATE KEY-----\n";
const secret = svidSecretFor({ certPem: "", keyPem: KEY });

const dir = mkdtempSync(join(tmpdir(), "hansa-xds-"));
const open: { close(): unknown }[] = [];
afterAll(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
  rmSync(dir, { recursive: true, force: true });
});

async function steal(path: string, nodeId: string): Promise<{ keys: number; status?: unknown }> {
  const thief = new AdsClient({ address: `unix:${path}`, nodeId });
  open.push(thief);
  thief.send(TYPE_URL.secret, { subscribe: [SVID_SECRET] });
  const outcome = await Promise.race([thief.next(TYPE_URL.secret, 5000), thief.endOfStream()]);
  if (!("resources" in outcome)) return { keys: 0, status: outcome };
  const keys = outcome.resources.filter(({ message }) => Buffer.from(message).includes("the victim's"));
  return { keys: keys.length };
}

const empty: Resources = {
  clusters: new Map(),
  endpoints: new Map(),
  listeners: new Map(),
  routes: new Map(),
  secrets: new Map([[SVID_SECRET, secret]]),
  extensionConfigs: new Map(),
};

describe("another proxy's key", () => {
  it("is given to whoever asks, where the node's name is not checked", async () => {
    const path = join(dir, "believing.sock");
    open.push(await serveStatic(path, empty));
    expect(await steal(path, "shop/web/web-1")).toEqual({ keys: 1 });
  });

  it("stays with the proxy that the socket was made for", async () => {
    const layer = new ResourceLayer({ sha256: (data) => createHash("sha256").update(data).digest() });
    layer.update(TYPE_URL.secret, [[SVID_SECRET, secret]]);
    const ports = { clock: systemClock, timers: systemTimers, log: silentLog, metrics: noMetrics };
    const path = join(dir, "sockets", "pay.sock");
    open.push(await serveAds({ listen: { path }, owner: VICTIM, layers: [layer], ...ports }));
    expect(await steal(path, "shop/web/web-1")).toMatchObject({
      keys: 0,
      status: { code: 7, details: expect.stringContaining("HSA5003") },
    });
    // Who may open the socket at all is the operating system's to say.
    expect(statSync(join(dir, "sockets")).mode & 0o777).toBe(0o700);
    expect(await steal(path, VICTIM)).toEqual({ keys: 1 });
  });
});

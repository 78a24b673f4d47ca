/**
 * A hostile cluster at real Envoys (T1, T3, T4, T16): what its own CA, keys and servers get it. Each attack is shown to
 * work on an Envoy whose configuration lacks one thing (support/weaken.ts), then on the generator's.
 */

import { createServer } from "node:net";
import { gatewayId } from "@hansa/core";
import { newSvid, toPem } from "@hansa/identity";
import type { Resources, TlsIdentity } from "@hansa/xds";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { craftCertificate } from "../../libs/identity/src/craft-certificate.ts";
import { domain, eventually, HTTP, id, sniOf } from "../contract/envoy/world.ts";
import { knock } from "../e2e/support/stranger.ts";
import { type Impostor, impostor } from "./support/impostor.ts";
import {
  app,
  clientResources,
  EVIL,
  GATEWAY,
  gateway,
  gatewayOf,
  pay,
  payFrom,
  pushClient,
  rootsPem,
  SERVER,
  server,
  serverResources,
  world,
} from "./support/mesh.ts";
import {
  anyServerId,
  classicPolicy,
  pooledRoots,
  trustingXfcc,
  withoutGuard,
  withoutTls,
} from "./support/weaken.ts";

afterAll(() => world.close());
afterEach(async () => {
  await server.ads.push(serverResources());
  await pushClient(clientResources());
  await eventually(async () => (await pay()).status === 200);
});

/** A leaf of `signer`'s CA with these names: the attacker holds evil's, and writes into it what it likes. */
const leaf = (signer: string, ...uris: string[]): TlsIdentity => {
  const { der, keyPem } = craftCertificate(world.authority(signer), { uris }, Date.now());
  return { certPem: toPem(der), keyPem };
};

const asCaller = (shown: TlsIdentity, headers: Record<string, string> = {}, address = `${SERVER}:15006`) =>
  knock({ address, sni: sniOf("pay", HTTP), ...shown, headers });

/** What the server's application was told of the caller. */
const toldOf = (body: { headers?: Record<string, string> } | null): string =>
  body?.headers?.["x-forwarded-client-cert"] ?? "";

describe("a caller with a CA of its own", () => {
  it("is whoever it says it is, where all members' CAs are one list; here its CA speaks for its domain alone (T3)", async () => {
    const forged = leaf("evil", id("us", "web"));
    await server.ads.push(pooledRoots(serverResources(), rootsPem));
    const taken = await asCaller(forged);
    expect([taken.status, toldOf(taken.body)]).toEqual([
      200,
      expect.stringContaining(`URI=${id("us", "web")}`),
    ]);
    await server.ads.push(serverResources());
    const reached = app.served.count;
    expect(await asCaller(forged)).toMatchObject({ status: 0 });
    expect(app.served.count).toBe(reached);
    expect(await asCaller(world.svid("us", "web"))).toMatchObject({ status: 200 });
  });

  it("carries two names past policies that any name satisfies; here one name is the rule (T3)", async () => {
    const two = leaf("evil", id("evil", "x"), id("us", "web"));
    await server.ads.push(withoutGuard(classicPolicy(serverResources(), [id("us", "web")])));
    const taken = await asCaller(two);
    expect([taken.status, toldOf(taken.body)]).toEqual([
      200,
      expect.stringContaining(`URI=${id("us", "web")}`),
    ]);
    await server.ads.push(classicPolicy(serverResources(), [id("us", "web")]));
    expect(await asCaller(two)).toMatchObject({ status: 0 });
    await server.ads.push(serverResources());
    const reached = app.served.count;
    expect(await asCaller(two)).toMatchObject({ status: 0 });
    expect(app.served.count).toBe(reached);
  });

  it("tells the application who it is in a header, where proxies pass that on; here it is replaced (T16)", async () => {
    const claim = { "x-forwarded-client-cert": `URI=${id("eu", "admin")}` };
    await server.ads.push(trustingXfcc(serverResources()));
    expect(toldOf((await asCaller(world.svid("us", "web"), claim)).body)).toBe(`URI=${id("eu", "admin")}`);
    await server.ads.push(serverResources());
    const told = toldOf((await asCaller(world.svid("us", "web"), claim)).body);
    expect(told).toMatch(new RegExp(`^By=${id("eu", "pay")};Hash=[0-9a-f]{64};URI=${id("us", "web")}$`));
  });

  it("reaches what is not exported, where a gateway passes every name that it can route; here it is reset", async () => {
    const atVault = () =>
      knock({ address: `${GATEWAY}:15443`, sni: sniOf("vault", HTTP), ...world.svid("us", "web") });
    const passed = (): Promise<number> =>
      gateway.stat(`cluster.passthrough/${sniOf("vault", HTTP)}.upstream_cx_total`);
    await gateway.ads.push(gatewayOf(true));
    await atVault();
    await eventually(async () => (await passed()) > 0);
    await gateway.ads.push(gatewayOf(false));
    const resets = await gateway.stat("tcp.unknown_sni.downstream_cx_total");
    expect(await atVault()).toMatchObject({ status: 0 });
    expect(await gateway.stat("tcp.unknown_sni.downstream_cx_total")).toBe(resets + 1);
  });
});

describe("a server that is not the exporter's", () => {
  const PORT = 15_443;
  let evil: Impostor | undefined;
  afterEach(async () => {
    await evil?.close();
    evil = undefined;
  });

  /** us calls pay; its agent was told that eu's gateway is the attacker's server. */
  const callAt = async (resources: (clean: Resources) => Resources): Promise<number> => {
    await pushClient(resources(clientResources({ views: [payFrom(EVIL, PORT)] })));
    return (await pay()).status;
  };
  const clean = (resources: Resources): Resources => resources;

  it.each([
    [
      "a hostile cluster's, with its own certificate (T1)",
      () => newSvid(world.authority("evil"), id("evil", "pay")),
      (resources: Resources) => pooledRoots(anyServerId(resources), rootsPem),
    ],
    [
      "a hostile cluster's, with eu's name from its own CA (T3)",
      () => leaf("evil", id("eu", "pay")),
      (resources: Resources) => pooledRoots(resources, rootsPem),
    ],
    [
      "a hostile cluster's, with eu's name beside its own (T3)",
      () => leaf("evil", id("evil", "pay"), id("eu", "pay")),
      (resources: Resources) => pooledRoots(resources, rootsPem),
    ],
    [
      "eu's gateway, which was taken over and ends TLS itself (T4)",
      () => newSvid(world.authority("eu"), gatewayId(domain("eu"))),
      anyServerId,
    ],
    ["another workload of eu", () => world.svid("eu", "other"), anyServerId],
  ])(
    "%s: reads the call where clients believe any trusted CA's server; here not one byte",
    async (_who, shown, weaken) => {
      evil = await impostor(EVIL, PORT, shown());
      expect(await callAt(weaken)).toBe(200);
      expect(evil.read).toEqual(["card 4711"]);
      const knocks = evil.knocked();
      expect(await callAt(clean)).toBe(503);
      expect(evil.knocked()).toBeGreaterThan(knocks);
      expect(evil.read).toEqual(["card 4711"]);
    },
  );

  it("gets a TLS handshake at most: an endpoint of its own making reads no plain text (T1)", async () => {
    const heard: Buffer[] = [];
    const listener = createServer((socket) =>
      socket.on("data", (bytes) => heard.push(bytes)).on("error", () => {}),
    );
    await new Promise<void>((resolve) => listener.listen(PORT, EVIL, resolve));
    const said = () => Buffer.concat(heard.splice(0));
    await pushClient(withoutTls(clientResources({ views: [payFrom(EVIL, PORT)] })));
    void pay().catch(() => {});
    await eventually(async () => heard.length > 0);
    expect(said().toString("latin1")).toContain("card 4711");
    await pushClient(clientResources({ views: [payFrom(EVIL, PORT)] }));
    void pay().catch(() => {});
    await eventually(async () => heard.length > 0);
    const hello = said();
    expect(hello[0]).toBe(0x16);
    expect(hello.toString("latin1")).not.toContain("card 4711");
    listener.close();
  });

  it("is believed with the exporter's own certificate: it was the certificate that was refused", async () => {
    evil = await impostor(EVIL, PORT, world.svid("eu", "pay"));
    expect(await callAt(clean)).toBe(200);
    expect(evil.read).toEqual(["card 4711"]);
  });
});

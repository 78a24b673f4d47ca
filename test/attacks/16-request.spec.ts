/** Requests that are made to be read in two ways (T15, T16): paths, header names, and inputs that are missing (T19). */
import type { Resources } from "@hansa/xds";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { eventually, HTTP, id, sniOf } from "../contract/envoy/world.ts";
import { knock } from "../e2e/support/stranger.ts";
import { app, pay, SERVER, server, serverResources, world } from "./support/mesh.ts";
import { anyHeaderName, rawPaths, withoutPath } from "./support/weaken.ts";

afterAll(() => world.close());
afterEach(async () => {
  await server.ads.push(serverResources());
  await eventually(async () => (await pay()).status === 200);
});

const ask = (path: string, headers: Record<string, string> = {}, caller = "web") =>
  knock({ address: `${SERVER}:15006`, sni: sniOf("pay", HTTP), ...world.svid("us", caller), path, headers });

/** Ways to write /admin. */
const VARIANTS = ["/admin", "//admin", "/a/../admin", "/./admin", "/%61dmin"];

describe("a path in other words", () => {
  it("passes a rule against it where paths are judged as they were sent; here all are one path (T15)", async () => {
    const answers = async (resources: Resources) => {
      await server.ads.push(resources);
      return await Promise.all(VARIANTS.map(async (path) => (await ask(path)).status));
    };
    const ruled = withoutPath(serverResources(), "/admin");
    expect(await answers(rawPaths(ruled))).toEqual([403, 200, 200, 200, 200]);
    expect(await answers(ruled)).toEqual([403, 403, 403, 403, 403]);
  });

  it("changes nothing for a caller without right, and is plain to the application (T15)", async () => {
    for (const path of VARIANTS) expect((await ask(path)).body.url).toBe("/admin");
    const served = app.served.count;
    for (const path of [...VARIANTS, "/admin;x", "/a%2fadmin", "/%2e%2e/admin", "/.", "/?/admin"])
      expect((await ask(path, {}, "other")).status, path).toBe(403);
    expect((await ask("/%00")).status).toBe(400);
    expect(app.served.count).toBe(served);
  });
});

describe("a header that an application may take for another", () => {
  it("reaches it with underscores in its name; here such a request is refused (T16)", async () => {
    const twin = { x_forwarded_client_cert: `URI=${id("eu", "admin")}` };
    await server.ads.push(anyHeaderName(serverResources()));
    expect((await ask("/", twin)).body.headers).toMatchObject(twin);
    await server.ads.push(serverResources());
    const served = app.served.count;
    expect((await ask("/", twin)).status).not.toBe(200);
    expect(app.served.count).toBe(served);
  });
});

describe("a policy that is missing", () => {
  it("lets nobody in (T19)", async () => {
    const served = app.served.count;
    await server.ads.push({ ...serverResources(), extensionConfigs: new Map() });
    expect((await ask("/")).status).not.toBe(200);
    expect(app.served.count).toBe(served);
  });
});

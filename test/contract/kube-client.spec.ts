/** The client and the reflector against what no API server says, and what stands between may: garbage, silence, too much, too slow. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { systemClock } from "@hansa/core";
import { createTlsAuthority, nodeRandom } from "@hansa/identity";
import { Access, KubeClient, Reflector, SERVICES } from "@hansa/kube";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Counted, ports } from "../kube/support/client.ts";

const authority = createTlsAuthority("rogue", { clock: systemClock, random: nodeRandom });
const TARGET = { resource: SERVICES };

let server: Server;
let url: string;
/** Answers every request of a test. */
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let own: Counted;
let client: KubeClient;

beforeAll(async () => {
  const { certPem, keyPem } = authority.issueServer(["127.0.0.1"]);
  server = createServer({ cert: certPem, key: keyPem }, (request, response) => answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  own = ports();
  client = clientWith(authority.certPem);
});

function clientWith(ca: string): KubeClient {
  const read = () => Promise.resolve({ tls: { ca }, headers: { authorization: "Bearer t" } });
  const source = { server: url, namespace: "default", name: "test", read };
  return new KubeClient({ access: new Access(source, own), ports: own });
}

const list = (more: { readonly timeoutMs?: number; readonly answerBytesMax?: number } = {}) =>
  client.send({ method: "GET", target: TARGET, ...more });

const says = (status: number, text: string, headers: Record<string, string> = {}): void => {
  answer = (_request, response) => void response.writeHead(status, headers).end(text);
};

describe("an API server that was away", () => {
  it("is told of at its first answer, once, and to nobody who has had enough", async () => {
    let told = 0;
    const enough = client.onReached(() => {
      told += 1;
    });
    says(200, "{}");
    await list();
    expect(told).toBe(0);
    answer = (_request, response) => void response.destroy();
    await list();
    await list();
    says(503, "{}");
    await list();
    says(200, "{}");
    await list();
    expect(told).toBe(1);
    enough();
    answer = (_request, response) => void response.destroy();
    await list();
    says(200, "{}");
    await list();
    expect(told).toBe(1);
  });
});

describe("an answer", () => {
  it.each([
    ["of no JSON", 200, "<html>login</html>", "unreadable"],
    ["that is empty", 200, "", "unreadable"],
    ["that leads elsewhere", 302, "{}", "unreadable"],
    ["of a proxy's error page", 502, "<html>bad gateway</html>", "server"],
    ["that is cut short", 200, '{"items":[', "unreadable"],
    ["that asks for a password", 401, "who are you", "unauthenticated"],
  ])("%s is a problem", async (_what, status, text, kind) => {
    says(status, text);
    expect(await list()).toMatchObject({ ok: false, problem: { kind, status } });
  });

  it("that is longer than its limit is given up while it comes", async () => {
    let sentBytes = 0;
    answer = (_request, response) => {
      const piece = "x".repeat(64 * 1024);
      const send = (): void => {
        while (!response.destroyed && response.write(piece)) sentBytes += piece.length;
      };
      response.on("drain", send);
      send();
    };
    expect(await list({ answerBytesMax: 1_000_000 })).toMatchObject({
      ok: false,
      problem: { kind: "too-large" },
    });
    expect(sentBytes).toBeLessThan(20_000_000);
  });

  it.each([
    ["its headers", () => {}],
    [
      "its body",
      (_request: IncomingMessage, response: ServerResponse) => {
        response.write("{");
      },
    ],
  ])("that does not come in time (%s) is a problem", async (_what, slow) => {
    answer = slow;
    expect(await list({ timeoutMs: 150 })).toMatchObject({
      ok: false,
      problem: { kind: "unreachable", message: expect.stringContaining("within 150 ms") },
    });
  });

  it("says for how long to wait", async () => {
    says(429, "{}", { "retry-after": "3" });
    expect(await list()).toMatchObject({ ok: false, problem: { kind: "throttled", retryAfterMs: 3000 } });
  });

  it("of a server with another's certificate is not asked for: the token is never sent", async () => {
    let asked = 0;
    answer = (_request, response) => {
      asked += 1;
      response.end("{}");
    };
    client = clientWith(createTlsAuthority("ours", { clock: systemClock, random: nodeRandom }).certPem);
    expect(await list()).toMatchObject({ ok: false, problem: { kind: "unreachable" } });
    expect(asked).toBe(0);
  });
});

describe("a watch", () => {
  const object = (name: string, version: number): object => ({
    metadata: { namespace: "shop", name, resourceVersion: String(version) },
  });
  const added = (name: string, version: number): string =>
    `${JSON.stringify({ type: "ADDED", object: object(name, version) })}\n`;
  const page = (...names: readonly string[]): string =>
    JSON.stringify({ metadata: { resourceVersion: "1" }, items: names.map((name) => object(name, 1)) });

  let reflector: Reflector<string>;
  let watches: number;
  let diary: string[];

  /** Lists `first`; its first watch is `first watch`, and every later one stays open after `more`. */
  async function follow(firstWatch: (response: ServerResponse) => void): Promise<void> {
    watches = 0;
    diary = [];
    answer = ({ url: path = "" }, response) => {
      const isWatch = path.includes("watch=1");
      watches += isWatch ? 1 : 0;
      if (!isWatch) response.end(page("first"));
      else if (watches === 1) firstWatch(response);
      else response.write(added("more", 9));
    };
    reflector = new Reflector({
      client,
      ports: own,
      resource: SERVICES,
      project: ({ metadata }) => metadata.name,
      onChanges: (changes) => void diary.push(...changes.map(({ kind, key }) => `${kind} ${key}`)),
    });
    reflector.start();
    await expect.poll(() => diary.at(-1), { timeout: 5000 }).toBe("set shop/more");
    reflector.stop();
  }

  it.each([
    ["a line of no JSON", "garbage\n", "unreadable"],
    ["an unknown event", '{"type":"X","object":{"metadata":{"resourceVersion":"2"}}}\n', "unreadable"],
    ["an error of the server", '{"type":"ERROR","object":{"code":500,"message":"etcd"}}\n', "server"],
    ["a line that is too long", "x".repeat(9_000_000), "unreadable"],
  ])("that brings %s begins anew; what came before counts, and it is counted", async (_what, text, kind) => {
    await follow((response) => response.write(added("before", 2) + text));
    expect(diary).toEqual(["set shop/first", "set shop/before", "set shop/more"]);
    expect(own.counted("hansa_kube_watch_problems_total", { kind })).toBe(1);
    expect(own.logged.filter((line) => line.includes('"code":"HSA70'))).toHaveLength(1);
  });

  it.each([
    ["within the watch", 200, '{"type":"ERROR","object":{"code":410,"reason":"Expired"}}\n'],
    ["in its place", 410, '{"code":410,"reason":"Expired"}'],
  ])("of a version that is too old (%s) lists anew", async (_where, status, text) => {
    await follow(
      (response) => void (status === 200 ? response.write(text) : response.writeHead(status).end(text)),
    );
    expect(own.counted("hansa_kube_relists_total", { reason: "gone" })).toBe(1);
  });

  it("that ends in the middle of a line takes nothing from it", async () => {
    await follow((response) => response.end(added("half", 2).slice(0, -5)));
    expect(diary).toEqual(["set shop/first", "set shop/more"]);
  });

  it("whose lines come in pieces reads them whole", async () => {
    await follow((response) => {
      for (const byte of Buffer.from(added("möre", 2))) response.write(Buffer.of(byte));
      response.end();
    });
    expect(diary).toContain("set shop/möre");
  });
});

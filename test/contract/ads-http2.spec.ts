// What the ADS server does with HTTP/2 and gRPC that no well-behaved client sends, and with clients that just go away.
import { once } from "node:events";
import { constants, type OutgoingHttpHeaders } from "node:http2";
import { systemTimers, type Timers } from "@hansa/core";
import { beforeEach, describe, expect, test } from "vitest";
import {
  Call,
  endpoint,
  frames,
  HEADERS,
  layer,
  prefixed,
  put,
  request,
  serve,
  server,
  session,
  subscribe,
} from "./ads-http2-rig.ts";
import { FLAG, FRAME, frame, headerBlock } from "./http2-frames.ts";

const ping = frame(FRAME.ping, 0, 0, Buffer.alloc(8));
const repeated = (bytes: Uint8Array, times: number) => Buffer.concat(Array<Uint8Array>(times).fill(bytes));

describe("what is no call", () => {
  test.each<[string, OutgoingHttpHeaders, object]>([
    ["GET", { ":method": "GET" }, { ":status": 405, allow: "POST" }],
    ["another content type", { "content-type": "application/json" }, { ":status": 415 }],
    ["gRPC with another codec", { "content-type": "application/grpc+json" }, { ":status": 415 }],
    [
      "another method",
      { ":path": "/envoy.service.x/100%" },
      { ":status": 200, "grpc-status": "12", "grpc-message": expect.stringContaining("/100%25: no such") },
    ],
  ])("%s is answered at once", async (_what, headers, answer) => {
    await serve();
    const call = new Call(session(), headers);
    call.stream.end();
    expect(await call.ended).toMatchObject(answer);
    expect(server.status().streams).toBe(0);
  });

  test("a client of HTTP/1.1 is cut off", async () => {
    await serve();
    await expect(fetch(`http://${server.address}/`)).rejects.toThrow();
  });
});

describe("messages", () => {
  beforeEach(() => {
    put("a", "b");
  });

  test.each([
    ["application/grpc+proto", { "content-type": "application/grpc+proto" }],
    ["a deadline, which is the client's", { "grpc-timeout": "1S" }],
    ["an encoding that it does not use", { "grpc-encoding": "gzip" }],
  ])("a call with %s is served", async (_what, headers) => {
    await serve();
    const call = new Call(session(), headers);
    call.stream.write(prefixed(subscribe("a")));
    await expect.poll(() => call.names()).toEqual([["a"]]);
  });

  test("come in pieces of one byte, and several in one piece", async () => {
    await serve();
    const call = new Call(session());
    for (const byte of prefixed(subscribe("a"))) {
      call.stream.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await expect.poll(() => call.names()).toEqual([["a"]]);
    call.stream.write(Buffer.concat([prefixed(subscribe("b")), prefixed(subscribe("a")).subarray(0, 9)]));
    await expect.poll(() => call.names()).toEqual([["a"], ["b"]]);
    call.stream.write(prefixed(subscribe("a")).subarray(9));
    await expect.poll(() => call.names()).toEqual([["a"], ["b"], ["a"]]);
  });

  test("one that cannot be read ends its call with a status, although the client's side is open", async () => {
    await serve();
    const on = session();
    const cases: [Uint8Array, OutgoingHttpHeaders, string, string][] = [
      [prefixed(subscribe("a"), 1), { "grpc-encoding": "gzip" }, "12", "grpc-encoding: gzip"],
      [prefixed(subscribe("a"), 1), {}, "13", "flag 1"],
      [prefixed(subscribe("a"), 7), {}, "13", "flag 7"],
      [Buffer.from([0, 0, 128, 0, 1]), {}, "8", "HSA1006 message: 8388609 bytes"],
      [prefixed(Buffer.alloc(0)), {}, "3", "type_url"],
      [prefixed(Buffer.from([0xff])), {}, "3", "HSA1004"],
    ];
    const ends = cases.map(async ([bytes, headers, status, message]) => {
      const call = new Call(on, headers);
      call.stream.write(bytes);
      expect(await call.ended).toMatchObject({
        ":status": 200,
        "grpc-status": status,
        "grpc-message": expect.stringContaining(message),
      });
    });
    await Promise.all(ends);
    expect(server.status().streams).toBe(0);
  });

  test("a call that ends within a message has lost something; one that ends after it is done", async () => {
    await serve();
    const on = session();
    const [whole, cut] = [new Call(on), new Call(on)];
    whole.stream.end(prefixed(subscribe("a")));
    cut.stream.end(prefixed(subscribe("a")).subarray(0, 20));
    expect(await whole.ended).toMatchObject({ "grpc-status": "0" });
    expect(whole.names()).toEqual([["a"]]);
    expect(await cut.ended).toMatchObject({ "grpc-status": "13" });
  });
});

describe("streams", () => {
  test("several in one session do not disturb each other", async () => {
    await serve();
    put("a");
    const on = session();
    const calls = Array.from({ length: 6 }, () => new Call(on));
    for (const call of calls) call.stream.write(prefixed(subscribe("a")));
    for (const call of calls) await expect.poll(() => call.names()).toEqual([["a"]]);
    expect(server.status().streams).toBe(6);
    const [cancelled, failed, broken, ...others] = calls;
    cancelled?.stream.close(constants.NGHTTP2_CANCEL);
    failed?.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    broken?.stream.write(Buffer.from([9, 0, 0, 0, 0]));
    await expect.poll(() => server.status().streams).toBe(3);
    for (const call of others) {
      call.stream.write(prefixed(subscribe("a")));
      await expect.poll(() => call.names()).toHaveLength(2);
    }
  });

  test("a client that does not read gets no more than its window, and all of it once it reads", async () => {
    await serve();
    const names = Array.from({ length: 12 }, (_, index) => `large-${index}`);
    layer.update(
      endpoint,
      names.map((name) => [name, Buffer.alloc(1 << 20)] as const),
    );
    const call = new Call(session());
    call.stream.pause();
    call.stream.write(prefixed(subscribe(...names)));
    await expect.poll(() => server.status().types[0]?.inFlight).toBeGreaterThan(0);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(server.status().types[0]?.inFlight).toBeLessThanOrEqual(2);
    call.stream.resume();
    await expect.poll(() => call.names().flat().sort(), { timeout: 10_000 }).toEqual(names.sort());
  });

  test("a session carries a hundred at most", async () => {
    await serve();
    const on = session();
    await once(on, "remoteSettings");
    const calls = Array.from({ length: 100 }, () => new Call(on));
    await expect.poll(() => server.status().streams).toBe(100);
    const client = await frames();
    const request = headerBlock(HEADERS);
    for (let index = 0; index < 101; index += 1)
      client.send(frame(FRAME.headers, FLAG.endHeaders, 1 + 2 * index, request));
    await expect.poll(() => client.count(FRAME.reset) + client.count(FRAME.goAway)).toBeGreaterThan(0);
    expect(server.status().streams).toBeLessThanOrEqual(200);
    for (const call of calls) call.stream.close();
  });

  test("an owner has a handful of sessions", async () => {
    await serve({ owner: "n" });
    const clients = await Promise.all(Array.from({ length: 40 }, () => frames()));
    let cut = 0;
    for (const client of clients)
      void client.closed.then(() => {
        cut += 1;
      });
    await expect.poll(() => cut).toBe(8);
  });
});

describe("floods", () => {
  test.each([
    ["PING", repeated(ping, 300), constants.NGHTTP2_ENHANCE_YOUR_CALM],
    ["SETTINGS", repeated(frame(FRAME.settings, 0, 0), 300), constants.NGHTTP2_ENHANCE_YOUR_CALM],
  ])("of %s end the session", async (_what, flood, code) => {
    await serve();
    const client = await frames();
    client.send(frame(FRAME.headers, FLAG.endHeaders, 1, headerBlock(HEADERS)));
    await expect.poll(() => server.status().streams).toBe(1);
    client.send(flood);
    await client.closed;
    expect(client.goAwayCode()).toBe(code);
    expect(server.status().streams).toBe(0);
  });

  test("of PING are none where every one follows a push: grpc-go measures the bandwidth so", async () => {
    await serve();
    const one = session();
    const call = new Call(one);
    call.stream.write(prefixed(subscribe("a")));
    for (let push = 1; push <= 300; push += 1) {
      await expect.poll(() => call.messages().length, { interval: 1 }).toBe(push);
      await new Promise<void>((resolve) => one.ping(() => resolve()));
      // Asked for again, it is sent again; the nonce acknowledges the last answer.
      call.stream.write(prefixed(request(["a"], call.messages().at(-1)?.nonce)));
    }
    expect(server.status().streams).toBe(1);
  });

  test("of streams that are opened and reset end the session (CVE-2023-44487)", async () => {
    await serve();
    const client = await frames();
    const request = headerBlock(HEADERS);
    for (let index = 0; index < 300; index += 1) {
      const id = 1 + 2 * index;
      client.send(
        frame(FRAME.headers, FLAG.endHeaders, id, request),
        frame(FRAME.reset, 0, id, Buffer.from([0, 0, 0, 8])),
      );
    }
    await expect.poll(() => client.goAwayCode()).toBeGreaterThan(0);
    await expect.poll(() => server.status().streams).toBe(0);
  });

  test("of empty DATA end the session (CVE-2019-9518)", async () => {
    await serve();
    const client = await frames();
    client.send(frame(FRAME.headers, FLAG.endHeaders, 1, headerBlock(HEADERS)));
    client.send(repeated(frame(FRAME.data, 0, 1), 300));
    await client.closed;
    expect(server.status().streams).toBe(0);
  });

  test("headers above the limits are refused", async () => {
    await serve();
    const on = session();
    const [large, many] = [
      new Call(on, { "x-much": "x".repeat(16_384) }),
      new Call(on, Object.fromEntries(Array.from({ length: 64 }, (_, index) => [`x-${index}`, ""]))),
    ];
    large.stream.end();
    expect(await large.ended).toMatchObject({ ":status": 431 });
    await many.ended;
    expect(many.stream.rstCode).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    expect(server.status().streams).toBe(0);
  });
});

describe("the end", () => {
  test("close says GOAWAY, gives every call its status and cuts off who stays", async () => {
    await serve();
    put("a");
    const call = new Call(session());
    call.stream.write(prefixed(subscribe("a")));
    const silent = await frames();
    await expect.poll(() => call.names()).toEqual([["a"]]);
    await expect.poll(() => silent.received.length).toBeGreaterThan(0);
    const startMs = performance.now();
    const closing = server.close();
    expect(await call.ended).toMatchObject({ "grpc-status": "14" });
    await closing;
    expect(performance.now() - startMs).toBeLessThan(3000);
    await silent.closed;
    expect(silent.goAwayCode()).toBe(constants.NGHTTP2_NO_ERROR);
  });

  test("a peer that vanished is noticed by PING; one that answers stays", async () => {
    const turns: (() => void)[] = [];
    const timers: Timers = {
      ...systemTimers,
      every: (_periodMs, run) => {
        turns.push(run);
        return { cancel: () => {} };
      },
    };
    await serve({ timers });
    const vanished = await frames();
    vanished.send(frame(FRAME.headers, FLAG.endHeaders, 1, headerBlock(HEADERS)));
    const alive = new Call(session());
    await expect.poll(() => server.status().streams).toBe(2);
    const turn = async () => {
      for (const run of turns) run();
      await new Promise((resolve) => setTimeout(resolve, 50));
    };
    for (let index = 0; index < 3; index += 1) await turn();
    expect(vanished.count(FRAME.ping)).toBe(1);
    expect(server.status().streams).toBe(2);
    await turn();
    await vanished.closed;
    expect(server.status().streams).toBe(1);
    for (let index = 0; index < 6; index += 1) await turn();
    expect(server.status().streams).toBe(1);
    alive.stream.close();
  });
});

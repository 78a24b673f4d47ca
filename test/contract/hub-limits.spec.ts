/** Each limit of the hub's API, at it and one beyond. */
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HubRig, until } from "./hub-rig.ts";

const STREAMS_MAX = 64;
const PAGE_MAX = 1000;
const EVENTS_PAGE_MAX = 999;
const BODY_BYTES_MAX = 64 * 1024;
const LATE_RECORDS_MAX = 64;
const LATE_BODY_BYTES_MAX = 16 * 1024 * 1024;
const JOIN_TTL_SECONDS_MAX = 7 * 24 * 3600;
const STRANGERS_PER_SECOND = 2;
const BURST_SECONDS = 5;

let rig: HubRig;
let agent = "";
beforeAll(async () => {
  rig = await HubRig.start({ config: { api: { strangersPerSecondMax: STRANGERS_PER_SECOND } } });
  agent = (await rig.join("eu")).answer.apiToken;
}, 60_000);
afterAll(() => rig?.stop());

interface Reply {
  readonly status: number;
  readonly code: string;
}

/** The answer's head; the caller ends the body of a stream. */
function send(method: string, path: string, token: string, body?: string): Promise<IncomingMessage> {
  const { url, caPem } = rig.target();
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  return new Promise((resolve, reject) => {
    request(new URL(path, url), { method, ca: caPem, headers, agent: false }, resolve)
      .on("error", reject)
      .end(body);
  });
}

async function call(method: string, path: string, body?: string, token = rig.adminToken): Promise<Reply> {
  const response = await send(method, path, token, body);
  let text = "";
  for await (const chunk of response) text += chunk;
  const { code = "" } = JSON.parse(text) as { code?: string };
  return { status: response.statusCode ?? 0, code };
}

const order = (fields: object): string =>
  JSON.stringify({ kind: "join", cluster: "us", grant: { region: "r" }, ...fields });

test.each([
  ["/v1/clusters", PAGE_MAX],
  ["/v1/events", EVENTS_PAGE_MAX],
  ["/v1/audit", EVENTS_PAGE_MAX],
])("a page of %s has at most %i items", async (path, max) => {
  expect((await call("GET", `${path}?limit=${max}`)).status).toBe(200);
  expect(await call("GET", `${path}?limit=${max + 1}`)).toEqual({ status: 400, code: "HSA1004" });
});

test("a body has at most 64 KiB", async () => {
  const fits = order({}).padEnd(BODY_BYTES_MAX);
  expect((await call("POST", "/v1/tokens", fits)).status).toBe(200);
  expect(await call("POST", "/v1/tokens", `${fits} `)).toEqual({ status: 413, code: "HSA1006" });
});

test("a join token lives a week at most", async () => {
  const ask = (ttlSeconds: number) => call("POST", "/v1/tokens", order({ ttlSeconds }));
  expect((await ask(JOIN_TTL_SECONDS_MAX)).status).toBe(200);
  expect(await ask(JOIN_TTL_SECONDS_MAX + 1)).toEqual({ status: 400, code: "HSA1004" });
});

test("late records come at most 64 at a time, in at most 16 MiB", async () => {
  const bring = (records: number, sizeBytes = 0) => {
    const body = JSON.stringify({ records: Array(records).fill({ headers: {}, body: "" }) });
    return call("POST", "/v1/records", body.padEnd(sizeBytes), agent);
  };
  // No records, as their headers say: but their number and size were accepted.
  expect(await bring(LATE_RECORDS_MAX, LATE_BODY_BYTES_MAX)).toEqual({ status: 400, code: "HSA2001" });
  expect(await bring(LATE_RECORDS_MAX + 1)).toEqual({ status: 400, code: "HSA1004" });
  expect(await bring(1, LATE_BODY_BYTES_MAX + 1)).toEqual({ status: 413, code: "HSA1006" });
});

test("so many event streams are open; one that ends makes room", async () => {
  const open = (): Promise<IncomingMessage> => send("GET", "/v1/events/stream", rig.adminToken);
  const streams = await Promise.all(Array.from({ length: STREAMS_MAX }, open));
  expect(new Set(streams.map(({ statusCode }) => statusCode))).toEqual(new Set([200]));
  expect(await call("GET", "/v1/events/stream")).toEqual({ status: 429, code: "HSA1006" });
  for (const stream of streams) stream.destroy();
  await until("there is room again", async () => {
    const stream = await open();
    stream.destroy();
    return stream.statusCode === 200;
  });
});

test("strangers from one address have one small rate, which costs those with a credential nothing", async () => {
  const strangers = await Promise.all(
    Array.from({ length: 3 * STRANGERS_PER_SECOND * BURST_SECONDS }, () =>
      call("GET", "/v1/clusters", undefined, "x"),
    ),
  );
  const statuses = strangers.map(({ status }) => status);
  expect(statuses.filter((status) => status === 401).length).toBeGreaterThanOrEqual(1);
  expect(statuses.filter((status) => status === 429).length).toBeGreaterThanOrEqual(
    STRANGERS_PER_SECOND * BURST_SECONDS,
  );
  expect((await call("GET", "/v1/clusters")).status).toBe(200);
});

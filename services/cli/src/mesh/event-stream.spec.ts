import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { systemClock } from "@hansa/core";
import { createTlsAuthority, nodeRandom } from "@hansa/identity";
import { describe, expect, it, vi } from "vitest";
import { EventParser, followEvents } from "./event-stream.ts";
import { eventItem, eventLine } from "./events.ts";

const read = (...chunks: string[]) => {
  const parser = new EventParser();
  return chunks.flatMap((chunk) => [...parser.push(chunk)]);
};

describe("server-sent events", () => {
  it("are read across chunks, with comments and CRLF", () => {
    const one = 'id: 7\nevent: event\ndata: {"position":7}\n\n';
    const whole = [{ id: "7", data: { position: 7 } }];
    expect(read(one)).toEqual(whole);
    expect(read(...one)).toEqual(whole);
    expect(read(`: hello\n\n${one.replaceAll("\n", "\r\n")}`)).toEqual(whole);
  });
  it("join data lines and keep the last id", () => {
    expect(read('id: 1\ndata: {"a":\ndata: 1}\n\n', 'data: {"a":2}\n\n')).toEqual([
      { id: "1", data: { a: 1 } },
      { id: "1", data: { a: 2 } },
    ]);
  });
  it("wait for the end of an event", () => expect(read('data: {"a":1}\n')).toEqual([]));
  it("refuse endless lines", () =>
    expect(() => read("x".repeat(2 * 1024 * 1024))).toThrow(expect.objectContaining({ code: "HSA1006" })));
});

describe("an event as a line", () => {
  const item = eventItem({
    position: 7,
    committedAt: "t",
    cluster: "us",
    lane: "sum",
    epoch: 1,
    seq: 2,
    type: "LoadSet",
    key: "k",
    atMs: 0,
    data: null,
  });
  it("is one line in every format", () => {
    expect(eventLine(item, "table")).toBe("7  t  us/sum/1/2  LoadSet  k  (removed)\n");
    expect(JSON.parse(eventLine(item, "json"))).toMatchObject({
      position: 7,
      at: "1970-01-01T00:00:00.000Z",
    });
    expect(eventLine(item, "json").trim()).not.toContain("\n");
    expect(eventLine(item, "yaml")).toMatch(/^---\n\{/);
  });
  it("is cut where the value is long", () => {
    expect(eventLine({ ...item, data: { x: "y".repeat(500) } }, "table").length).toBeLessThan(180);
  });
});

/** A hub that ends the stream after each event, once before any, and then goes on where its reader had come to. */
async function flakyHub() {
  const authority = createTlsAuthority("spec", { clock: systemClock, random: nodeRandom });
  const { certPem, keyPem } = authority.issueServer(["127.0.0.1"]);
  const resumed: unknown[] = [];
  const server = createServer({ cert: certPem, key: keyPem }, ({ url = "", headers }, response) => {
    if (!url.startsWith("/v1/events/stream"))
      return response.end(JSON.stringify({ data: { items: [] }, position: 40 }));
    const after = headers["last-event-id"];
    resumed.push(after);
    response.writeHead(200, { "content-type": "text/event-stream" });
    if (resumed.length === 1) return response.destroy();
    const position = Number(after) + 1;
    response.write(`: hansa events\n\nid: ${position}\ndata: {"position":${position}}\n\n`);
    return setTimeout(() => response.destroy(), 20);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const hub = { url: `https://127.0.0.1:${port}`, caPem: authority.certPem, token: "t" };
  const stop = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return { hub, resumed, stop };
}

describe("following", () => {
  it("connects again after the last event seen, and ends when it is told to", async () => {
    const { hub, resumed, stop } = await flakyHub();
    const stderr = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    const control = new AbortController();
    const seen: unknown[] = [];
    for await (const { position } of followEvents(
      hub,
      { source: undefined, since: undefined },
      control.signal,
    )) {
      seen.push(position);
      if (seen.length === 2) control.abort();
    }
    expect(seen).toEqual([41, 42]);
    expect(resumed).toEqual(["40", "40", "41"]);
    expect(String(stderr.mock.calls[0])).toContain("connecting again");
    stderr.mockRestore();
    await stop();
  });
});

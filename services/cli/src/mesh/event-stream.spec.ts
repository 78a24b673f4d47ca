import { describe, expect, it } from "vitest";
import { EventParser } from "./event-stream.ts";
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

import { describe, expect, it } from "vitest";
import { isProblem } from "../client/problem.ts";
import { Cache } from "./cache.ts";
import { ObjectReader } from "./read.ts";

const unreadable: string[] = [];
const reader = new ObjectReader<string>(
  ({ metadata, spec }) => {
    if (spec === "throws") throw new Error("no");
    return spec === "ignored" ? undefined : metadata.name;
  },
  (key, problem) => void unreadable.push(`${key} ${problem}`),
);
const line = (type: string, more: object = {}): string =>
  JSON.stringify({
    type,
    object: { metadata: { namespace: "shop", name: "pay", resourceVersion: "7" }, ...more },
  });

describe("a line of a watch", () => {
  it.each([
    ["ADDED", { kind: "put", item: { key: "shop/pay", kind: "value", value: "pay" }, version: "7" }],
    ["MODIFIED", { kind: "put", item: { key: "shop/pay", kind: "value", value: "pay" }, version: "7" }],
    ["DELETED", { kind: "removed", key: "shop/pay", version: "7" }],
    ["BOOKMARK", { kind: "bookmark", version: "7" }],
  ])("of type %s", (type, event) => {
    expect(reader.event(line(type))).toEqual(event);
  });

  it.each([
    ["not JSON", '{"type":"ADD', "no JSON object"],
    ["no object", "7", "no JSON object"],
    ["null", "null", "no JSON object"],
    ["an unknown type", line("MOVED"), 'unknown type "MOVED"'],
    ["no version", '{"type":"ADDED","object":{"metadata":{"name":"a"}}}', "no resourceVersion"],
    ["no metadata", '{"type":"ADDED","object":{"metadata":null}}', "no resourceVersion"],
    ["no name", '{"type":"DELETED","object":{"metadata":{"resourceVersion":"7"}}}', "no name"],
  ])("that is %s is a problem", (_what, text, said) => {
    expect(reader.event(text)).toMatchObject({ kind: "unreadable", message: expect.stringContaining(said) });
  });

  it("shows the beginning of what it could not read, and no more", () => {
    expect(reader.event("x".repeat(5000))).toMatchObject({ message: expect.stringMatching(/: x{80}$/) });
  });

  it.each([
    [{ code: 410, reason: "Expired" }, "gone"],
    [{ code: 504, details: { causes: [{ reason: "ResourceVersionTooLarge" }] } }, "version-too-large"],
    [{ code: 500, reason: "InternalError" }, "server"],
    [undefined, "server"],
  ])("that is the ERROR %j is that problem", (object, kind) => {
    expect(reader.event(JSON.stringify({ type: "ERROR", object }))).toMatchObject({ kind });
  });
});

describe("a page of a list", () => {
  const metadata = { resourceVersion: "9", continue: "" };
  const object = (name: string, spec = ""): object => ({ metadata: { name }, spec });

  it("has items, of interest or not, and says whether more follow", () => {
    expect(reader.page({ metadata, items: [object("a"), object("b", "ignored")] })).toEqual({
      items: [
        { key: "a", kind: "value", value: "a" },
        { key: "b", kind: "ignored" },
      ],
      version: "9",
      more: undefined,
    });
    expect(reader.page({ metadata: { ...metadata, continue: "c" }, items: [] })).toMatchObject({ more: "c" });
  });

  it.each([
    [null],
    [{ metadata }],
    [{ metadata: {}, items: [] }],
    [{ metadata, items: [{ metadata: {} }] }],
    [{ metadata, items: [null] }],
  ])("that is %j is a problem", (body) => {
    expect(isProblem(reader.page(body))).toBe(true);
  });

  it("keeps what was known of an object that the caller cannot read", () => {
    const cache = new Cache<string>((a, b) => a === b);
    cache.put({ key: "a", kind: "value", value: "before" });
    const page = reader.page({ metadata, items: [object("a", "throws"), object("b"), object("c")] });
    const listing = cache.listing();
    if (!isProblem(page)) for (const item of page.items) listing.add(item);
    expect(cache.take(listing).isDoubtful).toBe(false);
    expect([...cache.values]).toEqual([
      ["a", "before"],
      ["b", "b"],
      ["c", "c"],
    ]);
    expect(cache.put({ key: "a", kind: "unreadable" })).toBeUndefined();
    expect(unreadable).toEqual(["a Error: no"]);
  });

  it("withdraws an object in which the caller has lost interest", () => {
    const cache = new Cache<string>((a, b) => a === b);
    cache.put({ key: "a", kind: "value", value: "x" });
    expect(cache.put({ key: "a", kind: "ignored" })).toEqual({ kind: "removed", key: "a", before: "x" });
  });
});

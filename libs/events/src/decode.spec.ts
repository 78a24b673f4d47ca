import { fromUtf8, utf8 } from "@hansa/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeBody, encodeBody, prepareEvent } from "./decode.ts";
import type { RegisterEvent } from "./event.ts";
import { RECORD_BYTES_MAX } from "./limits.ts";
import type { UpcasterTable } from "./upcast.ts";

const want = { type: "WantSet", v: 1, key: "want/us", at: 1, data: { nonce: "1" } };
const decode = (...events: unknown[]) => decodeBody(utf8(JSON.stringify(events)));
const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);

describe("decodeBody", () => {
  it("gives back what was encoded", () => {
    const event = want as RegisterEvent;
    expect(decodeBody(encodeBody([event]))).toEqual({
      kind: "events",
      events: [event],
      canonical: ['{"nonce":"1"}'],
    });
  });

  it("ignores unknown fields but lets the value hash cover them, so that versions agree on digests", () => {
    const outcome = decode({ ...want, data: { nonce: "1", later: true } });
    expect(outcome).toEqual({ kind: "events", events: [want], canonical: ['{"later":true,"nonce":"1"}'] });
  });

  it("keeps unknown types and newer versions", () => {
    const later = { type: "LaterSet", v: 1, key: "later/x", at: 1, data: { a: 1 } };
    const newer = { ...want, v: 2, data: { other: 1 } };
    expect(decode(later, newer)).toMatchObject({
      events: [
        { ...later, unknown: true },
        { ...newer, unknown: true },
      ],
    });
  });

  it("takes missing data for a tombstone", () => {
    expect(decode({ type: "WantSet", v: 1, key: "want/us", at: 1 })).toMatchObject({
      events: [{ data: null }],
    });
  });

  it.each([
    ["a body that is too large", () => decodeBody(new Uint8Array(RECORD_BYTES_MAX + 1)), "HSA2002", "131073"],
    ["too many events", () => decode(...Array.from({ length: 101 }, () => want)), "HSA2002", "101"],
    ["no list", () => decodeBody(utf8("{}")), "HSA2001", "list"],
    ["a null event", () => decode(null), "HSA2001", "events[0]: must be an object"],
    ["a bad type", () => decode({ ...want, type: "x y" }), "HSA2001", "events[0].type"],
    ["a bad version", () => decode({ ...want, v: 0 }), "HSA2001", "events[0].v"],
    ["a bad time", () => decode({ ...want, at: -1 }), "HSA2001", "events[0].at"],
    ["a long key", () => decode({ ...want, key: "k".repeat(513) }), "HSA2001", "events[0].key"],
    [
      "a key with a line break",
      () => decode({ ...want, type: "XSet", key: "a\nb" }),
      "HSA2001",
      "events[0].key",
    ],
    [
      "a marker with a key",
      () => decode({ type: "SnapshotBegin", v: 1, key: "x", at: 1, data: { id: "1" } }),
      "HSA2001",
      "marker",
    ],
    [
      "a marker without data",
      () => decode({ type: "SnapshotBegin", v: 1, key: "", at: 1, data: null }),
      "HSA2001",
      "data",
    ],
    ["deep data", () => decode({ ...want, type: "XSet", data: nested(17) }), "HSA2001", "deeper"],
    [
      "an infinite number",
      () => decodeBody(utf8('[{"type":"XSet","v":1,"key":"x","at":1,"data":1e999}]')),
      "HSA2001",
      "finite",
    ],
    [
      "a wrong field deep inside",
      () => decode(service({ ports: [{ name: "a--b", port: 1, protocol: "tcp" }] })),
      "HSA2001",
      "data.ports[0].name",
    ],
    [
      "a port out of range",
      () => decode(service({ ports: [{ name: "a", port: 65_536, protocol: "tcp" }] })),
      "HSA2001",
      "data.ports[0].port",
    ],
    [
      "an unknown protocol",
      () => decode(service({ ports: [{ name: "a", port: 1, protocol: "udp" }] })),
      "HSA2001",
      "protocol",
    ],
    [
      "a long list",
      () => decode(service({ serviceAccounts: Array(65).fill("a") })),
      "HSA2001",
      "serviceAccounts",
    ],
  ])("names the place of %s", (_name, run, code, place) => {
    const outcome = run();
    expect(outcome).toMatchObject({ kind: "poison", code });
    expect(outcome.kind === "poison" && outcome.message).toContain(place);
  });

  it("is total", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.jsonValue({ maxDepth: 20 }), (bytes, value) => {
        decodeBody(bytes);
        decode(value);
        decode({ ...want, data: value });
        decode({ ...want, type: "PolicySet", key: "policy/failover/-/-", data: value });
      }),
      { seed: 1, numRuns: 300 },
    );
    const deep = `${"[".repeat(60_000)}${"]".repeat(60_000)}`;
    expect(decodeBody(utf8(deep)).kind).toBe("poison");
  });
});

function service(change: object): unknown {
  const data = {
    type: "ClusterSetIP",
    ports: [],
    serviceAccounts: [],
    createdMs: 1,
    export: null,
    ...change,
  };
  return { type: "ServiceSet", v: 1, key: "service/shop/pay", at: 1, data };
}

describe("upcasters", () => {
  const table: UpcasterTable = {
    WantSet: [
      (data) => ({ middle: (data as { first: string }).first }),
      (data) => ({ nonce: (data as { middle: string }).middle }),
    ],
  };
  const raise = (v: number, data: unknown) => decodeBody(utf8(JSON.stringify([{ ...want, v, data }])), table);

  it("raise every old version to the current one", () => {
    expect(raise(1, { first: "a" })).toMatchObject({ events: [{ data: { nonce: "a" } }] });
    expect(raise(2, { middle: "a" })).toMatchObject({ events: [{ data: { nonce: "a" } }] });
    expect(raise(3, { nonce: "a" })).toMatchObject({ events: [{ data: { nonce: "a" } }] });
    expect(raise(4, { nonce: "a" })).toMatchObject({ events: [{ unknown: true }] });
  });

  it("leave tombstones alone and hash what was sent", () => {
    expect(raise(1, null)).toMatchObject({ events: [{ data: null }] });
    expect(raise(1, { first: "a" })).toMatchObject({ canonical: ['{"first":"a"}'] });
  });
});

describe("prepareEvent", () => {
  it("drops unknown fields and encodes as a reader decodes", () => {
    const prepared = prepareEvent({ ...want, data: { nonce: "1", extra: 1 } } as unknown as RegisterEvent);
    expect(typeof prepared !== "string" && prepared.event).toEqual(want);
    expect(typeof prepared !== "string" && fromUtf8(utf8(`[${prepared.json}]`))).toBe(
      fromUtf8(encodeBody([want as RegisterEvent])),
    );
  });

  it("says why an event is refused", () => {
    expect(prepareEvent({ ...want, key: "want/US" } as RegisterEvent)).toContain("want/US");
    const big = {
      type: "CommandSet",
      v: 1,
      key: "command/x",
      at: 1,
      data: { payload: "é".repeat(40_000), signatures: [] },
    };
    expect(prepareEvent(big as RegisterEvent)).toContain("bytes exceed");
  });
});

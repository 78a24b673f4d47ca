import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { base64, fromBase64, fromHex, fromUtf8, hex, utf8 } from "./bytes.ts";
import { canonicalJson, sameJson } from "./canonical.ts";
import { CODES } from "./codes.ts";

describe("canonical JSON", () => {
  it("does not depend on the order of members and parses back", () => {
    expect(canonicalJson({ b: 1, a: [true, null, "x"], c: undefined })).toBe('{"a":[true,null,"x"],"b":1}');
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const normal = JSON.parse(JSON.stringify(value));
        expect(JSON.parse(canonicalJson(normal))).toEqual(normal);
      }),
    );
  });

  it("is the same text whether or not the members were in order", () => {
    const shuffled = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(shuffled);
      if (typeof value !== "object" || value === null) return value;
      const members = Object.entries(value).sort(([a], [b]) => (a < b ? 1 : -1));
      return Object.fromEntries(members.map(([name, member]) => [name, shuffled(member)]));
    };
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const normal = JSON.parse(JSON.stringify(value));
        expect(canonicalJson(shuffled(normal))).toBe(canonicalJson(normal));
        expect(sameJson(shuffled(normal), normal)).toBe(true);
      }),
    );
    expect(canonicalJson({ a: undefined, b: new Date(0) })).toBe('{"b":{}}');
  });

  it("equals another value exactly where the texts do", () => {
    const small = fc.jsonValue({ maxDepth: 2, stringUnit: fc.constantFrom("a", "b") });
    fc.assert(
      fc.property(small, small, (left, right) => {
        const [a, b] = [left, right].map((value) => JSON.parse(JSON.stringify(value)));
        expect(sameJson(a, b)).toBe(canonicalJson(a) === canonicalJson(b));
      }),
    );
    expect(sameJson({ a: 1, b: undefined }, { a: 1 })).toBe(true);
    expect(sameJson({ a: 1 }, { a: 1, b: undefined })).toBe(true);
    expect(sameJson({ a: 1 }, { a: 1, b: null })).toBe(false);
    expect(sameJson([1], { 0: 1 })).toBe(false);
  });

  it("refuses what JSON cannot carry", () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, 1n, () => 0])
      expect(() => canonicalJson(bad)).toThrow(TypeError);
  });
});

describe("bytes", () => {
  it("round-trips hex, base64 and UTF-8", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(fromHex(hex(bytes))).toEqual(bytes);
        expect(fromBase64(base64(bytes))).toEqual(bytes);
      }),
    );
    expect(fromUtf8(utf8("größe"))).toBe("größe");
  });

  it("answers undefined for text that is not canonical", () => {
    for (const bad of ["a", "zz", "AB"]) expect(fromHex(bad), bad).toBeUndefined();
    for (const bad of ["a", "ab=c", "QQ", "QR=="]) expect(fromBase64(bad), bad).toBeUndefined();
    expect(fromUtf8(Uint8Array.of(0xff))).toBeUndefined();
  });
});

describe("code registry", () => {
  it("gives each code a unique name, a meaning and a next step", () => {
    const names = Object.values(CODES).map((code) => code.name);
    expect(new Set(names).size).toBe(names.length);
    for (const [code, { meaning, todo }] of Object.entries(CODES)) {
      expect(code).toMatch(/^HSA[1-7]\d{3}$/);
      expect(meaning.endsWith("."), code).toBe(true);
      expect(todo.length, code).toBeGreaterThan(10);
    }
  });
});

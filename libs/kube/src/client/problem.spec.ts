import { CODES } from "@hansa/core";
import { describe, expect, it } from "vitest";
import { codeOf, isPassing, problem, problemError, readStatus } from "./problem.ts";

describe("an answer that is no success", () => {
  it.each([
    [401, {}, "unauthenticated", "HSA7002"],
    [403, {}, "forbidden", "HSA7003"],
    [404, {}, "absent", "HSA7005"],
    [409, {}, "conflict", "HSA7007"],
    [400, {}, "invalid", "HSA7006"],
    [422, {}, "invalid", "HSA7006"],
    [410, {}, "gone", "HSA7008"],
    [400, { reason: "Expired" }, "gone", "HSA7008"],
    [504, { details: { causes: [{ reason: "ResourceVersionTooLarge" }] } }, "version-too-large", "HSA7008"],
    [504, {}, "server", "HSA7009"],
    [429, {}, "throttled", "HSA7009"],
    [503, { details: { retryAfterSeconds: 3 } }, "throttled", "HSA7009"],
    [503, {}, "server", "HSA7009"],
    [500, undefined, "server", "HSA7009"],
  ] as const)("%i %j is %s", (status, body, kind, code) => {
    const read = readStatus(status, body, undefined);
    expect([read.kind, codeOf(read)]).toEqual([kind, code]);
    expect(CODES[code].todo).not.toBe("");
  });

  it("says for how long to wait, by header or body", () => {
    expect(readStatus(429, {}, "7").retryAfterMs).toBe(7000);
    expect(readStatus(429, { details: { retryAfterSeconds: 2 } }, undefined).retryAfterMs).toBe(2000);
    expect(readStatus(429, {}, "soon").retryAfterMs).toBeUndefined();
  });

  it("keeps the causes of a conflict, and a bounded message", () => {
    const cause = { reason: "FieldManagerConflict", field: ".spec.type", message: 'conflict with "x"' };
    const read = readStatus(
      409,
      { message: "m".repeat(5000), details: { causes: [cause, null, 3] } },
      undefined,
    );
    expect(read.causes).toEqual([cause, ...Array(2).fill({ reason: "", field: "", message: "" })]);
    expect(read.message).toHaveLength(1000);
  });

  it.each([null, "text", 7, { details: null }, { details: { causes: "x" } }])(
    "survives the body %j",
    (body) => {
      expect(readStatus(500, body, undefined)).toMatchObject({ kind: "server", message: "answered 500" });
    },
  );

  it("becomes an error with code, place and causes", () => {
    expect(problemError(problem("forbidden", "no", 403), "list pods")).toMatchObject({
      code: "HSA7003",
      message: "list pods: no",
      details: { status: 403 },
    });
  });

  it("passes by itself or does not", () => {
    expect(isPassing(problem("unreachable", ""))).toBe(true);
    expect(isPassing(problem("conflict", ""))).toBe(false);
  });
});

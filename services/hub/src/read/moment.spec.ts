import { isHansaError } from "@hansa/core";
import { expect, test } from "vitest";
import { parseMoment } from "./moment.ts";

test.each([
  ["17", { position: 17 }],
  ["5m", { agoMs: 300_000 }],
  ["250ms", { agoMs: 250 }],
  ["2026-01-31T12:00:00Z", { timeMs: Date.UTC(2026, 0, 31, 12) }],
  ["2026-01-31T13:00:00.5+01:00", { timeMs: Date.UTC(2026, 0, 31, 12) + 500 }],
])("%s is a moment", (text, moment) => expect(parseMoment(text)).toEqual(moment));

test.each(["", "-5m", "5 m", "yesterday", "2026-01-31", "2026-13-31T12:00:00Z", "1e3", "5y"])(
  "%s is none",
  (text) => {
    let code = "";
    try {
      parseMoment(text);
    } catch (error) {
      code = isHansaError(error) ? error.code : String(error);
    }
    expect(code).toBe("HSA1008");
  },
);

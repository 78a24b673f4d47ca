import { describe, expect, it } from "vitest";
import { marksFor } from "../shell/marks.ts";
import { fail, none, ok, reportData, reportText, succeeds, warn } from "./report.ts";

const categories = [
  { name: "hub", checks: [ok("it lives"), warn("it keeps up", "HSA2012", "5 s behind", "hansa status")] },
  { name: "bus", checks: [fail("it is connected", "HSA2010", "no connection", "hansa lab status")] },
];

describe("the report", () => {
  it("has the shape of linkerd's, with codes", () => {
    expect(reportData(categories)).toEqual({
      success: false,
      categories: [
        {
          categoryName: "hub",
          checks: [
            { description: "it lives", result: "success" },
            {
              description: "it keeps up",
              result: "warning",
              code: "HSA2012",
              error: "5 s behind",
              hint: "hansa status",
            },
          ],
        },
        {
          categoryName: "bus",
          checks: [
            {
              description: "it is connected",
              result: "error",
              code: "HSA2010",
              error: "no connection",
              hint: "hansa lab status",
            },
          ],
        },
      ],
    });
  });

  it("succeeds with warnings alone", () => {
    expect(succeeds(categories.slice(0, 1))).toBe(true);
    expect(succeeds(categories)).toBe(false);
  });

  it("prints cause, code and next command of every finding", () => {
    const text = reportText(categories, marksFor({ isTTY: false, env: { LANG: "C.UTF-8" } }));
    expect(text).toContain(
      "hub\n---\n√ it lives\n‼ it keeps up\n    HSA2012: 5 s behind\n    next: hansa status",
    );
    expect(text).toContain("× it is connected");
    expect(text).toMatch(/Status: × 1 ok, 1 warnings, 1 failures$/);
  });

  it("names a few causes of many", () => {
    const causes = Array.from({ length: 20 }, (_one, index) => `c${index}`);
    expect(none("x", causes, "HSA1010", "y").cause).toMatch(/c7; and 12 more$/);
    expect(none("x", [], "HSA1010", "y")).toEqual(ok("x"));
  });
});

describe("marks", () => {
  const mark = (env: Record<string, string>, isTTY = false) => marksFor({ isTTY, env })("fail");
  it("are ASCII where the locale has no UTF-8 or the terminal is dumb", () => {
    expect(mark({ LANG: "C" })).toBe("[fail]");
    expect(mark({})).toBe("[fail]");
    expect(mark({ LANG: "en_US.UTF-8", TERM: "dumb" })).toBe("[fail]");
    expect(mark({ LANG: "en_US.UTF-8", LC_ALL: "C" })).toBe("[fail]");
    expect(mark({ LANG: "en_US.utf8" })).toBe("×");
  });
  it("are coloured on a terminal alone, and never against NO_COLOR", () => {
    expect(mark({ LANG: "C.UTF-8" }, true)).toBe("\u001b[31m×\u001b[0m");
    expect(mark({ LANG: "C.UTF-8", NO_COLOR: "1" }, true)).toBe("×");
    expect(mark({ LANG: "C.UTF-8", NO_COLOR: "" }, true)).toContain("\u001b[");
    expect(mark({ LANG: "C.UTF-8" }, false)).toBe("×");
  });
});

/** The threat model names T1–T21, each with tests that are there and with what is not defended. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "../deploy/tools/paths.mjs";

const PAGE = readFileSync(join(root, "docs/threat-model.md"), "utf8");
const threats = Array.from({ length: 21 }, (_, index) => `T${index + 1}`);

/** Sections by threat. */
const sections = new Map(
  PAGE.split(/^## /m).flatMap((text) => {
    const threat = /^(T\d+): /.exec(text)?.[1];
    return threat === undefined ? [] : [[threat, text] as const];
  }),
);

const shownBy = (text: string) =>
  [...text.matchAll(/^- `([^`]+)`: "(.+)"$/gm)].map(([, path = "", title = ""]) => ({ path, title }));

it("has a section for each threat, and no other", () => {
  expect([...sections.keys()]).toEqual(threats);
});

describe.each([...sections])("%s", (_threat, text) => {
  const tests = shownBy(text);

  it("is shown by tests, and says what is not defended", () => {
    expect(tests.length).toBeGreaterThan(0);
    expect(text).toMatch(/^Not defended: \S/m);
    // Nothing that looks like a test was overlooked above.
    expect(text.match(/^- /gm)?.length).toBe(tests.length);
  });

  it.each(tests)("names a test that is there: $path $title", ({ path, title }) => {
    expect(existsSync(join(root, path)), path).toBe(true);
    const source = readFileSync(join(root, path), "utf8");
    expect(['"', "`"].some((quote) => source.includes(`${quote}${title}`))).toBe(true);
  });
});

/** What the pages of threats, promises and limits name as evidence is there: tests, figures, constants and their values. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "../deploy/tools/paths.mjs";

const read = (path: string): string =>
  existsSync(join(root, path)) ? readFileSync(join(root, path), "utf8") : "";
const page = (name: string): string => read(`docs/${name}.md`);

/** A figure's text stands in its benchmark, a test's title in its file. */
function sourceOf(place: string): string {
  const bench = /^npm run bench -- (\S+)$/.exec(place)?.[1];
  if (bench === undefined) return read(place);
  const folder = `test/bench/${bench}`;
  return existsSync(join(root, folder))
    ? readdirSync(join(root, folder))
        .map((file) => read(`${folder}/${file}`))
        .join("\n")
    : "";
}

const isThere = (place: string, title: string): boolean =>
  ['"', "`"].some((quote) => sourceOf(place).includes(`${quote}${title}`));

const named = (text: string) =>
  [...text.matchAll(/^- `([^`]+)`: "(.+)"$/gm)].map(([, place = "", title = ""]) => ({ place, title }));

/** `<page>: <section>` → its text, of the sections that `heading` finds. */
const sectionsOf = (name: string, heading: RegExp) =>
  page(name)
    .split(/^## /m)
    .flatMap((text) => {
      const found = heading.exec(text)?.[1];
      return found === undefined ? [] : [[found, text] as const];
    });

const threats = sectionsOf("threat-model", /^(T\d+): /);
const promises = sectionsOf("promises", /^(\d+\. .+)\n/);

it("each threat and each promise has a section, and there is no other", () => {
  expect(threats.map(([threat]) => threat)).toEqual(
    Array.from({ length: 21 }, (_, index) => `T${index + 1}`),
  );
  expect(promises.map(([promise]) => Number.parseInt(promise, 10))).toEqual(
    promises.map((_, index) => index + 1),
  );
  expect(promises.length).toBeGreaterThanOrEqual(9);
});

describe.each([
  ...threats.map(([name, text]) => [name, text, /^Not defended: \S/m] as const),
  ...promises.map(([name, text]) => [name, text, /^Not shown: \S/m] as const),
])("%s", (_name, text, remainder) => {
  const evidence = named(text);

  it("is shown, and says what is not", () => {
    expect(evidence.length).toBeGreaterThan(0);
    expect(text).toMatch(remainder);
    // Nothing that looks like evidence was overlooked above.
    expect(text.match(/^- /gm)?.length).toBe(evidence.length);
  });

  it.each(evidence)("names what is there: $place $title", ({ place, title }) => {
    expect(isThere(place, title)).toBe(true);
  });
});

/** `| what | \`NAME\` in \`file\` | \`value\` | beyond | \`test\`: "title" |` */
const ROW = /^\| [^|]+ \| `(\w+)` in `([^`]+)` +\| `([^`]+)` +\| [^|]+ \| `([^`]+)`: "(.+)" +\|$/;
const rows = page("limits")
  .split("\n")
  .filter((line) => line.startsWith("| ") && !/^\| (?:what grows|-+) /.test(line))
  .map(
    (line) =>
      [
        line
          .slice(2)
          .split(" | ", 2)
          .map((cell) => cell.trim())
          .join(": "),
        ROW.exec(line),
      ] as const,
  );

describe("limits", () => {
  it("are listed", () => expect(rows.length).toBeGreaterThan(40));

  it.each(rows)("%s", (_name, row) => {
    const [, constant = "", file = "", value = "", test = "", title = ""] = row ?? [];
    const places = read(file)
      .split("\n")
      .filter((line) => line.includes(value));
    expect(places.some((line) => new RegExp(`\\b${constant}\\b.*[:=]`).test(line))).toBe(true);
    expect(isThere(test, title)).toBe(true);
  });
});

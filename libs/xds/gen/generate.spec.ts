import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
// @ts-expect-error a plain script without types
import { generate } from "./generate.mjs";

const here = import.meta.dirname;

function generatedFiles(folder: string): Map<string, string> {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  const generated = files.filter((file) => /_pb\.(js|d\.ts)$/.test(file) || file === "index.ts").sort();
  return new Map(generated.map((file) => [file, readFileSync(join(folder, file), "utf8")]));
}

test("the committed protobuf code is what generate.mjs makes", { timeout: 60_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "hansa-gen-"));
  try {
    generate(folder);
    const made = generatedFiles(folder);
    const committed = generatedFiles(here);
    expect(made.size).toBeGreaterThan(50);
    expect([...committed.keys()]).toEqual([...made.keys()]);
    for (const [file, content] of made) expect(committed.get(file) === content, `${file} is stale`).toBe(true);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

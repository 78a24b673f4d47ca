/**
 * `npm run soak [-- --minutes N] [--seed N] [--write]`: the full counts of everything that `npm test` runs a tenth of, then
 * further seeds of the simulator until the minutes are over. Prints the promises that were kept; --write puts the table
 * into docs/soak.md. Commits nothing.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { printTotal, runTests } from "../../deploy/tools/tests.mjs";
import { table, writeResults, yesOrNo } from "../support/table.ts";
import type { Kept } from "../support/tier.ts";

const SEEDS = 2000;
const TIMEOUT = ["--testTimeout", "14400000", "--hookTimeout", "600000"];
/** Side by side: what computes, and what waits for real processes. */
const COMPUTES = ["--project", "unit", "--project", "sim"];
const RUNS = ["--project", "attacks", "--project", "chaos"];

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "30" },
    seed: { type: "string", default: "1" },
    write: { type: "boolean", default: false },
  },
});
const [minutes, seed] = [Number(values.minutes), Number(values.seed)];
if (!(minutes >= 0) || !Number.isSafeInteger(seed) || seed < 0) {
  process.stderr.write("soak: --minutes and --seed must be numbers, --seed a whole one\n");
  process.exit(2);
}

const startedMs = Date.now();
const dir = mkdtempSync(join(tmpdir(), "hansa-soak-"));
const report = join(dir, "report.jsonl");
const run = (args: readonly string[], from: number): Promise<{ passed: number; failed: number }> =>
  runTests([...args, ...TIMEOUT], {
    HANSA_SOAK: "1",
    HANSA_SOAK_SEED: String(from),
    HANSA_SOAK_REPORT: report,
  });

try {
  const total = { passed: 0, failed: 0 };
  const add = (counts: readonly { passed: number; failed: number }[]): void => {
    for (const { passed, failed } of counts) {
      total.passed += passed;
      total.failed += failed;
    }
  };
  add(await Promise.all([run(COMPUTES, seed), run(RUNS, seed)]));
  for (let from = seed + SEEDS; Date.now() - startedMs < minutes * 60_000; from += SEEDS)
    add([await run(["--project", "sim", "federation"], from)]);
  const rows = readFileSync(report, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Kept);
  const results = [
    table(
      ["promise", "seen", "kept"],
      rows.map(({ promise, seen, kept }) => [promise, seen, yesOrNo(kept)]),
    ),
    `\nFirst seed ${seed}, ${((Date.now() - startedMs) / 60_000).toFixed(1)} minutes: `,
    `${total.passed} tests passed, ${total.failed} failed.\n`,
  ].join("");
  process.stdout.write(results);
  if (values.write) writeResults("soak.md", results);
  printTotal(total);
  process.exitCode = total.failed === 0 && rows.every(({ kept }) => kept) ? 0 : 1;
} finally {
  rmSync(dir, { recursive: true, force: true });
}

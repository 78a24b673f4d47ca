/** Runs vitest and counts what passed and failed. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "./launch.mjs";
import { root } from "./paths.mjs";

/** `args` go to `vitest run`: `--project e2e`, a filter for file names. Resolves to the counts. */
export async function runTests(args, env = {}) {
  const dir = mkdtempSync(join(tmpdir(), "hansa-tests-"));
  try {
    const report = join(dir, "report.json");
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
    const code = await run(["node_modules/vitest/vitest.mjs", "run", ...reporters, ...args], {
      cwd: root,
      env,
    });
    const byName = args.some((arg) => /^(-t|--testNamePattern)(=|$)/.test(arg));
    return countTests(read(report), code, { byName });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/**
 * Counts from vitest's JSON report. A file that cannot be loaded counts as one failure, and so does a run that ends
 * badly without a failed test to show for it. A skipped test counts as failed: nothing here may be skipped, save what a
 * choice of tests by name left out.
 */
export function countTests(report, exitCode, { byName = false } = {}) {
  if (report === undefined) return { passed: 0, failed: 1 };
  const brokenFiles = report.testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
  ).length;
  const passed = report.numPassedTests;
  const failed = (byName ? report.numFailedTests : report.numTotalTests - passed) + brokenFiles;
  return { passed, failed: failed === 0 && exitCode !== 0 ? 1 : failed };
}

/** Prints the total that ends every suite, alone on its line, and returns it. */
export function printTotal(count) {
  process.stdout.write(`${count.passed} passed, ${count.failed} failed\n`);
  return count;
}

function read(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { envoyBinary, natsServerBinary, toolDir } from "../deploy/tools/paths.mjs";
import { countTests } from "../deploy/tools/tests.mjs";

afterEach(() => vi.unstubAllEnvs());

describe("paths of the outside binaries", () => {
  it("takes the binary that a variable names", () => {
    vi.stubEnv("HANSA_ENVOY", process.execPath);
    expect(envoyBinary()).toBe(process.execPath);
  });

  it("refuses a variable that names no executable, and says which variable", () => {
    const dir = mkdtempSync(join(tmpdir(), "hansa-paths-"));
    const file = join(dir, "envoy");
    writeFileSync(file, "", { mode: 0o600 });
    vi.stubEnv("HANSA_ENVOY", file);
    expect(() => envoyBinary()).toThrow(`HANSA_ENVOY: no executable at ${file}`);
    rmSync(dir, { recursive: true });
    expect(() => envoyBinary()).toThrow(/correct HANSA_ENVOY or unset it/);
  });

  it("says how to get a pinned binary that is not there", () => {
    vi.stubEnv("HANSA_NATS_SERVER", "");
    vi.stubEnv("XDG_CACHE_HOME", join(tmpdir(), "hansa-no-such-cache"));
    expect(() => natsServerBinary()).toThrow(/hansa-no-such-cache.*node deploy\/tools\/setup\.mjs/);
  });

  it("keeps the tools outside the checkout, in a folder named by content", () => {
    vi.stubEnv("XDG_CACHE_HOME", "/cache");
    expect(toolDir()).toMatch(/^\/cache\/hansa\/tools\/[0-9a-f]{16}$/);
  });
});

describe("the count of a test run", () => {
  const file = (status: string, ...tests: string[]) => ({
    status,
    assertionResults: tests.map((test) => ({ status: test })),
  });
  const report = (
    numPassedTests: number,
    numTotalTests: number,
    ...testResults: ReturnType<typeof file>[]
  ) => ({
    numPassedTests,
    numTotalTests,
    numFailedTests: testResults
      .flatMap((each) => each.assertionResults)
      .filter(({ status }) => status === "failed").length,
    testResults,
  });

  it("is what passed and what failed", () => {
    const mixed = report(1, 2, file("failed", "passed", "failed"));
    expect(countTests(mixed, 1)).toEqual({ passed: 1, failed: 1 });
    expect(countTests(report(1, 1, file("passed", "passed")), 0)).toEqual({ passed: 1, failed: 0 });
  });

  it("counts a skipped test as failed", () => {
    expect(countTests(report(1, 2, file("passed", "passed", "pending")), 0)).toEqual({
      passed: 1,
      failed: 1,
    });
  });

  it("counts a file that cannot be loaded, a run that ends badly and a run without a report as failures", () => {
    expect(countTests(report(0, 0, file("failed")), 1)).toEqual({ passed: 0, failed: 1 });
    expect(countTests(report(1, 1, file("passed", "passed")), 1)).toEqual({ passed: 1, failed: 1 });
    expect(countTests(undefined, 0)).toEqual({ passed: 0, failed: 1 });
  });
});

/** `npm start -- --check`, as a newcomer's machine runs it; and nothing stays behind. */
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { root } from "../../deploy/tools/paths.mjs";

/** Command lines of all processes that mention `text`. */
function processesThatMention(text: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      } catch {
        return "";
      }
    })
    .filter((line) => line.includes(text));
}

it("every step of the tour is true, and the lab ends without a trace", { timeout: 400_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "hansa-tour-"));
  const report = join(folder, "report.json");
  const state = join(folder, "lab");
  const args = [join(root, "deploy/tools/run.mjs"), "start", "--check", "--report", report];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    env: { ...process.env, HANSA_LAB_STATE: state },
    maxBuffer: 16 * 1024 * 1024,
  }).catch((error: { stdout: string; stderr: string }) => {
    throw new Error(`${error.stdout}\n${error.stderr.slice(-3000)}`);
  });
  const lines = stdout.trim().split("\n");
  expect(lines).toHaveLength(1);
  const { steps, ok } = JSON.parse(lines[0] ?? "");
  for (const step of steps) expect(step, step.detail).toMatchObject({ ok: true });
  expect(steps.length).toBeGreaterThanOrEqual(8);
  expect(ok).toBe(true);
  expect(JSON.parse(readFileSync(report, "utf8"))).toEqual({ steps, ok });
  expect(processesThatMention(state)).toEqual([]);
  rmSync(folder, { recursive: true, force: true });
});

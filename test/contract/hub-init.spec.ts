/** The entry as a user meets it: wrong usage, init, and what init leaves behind. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { base64 } from "@hansa/core";
import { newSigningKey } from "@hansa/identity";
import { afterAll, beforeAll, expect, test } from "vitest";

const MAIN = new URL("../../services/hub/src/main.ts", import.meta.url).pathname;
const key = (): string => base64(newSigningKey().signer.publicKey);

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "hansa-init-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (...args: readonly string[]) =>
  spawnSync(process.execPath, [MAIN, ...args], { encoding: "utf8" });

test.each([
  [[], 64, "HSA1001"],
  [["--colour"], 64, "HSA1001"],
  [["fly"], 64, "HSA1001"],
  [["init"], 64, "HSA1001"],
  [["migrate"], 64, "HSA1001"],
  [["--config", "/nonexistent/hub.yaml"], 65, "HSA1004"],
  [["init", "--dir", "x", "--federation", "Lab", "--operators", key()], 65, "HSA1004"],
  [["init", "--dir", "x", "--federation", "lab.hansa", "--operators", "abc"], 65, "HSA1004"],
  [
    ["init", "--dir", "x", "--federation", "lab.hansa", "--operators", key(), "--threshold", "2"],
    65,
    "HSA1004",
  ],
  [
    ["init", "--dir", "x", "--federation", "lab.hansa", "--operators", key(), "--nats", "here"],
    65,
    "HSA1004",
  ],
])("%j ends with %i and %s, and makes nothing", (args, status, code) => {
  const done = run(...args);
  expect([done.status, done.stderr.includes(code), done.stdout]).toEqual([status, true, ""]);
  expect(() => statSync("x")).toThrow();
});

test("init makes a folder that only its owner reads, once", () => {
  const dir = join(folder, "hub");
  const keys = [key(), key(), key()];
  const done = run("init", "--dir", dir, "--federation", "lab.hansa", "--operators", keys.join());
  expect(done.status).toBe(0);
  const result = JSON.parse(done.stdout) as Record<string, string>;
  expect(result.fingerprint).toMatch(/^[0-9a-f]{64}$/);
  const genesis = JSON.parse(readFileSync(join(dir, "genesis.json"), "utf8"));
  expect(genesis).toMatchObject({ federation: "lab.hansa", lab: false, operators: { keys, threshold: 2 } });
  expect(statSync(dir).mode & 0o777).toBe(0o700);
  for (const name of readdirSync(dir))
    expect([name, statSync(join(dir, name)).mode & 0o777]).toEqual([name, 0o600]);
  expect(done.stdout + done.stderr).not.toContain(readFileSync(join(dir, "admin-token"), "utf8").trim());
  const again = run("init", "--dir", dir, "--federation", "other.hansa", "--operators", key());
  expect([again.status, again.stderr.includes("HSA1004")]).toEqual([65, true]);
  expect(JSON.parse(readFileSync(join(dir, "genesis.json"), "utf8"))).toEqual(genesis);
});

/**
 * Runs a file of this checkout under Node 24, whatever Node started this process, after set-up.
 * Imports node:* alone, as setup.mjs does.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { join, relative } from "node:path";
import { envWithNode24, node24, root } from "./paths.mjs";
import { SetupError, setUp } from "./setup.mjs";

/** Sets up, then runs `file` (from the root) with `args` in the caller's folder. Resolves to the exit code. */
export async function launch(file, args, options = {}) {
  const path = join(root, file);
  if (!existsSync(path)) {
    process.stderr.write(`hansa: ${relative(process.cwd(), path)}: not in this checkout\n`);
    return 1;
  }
  if (!trySetUp()) return 1;
  return await run([path, ...args], options);
}

/** False, with the reason on stderr, where this machine cannot be set up. */
export function trySetUp() {
  try {
    setUp();
    return true;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`hansa set-up: ${error.message}\n`);
    return false;
  }
}

/** Runs Node 24 with `args`; the terminal is shared and signals are passed on. Resolves to the exit code. */
export async function run(args, { cwd = process.cwd(), env = {}, stdio = "inherit" } = {}) {
  const child = spawn(node24(), args, { cwd, stdio, env: { ...envWithNode24(), ...env } });
  // A terminal sends SIGINT to the child as well: passing it on would count as a second one.
  const pass = (signal) => (signal === "SIGINT" && process.stdin.isTTY ? undefined : child.kill(signal));
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) process.on(signal, pass);
  try {
    return await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => resolve(code ?? 128 + (constants.signals[signal] ?? 0)));
    });
  } finally {
    for (const signal of signals) process.off(signal, pass);
  }
}

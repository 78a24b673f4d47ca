/** `hansa` of this checkout, as a user types it. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { root } from "../../../deploy/tools/paths.mjs";

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const PROGRAM = ["--disable-warning=ExperimentalWarning", join(root, "services/cli/src/main.ts")];

/** Resolves however it ends. */
export function runHansa(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Ran> {
  return runProgram(process.execPath, [...PROGRAM, ...args], env);
}

export function runProgram(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const said = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const)
      child[name].on("data", (chunk: Buffer) => {
        said[name] += chunk.toString();
      });
    child.once("error", reject);
    child.once("close", (status) => resolve({ status, ...said }));
  });
}

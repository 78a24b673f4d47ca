/** Runs `hansa` as a user would and reads its JSON: the tour shows and asserts only what the CLI says. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { root } from "../../../../deploy/tools/paths.mjs";

export interface CliAnswer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: the steps read many shapes of JSON and assert what they read.
  readonly json: any;
  readonly stderr: string;
}

const CLI = join(root, "services/cli/src/main.ts");

export const spawnCli = (args: readonly string[], stdio: "pipe" | "inherit"): ChildProcess =>
  spawn(process.execPath, ["--disable-warning=ExperimentalWarning", CLI, ...args], {
    stdio: stdio === "inherit" ? "inherit" : ["ignore", "pipe", "pipe"],
  });

/** Resolves whatever the exit status is; `json` is null where stdout is not JSON. */
export function hansa(...args: string[]): Promise<CliAnswer> {
  return new Promise((resolve, reject) => {
    const child = spawnCli([...args, "-o", "json"], "pipe");
    let stdout = "";
    let stderr = "";
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      stdout += chunk;
    });
    child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      stderr += chunk;
    });
    child.once("error", reject);
    child.once("close", (code) =>
      resolve({ status: code ?? 1, json: parseOrNull(stdout), stderr: stderr.trim() }),
    );
  });
}

function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

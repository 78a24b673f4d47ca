/** A lab of a test's own: another state folder and address range than any other lab's. Driven by the CLI alone. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { root } from "../../../deploy/tools/paths.mjs";

export interface Answer {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  // biome-ignore lint/suspicious/noExplicitAny: scenarios read many shapes and assert what they read.
  readonly json: any;
}

const CLI = join(root, "services/cli/src/main.ts");

export class TestLab {
  readonly state: string;

  constructor(state: string) {
    this.state = state;
  }

  /** Runs the CLI with JSON output; never throws for an exit status. */
  hansa(...args: string[]): Promise<Answer> {
    return this.run([...args, "-o", "json"]);
  }

  run(args: readonly string[]): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", CLI, ...args], {
        env: { ...process.env, HANSA_LAB_STATE: this.state },
        stdio: ["ignore", "pipe", "pipe"],
      });
      let stdout = "";
      let stderr = "";
      child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
        stdout += chunk;
      });
      child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
        stderr += chunk;
      });
      child.once("error", reject);
      child.once("close", (status) =>
        resolve({ status: status ?? 1, stdout, stderr, json: parseOrNull(stdout) }),
      );
    });
  }

  /** Fails the test where the command does not end with 0. */
  async ok(...args: string[]): Promise<Answer["json"]> {
    const answer = await this.hansa(...args);
    expect(answer.status, `hansa ${args.join(" ")}: ${answer.stderr}${answer.stdout}`).toBe(0);
    return answer.json;
  }

  /** Repeats a command until its JSON satisfies; fails with the last answer. */
  async until(
    args: readonly string[],
    satisfied: (json: Answer["json"]) => boolean,
    withinMs = 20_000,
  ): Promise<Answer["json"]> {
    const deadline = performance.now() + withinMs;
    for (;;) {
      const { json, stderr } = await this.hansa(...args);
      if (json !== null && satisfied(json)) return json;
      if (performance.now() > deadline)
        throw new Error(
          `hansa ${args.join(" ")}: not as expected within ${withinMs} ms: ${JSON.stringify(json) ?? ""} ${stderr}`,
        );
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  async down(): Promise<void> {
    await this.hansa("lab", "down");
    rmSync(this.state, { recursive: true, force: true });
  }
}

export async function startLab(...args: string[]): Promise<TestLab> {
  const lab = new TestLab(join(mkdtempSync(join(tmpdir(), "hansa-e2e-")), "lab"));
  const { status, stderr } = await lab.run(["lab", "up", "--detach", ...args]);
  if (status !== 0) throw new Error(`lab up: ${stderr}`);
  return lab;
}

function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

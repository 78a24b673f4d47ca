/** A lab of a benchmark's own, driven by the CLI. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../../../deploy/tools/paths.mjs";
import { sleep } from "./numbers.ts";

const CLI = join(root, "services/cli/src/main.ts");

// biome-ignore lint/suspicious/noExplicitAny: many shapes; who reads one checks what it reads.
export type Json = any;

export class BenchLab {
  readonly folder = mkdtempSync(join(tmpdir(), "hansa-lab-bench-"));
  readonly state = join(this.folder, "lab");
  readonly #env: NodeJS.ProcessEnv;

  private constructor(env: NodeJS.ProcessEnv) {
    this.#env = { ...process.env, ...env, HANSA_LAB_STATE: this.state };
  }

  /** Without a topology file the default one. `env` reaches every process of it. */
  static async start(env: NodeJS.ProcessEnv = {}, topology?: string): Promise<BenchLab> {
    const lab = new BenchLab(env);
    await lab.ok("lab", "up", "--detach", ...(topology === undefined ? [] : ["-f", topology]));
    return lab;
  }

  sourceFile(cluster: string): string {
    return join(this.state, "clusters", cluster, "source.yaml");
  }

  /** Throws where the command does not end with 0. */
  async ok(...args: string[]): Promise<Json> {
    const { status, json, text } = await this.hansa(...args);
    if (status !== 0) throw new Error(`hansa ${args.join(" ")}: ended with ${status}: ${text}`);
    return json;
  }

  hansa(...args: string[]): Promise<{ readonly status: number; readonly json: Json; readonly text: string }> {
    return new Promise((resolve, reject) => {
      const argv = ["--disable-warning=ExperimentalWarning", CLI, ...args, "-o", "json"];
      const child = spawn(process.execPath, argv, { env: this.#env, stdio: ["ignore", "pipe", "pipe"] });
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
        resolve({ status: status ?? 1, json: parsed(stdout), text: `${stderr}${stdout}` }),
      );
    });
  }

  /** Repeats a command until its answer satisfies. */
  async until(args: readonly string[], satisfies: (json: Json) => boolean, withinMs = 30_000): Promise<Json> {
    const deadline = performance.now() + withinMs;
    for (;;) {
      const { json, text } = await this.hansa(...args);
      if (json !== undefined && satisfies(json)) return json;
      if (performance.now() > deadline)
        throw new Error(`hansa ${args.join(" ")}: not as expected within ${withinMs} ms: ${text}`);
      await sleep(100);
    }
  }

  async down(): Promise<void> {
    await this.hansa("lab", "down");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * A child process that answers in lines of JSON and ends with its standard input, so that nothing survives the benchmark
 * however that ends.
 */
import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { type Argv, diesWithParent } from "../../../deploy/tools/child.ts";

const STDERR_CHARS_MAX = 4000;

/** Servers have one core for themselves, clients the other. */
export const SERVER_CORE = 0;
export const CLIENT_CORE = 1;
const canPin =
  availableParallelism() >= 2 && spawnSync("taskset", ["-c", `${CLIENT_CORE}`, "true"]).status === 0;

export const pinning = canPin ? "server on core 0, clients on core 1" : "not pinned to cores";

export class Program {
  private readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  private readonly lines: AsyncIterator<string>;
  private readonly exited: Promise<void>;
  private errors = "";

  constructor(argv: Argv, core: number) {
    const pinned: Argv = canPin ? ["taskset", "-c", `${core}`, ...argv] : argv;
    const [file, ...args] = diesWithParent("SIGKILL", pinned);
    this.child = spawn(file, args, { stdio: ["pipe", "pipe", "pipe"] });
    this.exited = new Promise((resolve) => {
      this.child.once("exit", () => resolve());
      this.child.once("error", (error) => {
        this.errors += error.message;
        resolve();
      });
    });
    // What a dead process did not take is told by the line that never comes.
    this.child.stdin.on("error", () => {});
    this.child.stderr.on("data", (chunk: Buffer) => {
      this.errors = (this.errors + chunk.toString()).slice(-STDERR_CHARS_MAX);
    });
    this.lines = createInterface(this.child.stdout)[Symbol.asyncIterator]();
  }

  tell(command: string): void {
    this.child.stdin.write(`${command}\n`);
  }

  /** The next line of its output. Throws with its stderr where it has ended instead. */
  async answer(): Promise<unknown> {
    const line = await this.lines.next();
    if (line.done) throw new Error(`${this.child.spawnargs.join(" ")}: ended early\n${this.errors}`);
    return JSON.parse(line.value);
  }

  async end(): Promise<void> {
    this.child.stdin.end();
    const overdue = setTimeout(() => this.child.kill("SIGKILL"), 3000);
    await this.exited;
    clearTimeout(overdue);
  }
}

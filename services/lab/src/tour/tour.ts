/** `npm start`: the lab in the foreground with the tour, for a person at a terminal or (--check) for a machine. */
import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createInterface, type Interface } from "node:readline/promises";
import { fileURLToPath } from "node:url";
import { spawnCli } from "./cli.ts";
import { STEPS, type Step } from "./steps.ts";

export interface TourOptions {
  /** Unattended: run each step, assert it, end the lab, report on stdout. */
  readonly check: boolean;
  readonly report: string | undefined;
}

interface StepReport {
  readonly name: string;
  readonly ok: boolean;
  readonly ms: number;
  readonly detail: string;
}

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));
const tell = (line = ""): void => void process.stderr.write(`${line}\n`);

/** Answers the exit status. */
export async function runTour(options: TourOptions): Promise<number> {
  const lab = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", MAIN, "up"], {
    stdio: ["ignore", "inherit", "pipe"],
  });
  const ended = new Promise<number>((resolve) => lab.once("exit", (code) => resolve(code ?? 1)));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => lab.kill("SIGTERM"));
  if (!(await isReady(lab))) return await ended;
  if (options.check) {
    const reports = await checkAll();
    lab.kill("SIGTERM");
    await ended;
    const line = JSON.stringify({ steps: reports, ok: reports.every(({ ok }) => ok) });
    process.stdout.write(`${line}\n`);
    if (options.report !== undefined) writeFileSync(options.report, `${line}\n`);
    return reports.every(({ ok }) => ok) ? 0 : 1;
  }
  if (process.stdin.isTTY) await guide();
  tell("\nThe lab goes on: try `npx hansa --help` in another terminal. Ctrl-C ends it.");
  return await ended;
}

/** Passes the supervisor's progress on; false where it ended before it was ready. */
function isReady(lab: ChildProcess): Promise<boolean> {
  return new Promise((resolve) => {
    lab.once("exit", () => resolve(false));
    lab.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      process.stderr.write(chunk);
      if (/^ready:/m.test(chunk)) resolve(true);
    });
  });
}

async function checkAll(): Promise<StepReport[]> {
  const memory = new Map<string, string>();
  const reports: StepReport[] = [];
  for (const step of STEPS) {
    const startMs = performance.now();
    const { ok, detail } = await step.run(memory).then(
      (evidence) => ({ ok: true, detail: evidence }),
      (error: Error) => ({ ok: false, detail: error.message }),
    );
    const report = { name: step.name, ok, ms: Math.round(performance.now() - startMs), detail };
    tell(`${ok ? "ok    " : "FAILED"} ${report.name} (${report.ms} ms): ${detail}`);
    reports.push(report);
  }
  return reports;
}

async function guide(): Promise<void> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  tell(
    `\nA tour in ${STEPS.length} steps. Enter goes on, s skips a step, q leaves the tour and keeps the lab.`,
  );
  const times = new Map<string, string>();
  for (const [index, step] of STEPS.entries()) {
    tell(`\n── ${index + 1}/${STEPS.length} ${step.name}\n${step.story}`);
    if (!(await show(terminal, step, times))) break;
  }
  terminal.close();
}

/** False where the person leaves. A load that runs while something dies is started first and shown last. */
async function show(terminal: Interface, step: Step, times: Map<string, string>): Promise<boolean> {
  const loads: Promise<unknown>[] = [];
  for (const command of step.commands) {
    const answer = (
      await terminal.question(`\n$ ${command.replace("TIME", times.get("first") ?? "5m")}  `)
    ).trim();
    if (answer === "q") return false;
    if (answer === "s") break;
    times.set("first", times.get("first") ?? new Date().toISOString());
    const args = command
      .replace("TIME", times.get("first") ?? "5m")
      .split(" ")
      .slice(1);
    const child = spawnCli(args, "inherit");
    const done = new Promise((resolve) => child.once("close", resolve));
    if (args.includes("--duration")) loads.push(done);
    else await done;
  }
  await Promise.all(loads);
  if (step.isShownByEvidence === true)
    tell(`\n${await step.run(times).catch((error: Error) => error.message)}`);
  return true;
}

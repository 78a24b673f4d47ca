/** `hansa lab …`: start, stop and disturb the lab of this checkout. */
import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { HansaError } from "@hansa/core";
import type { Command } from "commander";
import { labPaths } from "../../../../deploy/tools/lab-paths.ts";
import { root } from "../../../../deploy/tools/paths.mjs";
import { type ComponentStatus, callLab, labRuns, labStatus } from "../shell/lab-client.ts";
import { say, table } from "../shell/output.ts";
import { type Action, addCommand, wholeNumber } from "../shell/program.ts";
import { callAction } from "./call.ts";
import { credsAction } from "./creds.ts";

const SUPERVISOR = join(root, "services/lab/src/main.ts");
const UP_TIMEOUT_MS = 240_000;

export function addLabCommands(program: Command): void {
  const lab = program.command("lab").description("three linked clusters on this machine");
  const file = ["-f, --file <file>", "topology file (default: three clusters and a small shop)"] as const;
  const clusters = ["--clusters <n>", "grow or shrink the topology to N clusters"] as const;
  addCommand(lab, {
    usage: "up",
    summary: "start the lab; with --detach it goes on in the background",
    options: [
      file,
      clusters,
      ["--detach", "return when it runs"],
      ["--kube", "real Kubernetes API servers, agents and workloads as pods; needs root or user namespaces"],
    ],
    action: up,
  });
  addCommand(lab, { usage: "down", summary: "end everything that the lab started", action: down });
  addCommand(lab, { usage: "status", summary: "every component: kind, pid, ports, health", action: status });
  for (const verb of ["start", "stop", "kill", "pause", "resume"] as const)
    addCommand(lab, {
      usage: `${verb} <component...>`,
      summary: `${verb} components by name, or all below a name (us, eu/shop/pay)`,
      action: async (_shell, names) =>
        componentList((await callLab("POST", "/action", { action: verb, names })) as ComponentStatus[]),
    });
  addCommand(lab, {
    usage: "scale <workload> <replicas>",
    summary: "CLUSTER/NS/WORKLOAD to N replicas",
    action: scale,
  });
  addCommand(lab, {
    usage: "call <caller> <service>",
    summary: "call SERVICE[.NS][:PORT][/PATH] from CLUSTER/NS/WORKLOAD through its sidecar",
    options: [
      ["-n, --count <n>", "number of calls (default 1; with --duration: no limit)"],
      ["-c, --concurrency <n>", "calls at once", "8"],
      ["--rate <n>", "calls per second; 0: as fast as they return", "0"],
      ["--duration <seconds>", "stop after this time"],
    ],
    action: callAction,
  });
  addCommand(lab, {
    usage: "creds <account>",
    summary: "SVID, key and bundles of CLUSTER/NS/SA for a tool outside the mesh",
    options: [["--out <dir>", "folder for svid.pem, key.pem and bundles; made 0700"]],
    action: credsAction,
  });
  addCommand(lab, {
    usage: "topology",
    summary: "validate and print a topology",
    options: [file, clusters, ["--kubernetes", "as Kubernetes objects, by cluster"]],
    action: topology,
  });
}

function supervisorArgs(options: Readonly<Record<string, unknown>>): string[] {
  const args: string[] = [];
  if (options.file !== undefined) {
    const path = resolve(String(options.file));
    if (!existsSync(path)) throw new HansaError("HSA1002", `${path}: no such file`);
    args.push("--file", path);
  }
  if (options.clusters !== undefined)
    args.push("--clusters", String(wholeNumber("--clusters", options.clusters, 1, 50)));
  for (const flag of ["kube", "kubernetes"]) if (options[flag] === true) args.push(`--${flag}`);
  return args;
}

const up: Action = async (_shell, _args, options) => {
  const args = supervisorArgs(options);
  if (await labRuns()) throw new HansaError("HSA6002", "a lab of this checkout runs already");
  if (options.detach !== true) {
    const child = spawn(process.execPath, [SUPERVISOR, "up", ...args], { stdio: "inherit" });
    // A terminal sends SIGINT to both; the supervisor ends the lab and then itself.
    for (const signal of ["SIGINT", "SIGTERM"] as const)
      process.on(signal, () => signal === "SIGTERM" && child.kill(signal));
    process.exitCode = await new Promise<number>((done) => child.once("exit", (code) => done(code ?? 1)));
    return undefined;
  }
  const refusal = await startDetached(args);
  if (refusal === 0) return await statusOf("LabUp");
  process.exitCode = refusal;
  return undefined;
};

/** 0, or the status with which the supervisor ended after it had said itself, here too, what is wrong. */
async function startDetached(args: readonly string[]): Promise<number> {
  const { state, supervisorLog } = labPaths();
  mkdirSync(state, { recursive: true, mode: 0o700 });
  rmSync(supervisorLog, { force: true });
  const log = openSync(supervisorLog, "a", 0o600);
  const child = spawn(process.execPath, [SUPERVISOR, "up", ...args], {
    detached: true,
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  child.unref();
  let exited: number | undefined;
  child.once("exit", (code) => {
    exited = code ?? 1;
  });
  const deadline = performance.now() + UP_TIMEOUT_MS;
  let shown = 0;
  for (;;) {
    // Looked at first, so that what it said last is read.
    const status = exited;
    const lines = readFileSync(supervisorLog, "utf8").split("\n").slice(0, -1);
    for (const line of lines.slice(shown)) say(line);
    shown = lines.length;
    if (lines.some((line) => line.startsWith("ready:"))) return 0;
    if (status && lines.some((line) => line.startsWith("error HSA"))) return status;
    if (status !== undefined) throw new HansaError("HSA6005", `the lab did not start; see ${supervisorLog}`);
    if (performance.now() > deadline) {
      child.kill("SIGTERM");
      throw new HansaError(
        "HSA6005",
        `the lab was not ready within ${UP_TIMEOUT_MS} ms; see ${supervisorLog}`,
      );
    }
    await new Promise((done) => setTimeout(done, 100));
  }
}

const down: Action = async () => {
  await callLab("POST", "/down");
  while (await labRuns()) await new Promise((done) => setTimeout(done, 50));
  return { kind: "LabDown", data: {}, text: () => "the lab is down" };
};

function componentList(components: readonly ComponentStatus[], kind = "ComponentList") {
  const rows = components.map(({ name, kind: what, state, health, pid, ports, admin }) => [
    name,
    what,
    state,
    health === "" ? null : health,
    pid,
    Object.values(ports).join(" "),
    admin === "" ? null : admin,
  ]);
  return {
    kind,
    data: { items: components },
    text: () => table(["COMPONENT", "KIND", "STATE", "HEALTH", "PID", "SERVES", "ADMIN"], rows),
  };
}

const statusOf = async (kind: string) => componentList(await labStatus(), kind);
const status: Action = () => statusOf("ComponentList");

const scale: Action = async (_shell, [target = "", replicas]) => {
  const [cluster, namespace, workload, ...rest] = target.split("/");
  if (!workload || rest.length > 0) throw new HansaError("HSA1001", `${target}: must be CLUSTER/NS/WORKLOAD`);
  const count = wholeNumber("<replicas>", replicas, 0, 100);
  await callLab("POST", "/scale", { cluster, namespace, workload, count });
  return {
    kind: "Scaled",
    data: { workload: target, replicas: count },
    text: () => `${target} has ${count} replicas`,
  };
};

/** The supervisor's own reader does it, so that there is one validator. */
const topology: Action = async (_shell, _args, options) => {
  const child = spawn(
    process.execPath,
    [SUPERVISOR, "topology", ...supervisorArgs(options), "--output", String(options.output)],
    { stdio: "inherit" },
  );
  process.exitCode = await new Promise<number>((done) => child.once("exit", (code) => done(code ?? 1)));
  return undefined;
};

/**
 * The two processes of a cluster on one machine: agent and gateway Envoy. Started to outlive this command; ended again
 * where the join fails.
 */
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { CODES, type Code, HansaError, isCode } from "@hansa/core";
import { root } from "../../../../deploy/tools/paths.mjs";

export interface Started {
  readonly name: string;
  readonly pid: number;
  readonly log: string;
  readonly command: readonly string[];
  /** undefined while it runs. */
  exitCode(): number | undefined;
  stop(): void;
}

const LOG_TAIL_CHARS = 4000;

function start(
  name: string,
  command: readonly [string, ...string[]],
  log: string,
  env: NodeJS.ProcessEnv,
): Started {
  const file = openSync(log, "a", 0o600);
  const [program, ...args] = command;
  const child = spawn(program, args, { detached: true, stdio: ["ignore", file, file], env });
  closeSync(file);
  let code: number | undefined;
  child.once("exit", (status) => {
    code = status ?? 1;
  });
  child.once("error", () => {
    code = 1;
  });
  child.unref();
  return {
    name,
    pid: child.pid ?? 0,
    log,
    command,
    exitCode: () => code,
    stop: () => void (code === undefined && child.kill("SIGTERM")),
  };
}

/** The token goes by the environment: arguments can be read by every user of the machine. */
export function startAgent(config: string, dataDir: string, token: string): Started {
  const main = join(root, "services/agent/src/main.ts");
  const command = [
    process.execPath,
    "--disable-warning=ExperimentalWarning",
    main,
    "--config",
    resolve(config),
  ] as const;
  return start("agent", [...command], join(dataDir, "agent.log"), {
    ...process.env,
    HANSA_JOIN_TOKEN: token,
  });
}

export function startGateway(envoy: string, bootstrap: string, dataDir: string): Started {
  const command = [
    envoy,
    "-c",
    bootstrap,
    "--use-dynamic-base-id",
    "--drain-time-s",
    "45",
    "--log-level",
    "warning",
  ] as const;
  return start("gateway", [...command], join(dataDir, "gateway.log"), process.env);
}

/** Why it ended, with its own code where its last words name one. */
export function endedError({ name, log }: Started): HansaError {
  let tail = "";
  try {
    tail = readFileSync(log, "utf8").slice(-LOG_TAIL_CHARS).trim();
  } catch {
    // No log: nothing more to tell.
  }
  return endedWith(name, log, tail);
}

export function endedWith(name: string, log: string, tail: string): HansaError {
  const last =
    tail.split("\n").findLast((line) => line.startsWith(`${name}:`)) ?? tail.split("\n").at(-1) ?? "";
  const named = /HSA\d{4}/.exec(last)?.[0];
  const code: Code = named !== undefined && isCode(named) ? named : "HSA6005";
  const said = last.replace(new RegExp(`^${name}: (HSA\\d{4} )?`), "");
  return new HansaError(code, `${name} ended: ${said || CODES[code].meaning} (log: ${log})`);
}

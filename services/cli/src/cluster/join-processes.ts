/**
 * The two processes of a cluster on one machine: agent and gateway Envoy. Started to outlive this command; ended again
 * where the join fails.
 */
import { spawnSync } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { CODES, type Code, HansaError, isCode } from "@hansa/core";
import { root } from "../../../../deploy/tools/paths.mjs";

export interface Started {
  readonly name: string;
  readonly pid: number;
  readonly log: string;
  readonly command: readonly string[];
  hasEnded(): boolean;
  stop(): void;
}

const LOG_TAIL_CHARS = 4000;

/**
 * Runs a program in a session of its own and as nobody's child, and prints its pid. Envoy asks the kernel for a SIGTERM
 * when its parent ends (PR_SET_PDEATHSIG), and a command ends soon: so the program starts only when its parent is gone.
 */
const ORPHANED = `log=$1; shift; parent=$$
(while kill -0 $parent 2>/dev/null; do sleep 0.02; done; exec setsid "$@") </dev/null >>"$log" 2>&1 &
echo $!`;

function start(name: string, command: readonly string[], log: string, env: NodeJS.ProcessEnv): Started {
  closeSync(openSync(log, "a", 0o600));
  const { stdout, error } = spawnSync("sh", ["-c", ORPHANED, "sh", log, ...command], {
    encoding: "utf8",
    env,
    stdio: ["ignore", "pipe", "ignore"],
  });
  if (error !== undefined) throw new HansaError("HSA6001", `sh: ${error.message}`, { cause: error });
  const pid = Number(stdout);
  const hasEnded = (): boolean => !isRunning(pid);
  return { name, pid, log, command, hasEnded, stop: () => void (hasEnded() || process.kill(pid, "SIGTERM")) };
}

/** A zombie that nobody has collected yet runs no more. */
function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return !stat.slice(stat.lastIndexOf(")") + 2).startsWith("Z");
  } catch {
    return false;
  }
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
  return start("agent", command, join(dataDir, "agent.log"), {
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
  return start("gateway", command, join(dataDir, "gateway.log"), process.env);
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

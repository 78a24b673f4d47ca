/** Child processes of tests and the lab: started, waited for, stopped by pid, ended with their parent. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Child {
  readonly pid: number;
  /** Settles when the process has ended, however it came to that. Never rejects. */
  readonly exited: Promise<Exit>;
  /** Whether it does its work now. */
  isReady(): Promise<boolean>;
  /** Asks the process to end and waits; after `stopWithinMs` it is killed. */
  stop(): Promise<Exit>;
  /** Ends the process at once, as a crash would, and waits until it is gone. */
  kill(): Promise<Exit>;
}

/** A program and its arguments. */
export type Argv = readonly [string, ...string[]];

export interface ChildOptions {
  readonly argv: Argv;
  /** File to which the process's stdout and stderr are appended. */
  readonly log: string;
  /** Signal that ends the process in good order; it is also sent when the parent dies (Linux). */
  readonly stopSignal: NodeJS.Signals;
  readonly stopWithinMs?: number;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Resolves true once the process does its work. Polled until then. */
  readonly isReady: () => Promise<boolean>;
  readonly readyWithinMs?: number;
}

const pollMs = 10;
const logTailLinesMax = 15;
const canFollowParent = process.platform === "linux" && spawnSync("setpriv", ["--version"]).status === 0;

/** Puts `argv` under setpriv, so that the kernel sends `signal` when the thread that started it ends. */
export function diesWithParent(signal: NodeJS.Signals, argv: Argv): Argv {
  return canFollowParent ? ["setpriv", "--pdeathsig", signal.slice("SIG".length), "--", ...argv] : argv;
}

/** Starts a process and waits until it is ready. Throws with the end of its log where that does not come. */
export async function startChild(options: ChildOptions): Promise<Child> {
  const child = spawnLogged(options);
  const { readyWithinMs = 30_000, isReady, log } = options;
  let ended: Exit | undefined;
  void child.exited.then((exit) => {
    ended = exit;
  });
  const deadline = Date.now() + readyWithinMs;
  while (!(await isReady())) {
    if (ended !== undefined) {
      throw new Error(`${options.argv[0]}: ended with ${ended.code ?? ended.signal}; ${log}:\n${tail(log)}`);
    }
    if (Date.now() > deadline) {
      await child.kill();
      throw new Error(`${options.argv[0]}: not ready within ${readyWithinMs} ms; ${log}:\n${tail(log)}`);
    }
    await sleep(pollMs);
  }
  return child;
}

function spawnLogged(options: ChildOptions): Child {
  const { argv, log, stopSignal, stopWithinMs = 10_000, cwd, env, isReady } = options;
  mkdirSync(dirname(log), { recursive: true });
  const output = openSync(log, "a", 0o600);
  const [file, ...args] = diesWithParent(stopSignal, argv);
  const child = spawn(file, args, {
    stdio: ["ignore", output, output],
    ...(cwd === undefined ? {} : { cwd }),
    ...(env === undefined ? {} : { env }),
  });
  closeSync(output);
  const exited = exitOf(child);
  const end = async (signal: NodeJS.Signals): Promise<Exit> => {
    child.kill(signal);
    return await exited;
  };
  const stop = async (): Promise<Exit> => {
    const overdue = setTimeout(() => child.kill("SIGKILL"), stopWithinMs);
    return await end(stopSignal).finally(() => clearTimeout(overdue));
  };
  // A program that cannot be started has no pid; `exited` has settled by then and says so.
  return { pid: child.pid ?? -1, exited, isReady, stop, kill: () => end("SIGKILL") };
}

function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once("error", () => resolve({ code: 127, signal: null }));
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
}

/** The first bytes that a server sends on a new connection, after `hello` where it waits for one; "" if none. */
export function firstBytes(host: string, port: number, hello?: Uint8Array): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1_000 });
    const finish = (bytes: string): void => {
      socket.destroy();
      resolve(bytes);
    };
    socket.once("connect", () => hello !== undefined && socket.write(hello));
    socket.once("data", (data) => finish(data.toString("latin1")));
    for (const event of ["error", "timeout", "close"]) socket.once(event, () => finish(""));
  });
}

/** A loopback TCP port that was free a moment ago. */
export function freePort(host = "127.0.0.1"): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, host, () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

function tail(path: string): string {
  return readFileSync(path, "utf8").trimEnd().split("\n").slice(-logTailLinesMax).join("\n");
}

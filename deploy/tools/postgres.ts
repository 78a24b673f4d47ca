/**
 * Starts a Postgres of its own for tests and the lab, from npm's binaries.
 * Postgres refuses to run as root: root gets an unprivileged user for it, without giving up its own access to the data
 * folder, since that may lie below folders of mode 0700.
 */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Argv, type Child, firstBytes, freePort, startChild } from "./child.ts";
import { postgresBinaries } from "./paths.mjs";

export interface PostgresOptions {
  /** Made and initialised where missing, used again where it is a Postgres data folder. */
  readonly dataDir: string;
  readonly host?: string;
  /** Default: a free one. */
  readonly port?: number;
  /** Default: `<dataDir>.log`. */
  readonly log?: string;
  /** Further server settings, as in postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface Postgres extends Child {
  /** Connection URL with the password of the superuser `postgres`; a secret. */
  readonly url: string;
  readonly port: number;
}

type Wrap = (argv: Argv) => Argv;

const user = "postgres";
const nobody = 65534;

/** Resolves when the server lets clients in. Throws with the end of its log otherwise. */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const { dataDir, host = "127.0.0.1", log = `${dataDir}.log`, settings = {} } = options;
  const { bin } = postgresBinaries();
  const unprivileged = unprivilege();
  if (!existsSync(join(dataDir, "PG_VERSION"))) initialise(bin, dataDir, unprivileged);
  const port = options.port ?? (await freePort(host));
  const all = { listen_addresses: host, port: String(port), unix_socket_directories: "", ...settings };
  const flags = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const child = await startChild({
    argv: unprivileged.wrap([join(bin, "postgres"), "-D", dataDir, ...flags]),
    log,
    // Postgres's fast shutdown: sessions are ended, the data folder is left clean.
    stopSignal: "SIGINT",
    isReady: async () => (await firstBytes(host, port, startupMessage())).startsWith("R"),
  });
  const password = readFileSync(passwordFile(dataDir), "utf8").trim();
  return { ...child, url: `postgres://${user}:${password}@${host}:${port}/postgres`, port };
}

export interface PostgresAccess {
  readonly url: string;
  /** Undefined where the server is somebody else's. */
  readonly server: Postgres | undefined;
  stop(): Promise<void>;
}

/** The server of HANSA_POSTGRES_URL where that is set (used as it is and left running), else one of our own. */
export async function openPostgres(options: PostgresOptions): Promise<PostgresAccess> {
  const given = process.env.HANSA_POSTGRES_URL;
  if (given) return { url: given, server: undefined, stop: async () => {} };
  const server = await startPostgres(options);
  const stop = async (): Promise<void> => void (await server.stop());
  return { url: server.url, server, stop };
}

function initialise(bin: string, dataDir: string, { wrap, uid }: Unprivileged): void {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const secret = passwordFile(dataDir);
  writeFileSync(secret, randomBytes(16).toString("hex"), { mode: 0o600 });
  if (uid !== undefined) for (const path of [dataDir, secret]) chownSync(path, uid, uid);
  const flags = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions"];
  const [file, ...args] = wrap([
    join(bin, "initdb"),
    "-D",
    dataDir,
    "-U",
    user,
    `--pwfile=${secret}`,
    ...flags,
  ]);
  const done = spawnSync(file, args, { encoding: "utf8" });
  if (done.status !== 0) {
    rmSync(secret, { force: true });
    throw new Error(`initdb: ${dataDir}: ${done.error?.message ?? done.stderr.trim()}`);
  }
}

/** Beside the data folder, which Postgres wants to itself. */
function passwordFile(dataDir: string): string {
  return `${dataDir}.password`;
}

interface Unprivileged {
  readonly wrap: Wrap;
  /** Whom the data folder must belong to, where that is not this process's user. */
  readonly uid: number | undefined;
}

/**
 * How to run Postgres here. In a user namespace root's files are its own under another number. Where those are closed
 * (most containers), another user gets the one capability that reaches files below folders of mode 0700.
 */
function unprivilege(): Unprivileged {
  if (process.getuid?.() !== 0) return { wrap: (argv) => argv, uid: undefined };
  const namespace: Argv = ["unshare", "-U", `--map-user=${nobody}`, `--map-group=${nobody}`, "--"];
  if (runs(namespace)) return { wrap: (argv) => [...namespace, ...argv], uid: undefined };
  const ids = [`--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups"];
  // Setting ids clears what startChild asked of the kernel.
  const follow = ["--pdeathsig", "INT"];
  const caps = [
    "--inh-caps=-all,+dac_override",
    "--ambient-caps=-all,+dac_override",
    "--bounding-set=-all,+dac_override",
  ];
  const privilege: Argv = ["setpriv", ...ids, ...caps, ...follow, "--"];
  if (runs(privilege)) return { wrap: (argv) => [...privilege, ...argv], uid: nobody };
  throw new Error(
    "postgres: cannot run as root here; use another user, or set HANSA_POSTGRES_URL to a server",
  );
}

function runs([file, ...args]: Argv): boolean {
  return spawnSync(file, [...args, "true"]).status === 0;
}

/** Protocol 3.0 start-up packet. The answer is `R` (authentication) once the server lets clients in, `E` before. */
function startupMessage(): Uint8Array {
  const body = Buffer.from(`user\0${user}\0database\0postgres\0\0`);
  const head = Buffer.alloc(8);
  head.writeInt32BE(head.length + body.length, 0);
  head.writeInt32BE(196_608, 4);
  return Buffer.concat([head, body]);
}

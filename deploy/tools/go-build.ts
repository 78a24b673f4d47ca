/**
 * Builds Go programs of this checkout once per content, into the tool cache. The checkout gets nothing.
 * Whoever comes second waits for the first (flock: the kernel lets go where a builder is killed) and finds it done.
 */
import { spawnSync } from "node:child_process";
import { existsSync, globSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { goBinary } from "./go.mjs";
import { cachedFor } from "./paths.mjs";
import { say } from "./setup.mjs";

export interface GoBuild {
  /** For people: what is being built. */
  readonly what: string;
  /** Folder of go.mod and go.sum. */
  readonly module: string;
  /** Go packages; each becomes the binary that is named by the last part of its path. */
  readonly packages: readonly string[];
  /** Globs in `module` of the sources: beside go.mod and go.sum, what a build is kept by. */
  readonly sources: readonly string[];
  readonly ldflags?: string;
  /** Further files that say how it is built, by absolute path. */
  readonly recipes?: readonly string[];
}

const abandonedMs = 3_600_000;

/** The folder of the binaries. A first build needs the module proxy, or a filled module cache. */
export function goPrograms(build: GoBuild): string {
  const files = globSync(["go.mod", "go.sum", ...build.sources], { cwd: build.module }).sort();
  const dir = cachedFor([...files.map((file) => join(build.module, file)), ...(build.recipes ?? [])]);
  if (!existsSync(dir)) compile(build, dir);
  return dir;
}

function compile(build: GoBuild, dir: string): void {
  const go = goBinary();
  say(`building ${build.what} into ${dir} (once)`);
  mkdirSync(dirname(dir), { recursive: true });
  sweep(dir);
  const draft = mkdtempSync(`${dir}.draft-`);
  const flags = ["-trimpath", "-buildvcs=false", ...(build.ldflags ? ["-ldflags", build.ldflags] : [])];
  const command = [go, "build", ...flags, "-o", `${draft}/`, ...build.packages];
  // Looked for once more under the lock; renamed only when it is whole, so that no half of one is ever found.
  const script = 'test -e "$0" && exit 0; draft=$1; shift; "$@" && mv -T "$draft" "$0"';
  try {
    const done = spawnSync("flock", [`${dir}.lock`, "sh", "-c", script, dir, draft, ...command], {
      cwd: build.module,
      env: {
        ...process.env,
        CGO_ENABLED: "0",
        GOFLAGS: "-mod=readonly",
        GOTOOLCHAIN: "local",
        GOWORK: "off",
      },
      stdio: ["ignore", 2, 2],
    });
    if (done.error) throw done.error;
    if (done.status !== 0) throw new Error(`go build: ended with ${done.status ?? done.signal}; see above`);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/** Removes what killed builders of the same have left, and no draft that one still works on. */
function sweep(dir: string): void {
  for (const draft of globSync(`${dir}.draft-*`))
    if (Date.now() - statSync(draft).mtimeMs > abandonedMs) rmSync(draft, { recursive: true, force: true });
}

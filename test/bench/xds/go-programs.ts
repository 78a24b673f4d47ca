/** Builds the Go programs of test/bench/go once per content, into the tool cache. The checkout gets nothing. */
import { spawnSync } from "node:child_process";
import { existsSync, globSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { goBinary } from "../../../deploy/tools/go.mjs";
import { cachedFor, root } from "../../../deploy/tools/paths.mjs";

const MODULE = join(root, "test/bench/go");

export interface GoPrograms {
  /** go-control-plane behind the control API. */
  readonly peer: string;
  /** The load generator. */
  readonly load: string;
}

/** A first build takes about a minute and needs the module proxy, or a filled module cache. */
export function goPrograms(log: (line: string) => void): GoPrograms {
  const sources = globSync(["go.mod", "go.sum", "**/*.go"], { cwd: MODULE }).sort();
  const dir = cachedFor(sources.map((file) => join(MODULE, file)));
  if (!existsSync(dir)) {
    const go = goBinary();
    log(`building go-control-plane's server and the load generator into ${dir} (once)`);
    build(go, dir);
  }
  return { peer: join(dir, "peer"), load: join(dir, "load") };
}

function build(go: string, dir: string): void {
  mkdirSync(dirname(dir), { recursive: true });
  const draft = mkdtempSync(`${dir}.draft-`);
  try {
    const args = ["build", "-trimpath", "-buildvcs=false", "-o", `${draft}/`, "./peer", "./load"];
    const env = {
      ...process.env,
      CGO_ENABLED: "0",
      GOFLAGS: "-mod=readonly",
      GOTOOLCHAIN: "local",
      GOWORK: "off",
    };
    const done = spawnSync(go, args, { cwd: MODULE, env, stdio: ["ignore", 2, 2] });
    if (done.error) throw done.error;
    if (done.status !== 0) throw new Error(`go build: ended with ${done.status ?? done.signal}; see above`);
    renameSync(draft, dir);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

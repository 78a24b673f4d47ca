/** The checks that need no test run: format and lint, types, import boundaries. */
import { run } from "./launch.mjs";
import { root } from "./paths.mjs";

const biome = "node_modules/@biomejs/biome/bin/biome";
const colours = process.stdout.isTTY ? [] : ["--colors=off"];

/** Node arguments of every check by name. */
export const checks = {
  lint: [biome, "ci", ...colours, "."],
  types: ["node_modules/typescript/bin/tsc", "--project", "."],
  boundaries: [
    "node_modules/dependency-cruiser/bin/dependency-cruise.mjs",
    "libs",
    "services",
    "deploy",
    "test",
    "--output-type",
    "err-long",
  ],
};

/** Runs the named checks one after the other. Resolves to how many passed and failed. */
export async function check(names) {
  const count = { passed: 0, failed: 0 };
  for (const name of names) {
    const code = await run(checks[name], { cwd: root });
    process.stderr.write(`${code === 0 ? "ok  " : "FAIL"} ${name}\n`);
    count[code === 0 ? "passed" : "failed"] += 1;
  }
  return count;
}

/** Formats and applies the safe fixes of the lint rules. Resolves to the exit code. */
export async function format() {
  return await run([biome, "check", "--write", ...colours, "."], { cwd: root });
}

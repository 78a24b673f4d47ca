import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));
/** Said by each process that the start of an agent becomes. */
const SAY = `console.log(process.pid, process.env.MALLOC_ARENA_MAX, ...process.execArgv.filter((flag) => /^--max-semi/.test(flag)))`;

/** An agent without a configuration ends at once. */
function start(flags: readonly string[], env: NodeJS.ProcessEnv): { said: string[]; stderr: string } {
  const args = [...flags, "--import", `data:text/javascript,${SAY}`, MAIN];
  const { stdout, stderr, pid } = spawnSync(process.execPath, args, { encoding: "utf8", env });
  const said = stdout.trimEnd().split("\n");
  return { said: said.map((line) => line.replace(String(pid), "pid")), stderr };
}

test("however it is started, an agent's process begins once more with its settings, under its own pid", () => {
  const { said, stderr } = start([], {});
  expect(said).toEqual(["pid undefined", "pid 2 --max-semi-space-size=4"]);
  expect(stderr).toContain("HSA1001");
});

test("what an operator has set stays", () => {
  const { said } = start(["--max-semi-space-size=8"], { MALLOC_ARENA_MAX: "1" });
  expect(said).toEqual(["pid 1 --max-semi-space-size=8", "pid 1 --max-semi-space-size=8"]);
});

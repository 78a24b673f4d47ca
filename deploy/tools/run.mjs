/**
 * Every npm script of the checkout: `node deploy/tools/run.mjs NAME [ARGUMENT…]`.
 * Imports node:* alone, so that a script also starts where nothing is installed yet.
 */
import { check, checks, format } from "./check.mjs";
import { launch, trySetUp } from "./launch.mjs";
import { printTotal, runTests } from "./tests.mjs";

const entries = {
  start: ["services/lab/src/main.ts", "tour"],
  migrate: ["services/hub/src/main.ts", "migrate"],
  bench: ["test/bench/main.ts"],
  conformance: ["test/conformance/main.ts"],
  soak: ["test/soak/main.ts"],
};

const [name = "", ...args] = process.argv.slice(2);
process.exitCode = await script();

async function script() {
  const entry = entries[name];
  if (entry !== undefined) return await launch(entry[0], [...entry.slice(1), ...args]);
  if (name === "ci") return failed(printTotal(await ci()));
  if (!trySetUp()) return 1;
  if (name === "format") return await format();
  if (name === "check") return failed(await check(Object.keys(checks)));
  if (name in checks) return failed(await check([name]));
  if (name === "test")
    return failed(printTotal(await runTests(args.length > 0 ? args : ["--project=!long"])));
  process.stderr.write(`run.mjs: no script ${JSON.stringify(name)}; see "scripts" in package.json\n`);
  return 2;
}

/** Set-up counts as a check of its own: a machine that cannot be set up is one failure. */
async function ci() {
  if (!trySetUp()) return { passed: 0, failed: 1 };
  const checked = await check(Object.keys(checks));
  const tested = await runTests(args);
  // All of the MCS suite, on 2 and on 3 clusters; `npm test` runs one spec of each kind.
  const conforms = (await launch(entries.conformance[0], ["mcs"])) === 0 ? 1 : 0;
  return {
    passed: 1 + checked.passed + tested.passed + conforms,
    failed: checked.failed + tested.failed + 1 - conforms,
  };
}

function failed(count) {
  return count.failed === 0 ? 0 : 1;
}

/** `npm run conformance -- SUITE …`: runs one suite and ends with `N passed, N failed`, alone on the last line. */
import { isHansaError } from "@hansa/core";
import { MCS_USAGE, runMcs } from "./mcs/run.ts";
import { runXds, USAGE as XDS_USAGE } from "./xds/run.ts";

const suites = {
  xds: { run: runXds, usage: XDS_USAGE },
  mcs: { run: runMcs, usage: MCS_USAGE },
} as const;

const print = (line: string) => process.stdout.write(`${line}\n`);
const [name = "", ...args] = process.argv.slice(2);
const suite = Object.hasOwn(suites, name) ? suites[name as keyof typeof suites] : undefined;

if (suite === undefined || args.includes("--help")) {
  const usages = suite === undefined ? Object.values(suites) : [suite];
  process.stderr.write(`${usages.map(({ usage }) => usage).join("\n\n")}\n`);
  process.exitCode = args.includes("--help") || name === "--help" ? 0 : 64;
} else {
  try {
    const { passed, failed } = await suite.run(args, print);
    print(`${passed} passed, ${failed} failed`);
    process.exitCode = failed === 0 ? 0 : 1;
  } catch (error) {
    if (!isHansaError(error)) throw error;
    process.stderr.write(`${error}\n`);
    process.exitCode = error.exitStatus;
  }
}

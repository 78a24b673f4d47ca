/** `npm run conformance -- SUITE …`: runs one suite and ends with `N passed, N failed`, alone on the last line. */
import { isHansaError } from "@hansa/core";
import { runXds, USAGE } from "./xds/run.ts";

const print = (line: string) => process.stdout.write(`${line}\n`);
const [suite, ...args] = process.argv.slice(2);

if (suite !== "xds" || args.includes("--help")) {
  process.stderr.write(`${USAGE}\n`);
  process.exitCode = args.includes("--help") || suite === "--help" ? 0 : 64;
} else {
  try {
    const { passed, failed } = await runXds(args, print);
    print(`${passed} passed, ${failed} failed`);
    process.exitCode = failed === 0 ? 0 : 1;
  } catch (error) {
    if (!isHansaError(error)) throw error;
    process.stderr.write(`${error}\n`);
    process.exitCode = error.exitStatus;
  }
}

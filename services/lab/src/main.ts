/**
 * The lab's entry: `up` supervises until it is told to end, `topology` validates and prints, `tour` is `npm start`.
 * Progress goes to stderr, results to stdout.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { CODES, HansaError, isHansaError } from "@hansa/core";
import { stringify } from "yaml";
import { type LabPaths, labPaths, makePrivate } from "../../../deploy/tools/lab-paths.ts";
import { AddressPlan, claimLab } from "./addresses.ts";
import { serveControl } from "./supervisor/control.ts";
import { Lab } from "./supervisor/lab.ts";
import { growTopology } from "./topology/grow.ts";
import { parseTopology } from "./topology/parse.ts";
import type { Topology } from "./topology/types.ts";

const DEFAULT_TOPOLOGY = new URL("./topology/default.yaml", import.meta.url);

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    file: { type: "string" },
    clusters: { type: "string" },
    output: { type: "string", default: "table" },
    check: { type: "boolean", default: false },
    report: { type: "string" },
  },
});

const progress = (message: string): void => void process.stderr.write(`${message}\n`);

function readTopology(): Topology {
  const text = readFileSync(options.file ?? DEFAULT_TOPOLOGY, "utf8");
  const topology = parseTopology(text, options.file ?? "default topology");
  return options.clusters === undefined ? topology : growTopology(topology, Number(options.clusters));
}

async function up(): Promise<void> {
  const topology = readTopology();
  const paths = labPaths();
  const { lab: octet, claim } = await claimLab();
  makePrivate(paths.state);
  forgetEarlierLab(paths);
  for (const folder of [paths.sockets, paths.logs]) makePrivate(folder);
  writeFileSync(paths.topology, stringify(topology), { mode: 0o600 });

  const lab = new Lab(topology, paths, new AddressPlan(octet), progress);
  let ending: Promise<void> | undefined;
  const end = (status: number): Promise<void> => {
    ending ??= (async () => {
      progress("ending the lab");
      await lab.down();
      control.close();
      control.closeAllConnections();
      claim.close();
      rmSync(paths.sockets, { recursive: true, force: true });
      // Another lab may get these addresses: who asks for this one must hear that it is gone.
      rmSync(paths.credentials, { force: true });
      process.exit(status);
    })();
    return ending;
  };
  const control = serveControl(lab, paths.control, () => void end(0));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => void end(0));
  try {
    await lab.up();
  } catch (error) {
    report(error);
    await end(isHansaError(error) ? error.exitStatus : 1);
  }
  progress(
    `ready: ${topology.clusters.length} clusters, ${lab.components().length} components; \`npx hansa lab status\` lists them`,
  );
}

/** All but the log that this very process may be writing to. */
function forgetEarlierLab(paths: LabPaths): void {
  for (const name of readdirSync(paths.state))
    if (join(paths.state, name) !== paths.supervisorLog)
      rmSync(join(paths.state, name), { recursive: true, maxRetries: 3 });
  rmSync(paths.sockets, { recursive: true, force: true });
}

function printTopology(): void {
  const topology = readTopology();
  const text =
    options.output === "json"
      ? `${JSON.stringify({ apiVersion: "hansa/v1", kind: "Topology", ...topology }, null, 2)}\n`
      : options.output === "table" && options.file === undefined && options.clusters === undefined
        ? readFileSync(DEFAULT_TOPOLOGY, "utf8")
        : stringify(topology);
  process.stdout.write(text);
}

function report(error: unknown): void {
  const known = isHansaError(error)
    ? error
    : new HansaError("HSA1011", (error as Error).stack ?? String(error));
  process.stderr.write(
    `error ${known.code} (${CODES[known.code].name}): ${known.message}\n  what to do: ${CODES[known.code].todo}\n`,
  );
  process.exitCode = known.exitStatus;
}

const commands: Record<string, () => Promise<void> | void> = {
  up,
  topology: printTopology,
  tour: async () => {
    const { runTour } = await import("./tour/tour.ts");
    process.exitCode = await runTour({ check: options.check, report: options.report });
  },
};

try {
  const command = commands[positionals[0] ?? ""];
  if (!command)
    throw new HansaError(
      "HSA1001",
      `${positionals[0] ?? "nothing"}: must be one of ${Object.keys(commands).join(", ")}`,
    );
  await command();
} catch (error) {
  report(error);
}

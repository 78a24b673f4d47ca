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
import { KubeLab } from "./kube/kube-lab.ts";
import { topologyManifests } from "./kube/workloads.ts";
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
    kube: { type: "boolean", default: false },
    kubernetes: { type: "boolean", default: false },
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

  const plan = new AddressPlan(octet);
  const lab = options.kube
    ? new KubeLab({ topology, paths, plan, progress })
    : new Lab(topology, paths, plan, progress);
  let ending: Promise<void> | undefined;
  const end = (status: number): Promise<void> => {
    ending ??= (async () => {
      progress("ending the lab");
      await lab.down();
      // Another lab may get these addresses: who asks for this one must hear that it is gone.
      rmSync(paths.credentials, { force: true });
      claim.close();
      // The control's socket is in here: `lab down` waits until nobody answers there, so it goes last.
      rmSync(paths.sockets, { recursive: true, force: true });
      process.exit(status);
    })();
    return ending;
  };
  serveControl(lab, paths.control, () => void end(0));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => void end(0));
  try {
    await lab.up();
  } catch (error) {
    report(error);
    await end(isHansaError(error) ? error.exitStatus : 1);
  }
  if (lab instanceof KubeLab) for (const line of lab.guide()) progress(line);
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

/** One YAML document per object, the clusters one after the other. */
function kubernetesText(topology: Topology): string {
  return topology.clusters
    .map(({ name }) => {
      const objects = topologyManifests(topology, name).map((object) => stringify(object));
      return `# kubectl --context ${name} apply -f -\n${objects.join("---\n")}`;
    })
    .join("---\n");
}

function printTopology(): void {
  const topology = readTopology();
  if (options.kubernetes) {
    const byCluster = Object.fromEntries(
      topology.clusters.map(({ name }) => [name, topologyManifests(topology, name)]),
    );
    const json = `${JSON.stringify(byCluster, null, 2)}\n`;
    process.stdout.write(options.output === "json" ? json : kubernetesText(topology));
    return;
  }
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

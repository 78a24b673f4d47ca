/** Runs the MCS specs on clusters of the lab, some at once, and prints one line per spec. */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { HansaError } from "@hansa/core";
import { root } from "../../../deploy/tools/paths.mjs";
import { type Clusters, startClusters } from "./clusters.ts";
import { report } from "./report.ts";
import type { McsRun, Spec, SpecResult } from "./spec.ts";
import { OPTIONAL } from "./specs/optional.ts";
import { REQUIRED } from "./specs/required.ts";
import { World } from "./world.ts";

export const SPECS: readonly Spec[] = [...REQUIRED, ...OPTIONAL];

export const MCS_USAGE = `usage: npm run conformance -- mcs [--clusters N[,N]] [--only ID[,ID]] [--label LABEL] [--write] [--suite BINARY [-- FLAG…]]
  --clusters  how many clusters, one run each (default 2,3)
  --only      specs by number
  --label     specs with this label: Required, Optional, DNS, Connectivity, …
  --write     writes docs/conformance.md
  --suite     also runs a built binary of the official suite on the same clusters, with the flags behind --`;

/** Specs have namespaces of their own, so they may overlap. */
const AT_ONCE = 3;

export async function runSpec(spec: Spec, { lab, names }: Clusters): Promise<SpecResult> {
  const startMs = performance.now();
  const world = new World(names.map((name) => lab.cluster(name)));
  let failure: Error | undefined;
  try {
    await world.open();
    await spec.run(world);
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error));
  }
  await world.close();
  return { spec, seconds: (performance.now() - startMs) / 1000, failure };
}

export async function runSpecs(
  specs: readonly Spec[],
  clusters: Clusters,
  print: (line: string) => void,
): Promise<SpecResult[]> {
  const waiting = [...specs];
  const results: SpecResult[] = [];
  const worker = async () => {
    for (let spec = waiting.shift(); spec !== undefined; spec = waiting.shift()) {
      const result = await runSpec(spec, clusters);
      results.push(result);
      const { failure, seconds } = result;
      const kind = spec.labels[0]!.toUpperCase().slice(0, 3);
      print(
        `${failure === undefined ? "ok  " : "FAIL"} ${spec.id.padStart(2)} ${kind} ${seconds.toFixed(1).padStart(5)} s  ${spec.title}`,
      );
      if (failure !== undefined) print(`     ${failure.message.replaceAll("\n", "\n     ")}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results.sort((a, b) => Number(a.spec.id) - Number(b.spec.id));
}

/** Answers the counts over all runs. */
export async function runMcs(
  args: readonly string[],
  print: (line: string) => void,
): Promise<{ passed: number; failed: number }> {
  const { counts, specs, write, suite, flags } = options(args);
  const runs: McsRun[] = [];
  for (const count of counts) {
    print(`# ${count} clusters`);
    const clusters = await startClusters(count, print);
    try {
      const results = await runSpecs(specs, clusters, print);
      const official =
        suite === undefined
          ? undefined
          : { binary: suite, exitCode: await runSuite([suite, ...flags], clusters, print) };
      runs.push({ clusters: count, results, suite: official });
    } finally {
      await clusters.close();
    }
  }
  if (write) writeReport(runs);
  const all = runs.flatMap(({ results }) => results);
  const suites = runs.flatMap(({ suite: official }) => official ?? []);
  const failed =
    all.filter(({ failure }) => failure !== undefined).length +
    suites.filter(({ exitCode }) => exitCode !== 0).length;
  return { passed: all.length + suites.length - failed, failed };
}

/** Laid out as `npm run lint` wants it. */
function writeReport(runs: readonly McsRun[]): void {
  const file = join(root, "docs/conformance.md");
  writeFileSync(file, report(runs));
  execFileSync(join(root, "node_modules/.bin/biome"), ["format", "--write", file], { stdio: "ignore" });
}

async function runSuite(
  [binary, ...flags]: readonly [string, ...string[]],
  { lab, names }: Clusters,
  print: (line: string) => void,
): Promise<number> {
  // It writes its reports where it stands.
  const cwd = mkdtempSync(join(tmpdir(), `hansa-mcs-${names.length}-`));
  print(`the official suite; its reports: ${cwd}`);
  const where = [`-contexts=${names.join(",")}`, `-kubeconfig=${lab.kube.kubeconfig}`, "--ginkgo.no-color"];
  const child = spawn(resolve(binary), [...where, ...flags], { stdio: "inherit", cwd });
  return await new Promise((done, reject) => {
    child.once("error", (cause) =>
      reject(new HansaError("HSA1002", `--suite ${binary}: ${cause.message}`, { cause })),
    );
    child.once("exit", (code) => done(code ?? 1));
  });
}

function options(args: readonly string[]) {
  const text = { type: "string" } as const;
  const end = args.indexOf("--");
  const own = end < 0 ? args : args.slice(0, end);
  const flags = args.slice(own.length + 1);
  const parse = () =>
    parseArgs({
      args: [...own],
      options: { clusters: text, only: text, label: text, suite: text, write: { type: "boolean" } },
    }).values;
  let values: ReturnType<typeof parse>;
  try {
    values = parse();
  } catch (error) {
    throw new HansaError("HSA1001", `${(error as Error).message}\n${MCS_USAGE}`);
  }
  const counts = (values.clusters ?? "2,3").split(",").map(Number);
  if (!counts.every((count) => count === 2 || count === 3))
    throw new HansaError("HSA1001", `--clusters ${values.clusters}: must be 2 or 3\n${MCS_USAGE}`);
  const ids = values.only?.split(",");
  const specs = SPECS.filter(
    ({ id, labels }) =>
      (ids === undefined || ids.includes(id)) &&
      (values.label === undefined || labels.some((label) => label === values.label)),
  );
  if (specs.length === 0) throw new HansaError("HSA1001", `no spec is left\n${MCS_USAGE}`);
  return { counts, specs, write: values.write === true, suite: values.suite, flags };
}

/**
 * A change of one endpoint in us → the ACK of each Envoy of eu, on a lab of three clusters: real agents and Envoys, one
 * real NATS that syncs each record to disk.
 *
 * The clock starts just before us's source file is replaced (write beside it, rename), with one replica's `ready`
 * turned, and stops when eu's agent has taken in the ACK of an Envoy for the resources built from us's record of that
 * change. Both are readings of CLOCK_MONOTONIC on one machine. The phase of the changes is random.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parse } from "yaml";
import { root } from "../../../deploy/tools/paths.mjs";
import type { Bench, BenchContext, Figure } from "../bench.ts";
import { BenchLab } from "../support/lab.ts";
import { monotonicMs, ms, quantile, seeded, sleep } from "../support/numbers.ts";
import { breakdown, type Change, type StageTimes, stagesOf } from "./stages.ts";

const PROBE = join(root, "test/bench/propagation/probe.ts");
const P50_MS = 10;
const P99_MS = 25;
const GAP_MIN_MS = 40;
const GAP_SPREAD_MS = 80;
const WARM_UP = 30;
/** Beats and snapshots that the start still causes. */
const QUIET_MS = 5000;

async function run({ seed, quick, log }: BenchContext): Promise<readonly Figure[]> {
  const changes = quick ? 40 : 400;
  const env = {
    NODE_OPTIONS: `--disable-warning=ExperimentalWarning --import=${pathToFileURL(PROBE).href}`,
    HANSA_BENCH_PROBE: probeFolder(),
  };
  const lab = await BenchLab.start(env, join(root, "test/bench/propagation/topology.yaml"));
  try {
    await lab.until(["lab", "call", "eu/shop/web", "pay", "-n", "20"], (json) => json.failed === 0);
    await sleep(quick ? 1000 : QUIET_MS);
    const made = await change(lab, changes + WARM_UP, seeded(seed));
    await sleep(1000);
    const times = stagesOf(made, readNotes("us"), readNotes("eu")).slice(WARM_UP);
    return [figure(times, changes, log)];
  } finally {
    await lab.down();
  }
}

let folder = "";
function probeFolder(): string {
  folder = join(process.env.TMPDIR ?? "/tmp", `hansa-probe-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Turns one replica of us back and forth; answers when. The file is written as a program would write it: as JSON. */
async function change(lab: BenchLab, count: number, random: () => number): Promise<Change[]> {
  const file = lab.sourceFile("us");
  const document: unknown = parse(readFileSync(file, "utf8"));
  const replica = replicaOf(document, "pay-1");
  if (replica === undefined) throw new Error(`${file}: no replica pay-1 with its readiness`);
  const made: Change[] = [];
  for (let number = 0; number < count; number++) {
    replica.ready = !replica.ready;
    const text = JSON.stringify(document);
    const startMs = monotonicMs();
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
    made.push({ startMs });
    await sleep(GAP_MIN_MS + GAP_SPREAD_MS * random());
  }
  return made;
}

interface Replica {
  readonly id: string;
  ready: boolean;
}

function replicaOf(value: unknown, id: string): Replica | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if ("id" in value && value.id === id && "ready" in value) return value as Replica;
  return Object.values(value)
    .map((inner) => replicaOf(inner, id))
    .find((found) => found !== undefined);
}

function readNotes(cluster: string) {
  const file = join(folder, `${cluster}.jsonl`);
  if (!existsSync(file)) throw new Error(`${file}: the agent wrote no notes`);
  return readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

function figure(times: readonly StageTimes[], changes: number, log: (line: string) => void): Figure {
  const acks = times.flatMap(({ acksMs }) => acksMs);
  const [p50, p99] = [quantile(acks, 0.5), quantile(acks, 0.99)];
  for (const line of breakdown(times)) log(`  ${line}`);
  const missing = changes - times.length;
  if (missing > 0) log(`  ${missing} changes were not acknowledged by themselves`);
  return {
    figure: `endpoint change in us's file → ACK of an Envoy of eu, 3 clusters with 7 Envoys on this machine, ${times.length} changes at random phase, ${acks.length} ACKs`,
    reach: `p50 ≤ ${P50_MS} ms, p99 ≤ ${P99_MS} ms`,
    measured: `p50 ${ms(p50)}, p99 ${ms(p99)}, max ${ms(Math.max(...acks))}`,
    peer: "not run: istiod's default debounce alone is 100 ms, Kuma's timers give 3 s",
    kept: p50 <= P50_MS && p99 <= P99_MS && missing === 0,
  };
}

export const bench: Bench = {
  name: "propagation",
  about: "an endpoint changes in one cluster's file; when have another's Envoys acknowledged it?",
  run,
};

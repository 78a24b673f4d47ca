/**
 * A change of an EndpointSlice in us's API server → the ACK of Envoys of eu, with 10, 1000 and 5000 services, for the one
 * Envoy that there is and for the slowest where 99 more streams want everything; and what the agents cost meanwhile.
 *
 * The clock starts just before the API server is asked and stops when eu's agent has taken in the ACK. Both are readings of
 * CLOCK_MONOTONIC on one machine. The phase of the changes is random.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Bench, BenchContext, Figure } from "../bench.ts";
import { breakdown, type Change, type StageTimes, stagesOf } from "../propagation/stages.ts";
import { monotonicMs, ms, quantile, seeded, sleep } from "../support/numbers.ts";
import { type CpuShare, cpuOfDescendants, cpuShare, residentMib } from "../support/process.ts";
import { goPrograms } from "../xds/go-programs.ts";
import { CLIENT_CORE, Program } from "../xds/program.ts";
import { CLUSTERS, KubeWorld, turnedKey } from "./world.ts";

const P50_MS = 12;
const P99_MS = 25;
const SLOWEST_MS = 60;
const GROWTH = 0.2;
const IDLE_SHARE = 0.02;
const RESIDENT_MIB = 220;
const STREAMS = 100;
const GAP_MIN_MS = 40;
const GAP_SPREAD_MS = 80;
const WARM_UP = 30;
const QUIET_MS = 10_000;
/** Of a core: processes below it are not told. */
const TOLD_SHARE = 0.02;

/** What changes took; `missing` were not acknowledged. */
interface Turned {
  readonly times: readonly StageTimes[];
  readonly missing: number;
}

interface Sample {
  readonly services: number;
  readonly one: Turned;
  readonly hundred: Turned;
}

async function run(context: BenchContext): Promise<readonly Figure[]> {
  const counts = onlyOf(process.env.HANSA_BENCH_SERVICES) ?? (context.quick ? [10] : [10, 1000, 5000]);
  const idleMs = context.quick ? 5000 : 60_000;
  const world = await KubeWorld.start();
  try {
    const samples: Sample[] = [];
    let costs: Figure[] = [];
    for (const services of counts) {
      const startMs = performance.now();
      await world.grow(services);
      context.log(`  ${services} services: all written after ${ms(performance.now() - startMs)}`);
      await sleep(QUIET_MS);
      costs = await costsOf(world, services, idleMs);
      const one = await turns(world, services, context, "one");
      const fleet = await follow(world, services);
      await sleep(QUIET_MS);
      const hundred = await turns(world, services, context, `${STREAMS}`);
      await fleet.end();
      samples.push({ services, one, hundred });
    }
    return [...samples.flatMap((sample) => figuresOf(sample, samples[0]!)), ...costs];
  } finally {
    await world.stop();
  }
}

/** For looking closer: HANSA_BENCH_SERVICES=10,1000. */
const onlyOf = (text: string | undefined): number[] | undefined => text?.split(",").map(Number);

/** 99 streams beside the Envoy's, each of a pod of its own. */
async function follow(world: KubeWorld, services: number): Promise<Program> {
  const count = STREAMS - 1;
  const [roots, callers] = ["roots.pem", "callers"].map((name) => join(world.rig.folder, name));
  writeFileSync(roots!, await world.doorRoots());
  writeFileSync(callers!, await world.callers(count), { mode: 0o600 });
  const { load } = goPrograms();
  const of = ["--streams", `${count}`, "--names", `${services}`, "--ca", roots!, "--callers", callers!];
  const fleet = new Program([load, "--target", world.doorAddress, ...of], CLIENT_CORE);
  fleet.tell("follow");
  await fleet.answer();
  return fleet;
}

/** Turns endpoints of services at random, never the same one twice in a row. */
async function turns(
  world: KubeWorld,
  services: number,
  { seed, quick, log }: BenchContext,
  what: string,
): Promise<Turned> {
  const random = seeded(seed);
  const made: Change[] = [];
  const count = quick ? 20 : 300;
  const used = cpuOfDescendants();
  const beginMs = monotonicMs();
  for (let number = 0, index = 0; number < WARM_UP + count; number += 1) {
    index = (index + 1 + Math.floor(random() * (services - 1))) % services;
    const startMs = monotonicMs();
    await world.turn(index);
    made.push({ startMs, key: turnedKey(index) });
    await sleep(GAP_MIN_MS + GAP_SPREAD_MS * random());
  }
  const shares = used((monotonicMs() - beginMs) / 1000);
  await sleep(1000);
  const notes = (name: "eu" | "us") => world.notes(name, beginMs);
  const times = stagesOf(made.slice(WARM_UP), notes("us"), notes("eu"), "ep");
  log(`  ${services} services, ${what} of the streams: ${times.length} of ${count} changes acknowledged`);
  for (const line of breakdown(times)) log(`    ${line}`);
  log(
    `    of a core meanwhile: ${shares
      .filter(({ share }) => share > TOLD_SHARE)
      .map(textOf)
      .join(", ")}`,
  );
  return { times, missing: count - times.length };
}

const textOf = ({ name, share }: CpuShare): string => `${name} ${(share * 100).toFixed(0)} %`;

const acksOf = ({ times }: Turned): number[] => times.flatMap(({ acksMs }) => acksMs);
const without = ({ missing }: Turned): string => (missing === 0 ? "" : `, ${missing} never acknowledged`);

function figuresOf({ services, one, hundred }: Sample, few: Sample): Figure[] {
  const p50 = quantile(acksOf(one), 0.5);
  const p99 = quantile(acksOf(one), 0.99);
  const growth = p50 / quantile(acksOf(few.one), 0.5) - 1;
  const slowest = hundred.times.map(({ totalMs }) => totalMs);
  const p99Slowest = quantile(slowest, 0.99);
  const isFirst = services === few.services;
  return [
    {
      figure: `EndpointSlice changed in us's API server → ACK of an Envoy of eu, ${services} services, ${one.times.length} changes at random phase`,
      reach: `p50 ≤ ${P50_MS} ms, p99 ≤ ${P99_MS} ms${isFirst ? "" : `, p50 ≤ +${GROWTH * 100} % of ${few.services} services`}`,
      measured: `p50 ${ms(p50)}, p99 ${ms(p99)}${isFirst ? "" : `, p50 ${(growth * 100).toFixed(0)} % more`}${without(one)}`,
      peer: "not run: istiod 105/109 ms, Kuma 3.0/4.8 s by default",
      kept: p50 <= P50_MS && p99 <= P99_MS && growth <= GROWTH && one.missing === 0,
    },
    {
      figure: `the same → the last ACK of ${STREAMS} streams`,
      reach: `p99 ≤ ${SLOWEST_MS} ms`,
      measured: `p50 ${ms(quantile(slowest, 0.5))}, p99 ${ms(p99Slowest)}${without(hundred)}`,
      kept: p99Slowest <= SLOWEST_MS && hundred.missing === 0,
    },
  ];
}

/** Of the agents, nothing changing. */
async function costsOf(world: KubeWorld, services: number, idleMs: number): Promise<Figure[]> {
  const pids = CLUSTERS.map((name) => world.pid(name));
  const shares = await cpuShare(pids, idleMs);
  const resident = pids.map(residentMib);
  const percent = shares.map((share) => `${(share * 100).toFixed(1)} %`);
  return [
    {
      figure: `an agent's CPU while nothing changes, ${services} services, ${idleMs / 1000} s`,
      reach: `≤ ${IDLE_SHARE * 100} % of a core`,
      measured: `${CLUSTERS.map((name, index) => `${name} ${percent[index]}`).join(", ")}`,
      peer: "not run: Kuma 1.5 cores at 5000 services",
      kept: shares.every((share) => share <= IDLE_SHARE),
    },
    {
      figure: `an agent's memory (RSS), ${services} services of one pod`,
      reach: `≤ ${RESIDENT_MIB} MiB`,
      measured: `${CLUSTERS.map((name, index) => `${name} ${resident[index]?.toFixed(0)} MiB`).join(", ")}`,
      kept: resident.every((mib) => mib <= RESIDENT_MIB),
    },
  ];
}

export const bench: Bench = {
  name: "kube",
  about:
    "an EndpointSlice changes in one cluster's API server; when have another cluster's Envoys acknowledged it?",
  run,
};

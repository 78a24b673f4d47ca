/**
 * Istio's published multi-cluster workload: 10 clusters of 300 services and 4 000 endpoints each in one flat network.
 * Ten writers have written their signed logs into a real nats-server; one real agent with its real Envoy starts and
 * reads them. Then 100 changes a second go on, and at last one cluster writes as much as it is granted.
 */
import type { Child } from "../../../deploy/tools/child.ts";
import type { Bench, BenchContext, Figure } from "../bench.ts";
import { ms, quantile, seeded, sleep, until } from "../support/numbers.ts";
import { AgentUnderTest } from "./process.ts";
import { GRANTED, ScaleWorld } from "./world.ts";
import { type Carried, ClusterWriter, ENDPOINTS, SERVICES } from "./writer.ts";

const CLUSTERS = 10;
const BOOTSTRAP_MS = 10_000;
const BYTES_PER_ENDPOINT = 4500;
const CHANGES_PER_SECOND = 100;
const P99_MS = 250;
/** Every cluster shares half of its services with all others. */
const NAMES = SERVICES / 2 + (CLUSTERS * SERVICES) / 2;
const BEAT_MS = 2000;
const GIVE_UP_MS = 60_000;
/** Grant of the cluster that uses all of it: its records are full, on both lanes. */
const NOISY = { ...GRANTED, recordsPerSecond: 10 };
const LANES = 2;

interface Parts {
  readonly world: ScaleWorld;
  readonly writers: readonly ClusterWriter[];
  readonly context: BenchContext;
}

async function run(context: BenchContext): Promise<readonly Figure[]> {
  const world = await ScaleWorld.start();
  const stops: (() => unknown)[] = [() => world.stop()];
  try {
    const local = await world.admit("eu", 100);
    const empty = await emptyMemory(world, local);
    context.log(`  empty agent: ${mib(empty)}`);
    const writers: ClusterWriter[] = [];
    for (let number = 1; number <= CLUSTERS; number++) {
      const quotas = number === 1 ? NOISY : GRANTED;
      const member = await world.admit(`c${number}`, number, quotas);
      writers.push(new ClusterWriter(member, await world.connect(member), world.fingerprint));
    }
    await Promise.all(writers.map((writer) => writer.writeAll()));
    const beats = setInterval(() => void Promise.all(writers.map((writer) => writer.beat())), BEAT_MS);
    stops.unshift(() => clearInterval(beats));
    const parts = { world, writers, context };

    const agent = AgentUnderTest.start(world, local, "full", nodeFlags());
    stops.unshift(() => agent.stop());
    const envoy = await agent.envoy();
    stops.unshift(() => envoy.stop());
    const bootstrap = await bootstrapped(parts, agent);
    const memory = await endpointMemory(parts, agent, empty);
    if (process.env.HANSA_BENCH_ONLY === "bootstrap") return [bootstrap, memory];
    const steady = await underChanges(parts, agent);
    const noisy = await besideNoise(parts, agent);
    return [bootstrap, memory, steady, noisy];
  } finally {
    for (const stop of stops) await stop();
  }
}

/** For looking closer: HANSA_BENCH_NODE_FLAGS="--cpu-prof --cpu-prof-dir=…". */
const nodeFlags = (): string[] =>
  (process.env.HANSA_BENCH_NODE_FLAGS ?? "").split(" ").filter((flag) => flag !== "");

const bytesOf = ({ heapUsed, external }: { heapUsed: number; external: number }): number =>
  heapUsed + external;
const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** The same agent with its Envoy in a federation of its own alone. */
async function emptyMemory(
  world: ScaleWorld,
  local: Parameters<typeof AgentUnderTest.start>[1],
): Promise<number> {
  const agent = AgentUnderTest.start(world, local, "empty");
  let envoy: Child | undefined;
  try {
    envoy = await agent.envoy();
    await until("the empty agent serves", () => agent.reached.length > 0, 20_000);
    return bytesOf(await agent.memory());
  } finally {
    await envoy?.stop();
    await agent.stop();
  }
}

const headsOf = (writers: readonly ClusterWriter[]): Record<string, number> =>
  Object.assign({}, ...writers.map((writer) => writer.heads()));

async function bootstrapped({ writers, context }: Parts, agent: AgentUnderTest): Promise<Figure> {
  const heads = headsOf(writers);
  // The agent's own service has two of them: its callers' and its application's.
  const [clusters, endpoints] = [NAMES + 2, CLUSTERS * ENDPOINTS + 2];
  let holds = await agent.envoyHolds();
  while (!(holds.clusters === clusters && holds.endpoints === endpoints)) {
    if (performance.now() - agent.startedMs > GIVE_UP_MS) break;
    await sleep(50);
    holds = await agent.envoyHolds();
  }
  const tookMs = performance.now() - agent.startedMs;
  await until(
    "the Envoy has acknowledged everything",
    () => agent.reachedAt(heads) !== undefined,
    GIVE_UP_MS,
  );
  const cpuMs = await agent.cpuMs();
  context.log(
    `  Envoy holds ${holds.clusters} clusters, ${holds.endpoints} endpoints; agent's CPU so far ${ms(cpuMs)}`,
  );
  const whole = holds.clusters === clusters && holds.endpoints === endpoints;
  return {
    figure: `agent's process started → its Envoy holds all of ${CLUSTERS} clusters × ${SERVICES} services × ${ENDPOINTS} endpoints`,
    reach: `< ${BOOTSTRAP_MS / 1000} s`,
    measured: `${(tookMs / 1000).toFixed(1)} s, Envoy holds ${holds.clusters} clusters and ${holds.endpoints} endpoints`,
    peer: "not run: Cilium's documented bootstrap > 5 min at 100+ clusters",
    kept: whole && tookMs < BOOTSTRAP_MS,
  };
}

async function endpointMemory(_: Parts, agent: AgentUnderTest, empty: number): Promise<Figure> {
  await sleep(1000);
  const memory = await agent.memory();
  const each = (bytesOf(memory) - empty) / (CLUSTERS * ENDPOINTS);
  return {
    figure: `memory per endpoint in the agent: heap and external after GC, less an empty agent's, by ${CLUSTERS * ENDPOINTS}`,
    reach: `≤ ${BYTES_PER_ENDPOINT / 1000} KB`,
    measured: `${(each / 1000).toFixed(2)} KB (${mib(bytesOf(memory))} in all, RSS ${mib(memory.rss)})`,
    peer: "not run: istiod 45 KB (180 MB per such cluster, Istio's own figure)",
    kept: each <= BYTES_PER_ENDPOINT,
  };
}

/** Flips of endpoints of `writers` for a while; answers how long each took to the ACK. */
async function flips(
  agent: AgentUnderTest,
  writers: readonly ClusterWriter[],
  random: () => number,
  seconds: number,
): Promise<{ readonly tookMs: number[]; readonly lost: number }> {
  for (const writer of writers) writer.carried.length = 0;
  const end = performance.now() + seconds * 1000;
  let sent = 0;
  for (let dueMs = performance.now(); dueMs < end; dueMs += (2000 * random()) / CHANGES_PER_SECOND) {
    const waitMs = dueMs - performance.now();
    if (waitMs > 1) await sleep(waitMs);
    (writers[Math.floor(random() * writers.length)] as ClusterWriter).flip(Math.floor(random() * ENDPOINTS));
    sent += 1;
  }
  const carried = () => writers.flatMap((writer) => writer.carried);
  const acked = () => carried().flatMap((change) => ackOf(agent, change) ?? []);
  await until("all changes are acknowledged", () => acked().length === sent, 10_000).catch(() => {});
  const tookMs = acked();
  return { tookMs, lost: sent - tookMs.length };
}

function ackOf(agent: AgentUnderTest, { log, seq, startMs }: Carried): number | undefined {
  const notes = agent.reached;
  let low = 0;
  let high = notes.length;
  // Heads only grow: the first note that covers the record is found by halving.
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((notes[middle]?.heads?.[log] ?? 0) >= seq) high = middle;
    else low = middle + 1;
  }
  const note = notes[low];
  return note === undefined ? undefined : note.atMs - startMs;
}

async function underChanges({ writers, context }: Parts, agent: AgentUnderTest): Promise<Figure> {
  const random = seeded(context.seed);
  await flips(agent, writers, random, context.quick ? 1 : 5);
  const beforeMs = await agent.cpuMs();
  const seconds = context.quick ? 5 : 45;
  const { tookMs, lost } = await flips(agent, writers, random, seconds);
  const cpuMs = (await agent.cpuMs()) - beforeMs;
  const [p50, p99] = [quantile(tookMs, 0.5), quantile(tookMs, 0.99)];
  return {
    figure: `the same under ${CHANGES_PER_SECOND} changes/s of all clusters, ${seconds} s: change → record signed, stored, folded, ACK`,
    reach: `p99 ≤ ${P99_MS} ms`,
    measured: `p50 ${ms(p50)}, p99 ${ms(p99)}, max ${ms(Math.max(...tookMs))} of ${tookMs.length} (${lost} lost); ${ms(cpuMs / tookMs.length)} of the agent's CPU for each`,
    kept: p99 <= P99_MS && lost === 0,
  };
}

/** Quiet and noisy stretches in turn; the noisy cluster's own changes are not counted in either. */
async function besideNoise({ writers, context }: Parts, agent: AgentUnderTest): Promise<Figure> {
  const [noisy, ...others] = writers as [ClusterWriter, ...ClusterWriter[]];
  const random = seeded(context.seed + 1);
  const quiet: number[] = [];
  const beside: number[] = [];
  let full = 0;
  let noisyMs = 0;
  const seconds = context.quick ? 3 : 6;
  const rounds = context.quick ? 1 : 4;
  const beforeMs = await agent.cpuMs();
  for (let round = 0; round < rounds; round++) {
    quiet.push(...(await flips(agent, others, random, seconds)).tookMs);
    let on = true;
    const startMs = performance.now();
    const noise = (async () => {
      for (let sent = 0; on; sent++) {
        const waitMs = startMs + (sent * 1000 * LANES) / NOISY.recordsPerSecond - performance.now();
        if (waitMs > 1) await sleep(waitMs);
        await noisy.fullRecord(sent * 99);
        full += 1;
      }
    })();
    beside.push(...(await flips(agent, others, random, seconds)).tookMs);
    on = false;
    await noise;
    noisyMs += performance.now() - startMs;
    await sleep(500);
  }
  const cpuMs = (await agent.cpuMs()) - beforeMs;
  const [alone, noised] = [quantile(quiet, 0.99), quantile(beside, 0.99)];
  context.log(
    `  noise: p50 ${ms(quantile(quiet, 0.5))} → ${ms(quantile(beside, 0.5))}; agent's CPU ${ms(cpuMs)}`,
  );
  return {
    figure: `others' p99 while one cluster writes what it is granted: ${Math.round((LANES * full * 1000) / noisyMs)} of ${NOISY.recordsPerSecond} records/s, 99 events each`,
    reach: "≤ 2×",
    measured: `${(noised / alone).toFixed(2)}× (${ms(alone)} → ${ms(noised)}, ${rounds} quiet and noisy stretches in turn)`,
    kept: noised <= 2 * alone,
  };
}

export const bench: Bench = {
  name: "scale",
  about: "one agent in a flat federation of 10 clusters with 40 000 endpoints",
  run,
};

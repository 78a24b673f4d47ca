/** One run: turbulence chosen by the seed, then quiet, then everyone must agree. */

import { CALM } from "./faults.ts";
import { World } from "./federation-world.ts";
import { HUB_FAULTS } from "./hub/hub-faults.ts";
import { FAULTS, pick } from "./turbulence.ts";

const TURBULENT_MS = 90_000;
/** Of all faults, how many are the hub's and its archive's. */
const HUB_SHARE = 0.2;
/** Snapshots on a want come at most every 30 s; two rounds of them, and leases. */
const QUIET_MAX_MS = 120_000;

export interface RunResult {
  readonly seed: number;
  /** Everything that happened, in one line: equal lines are equal runs. */
  readonly trace: string;
  readonly quietMs: number;
  readonly stored: number;
}

/** A third of the seeds with a stream so small that records age out all the time. */
export const newWorld = (seed: number): World =>
  new World(seed, { clusters: 4, recordsPerLogMax: seed % 3 === 0 ? 6 : 64, twins: seed % 2 === 0 });

/** Throws at the first broken invariant, with the seed and the time. */
export async function runFederation(seed: number, world = newWorld(seed)): Promise<RunResult> {
  const { kernel } = world;
  try {
    begin(world);
    if (seed % 4 === 1) kernel.schedule(5000, () => world.startHostile());
    scheduleFaults(world);
    scheduleChanges(world);
    await runChecked(world, TURBULENT_MS);
    calm(world);
    const fromMs = kernel.nowMs;
    while (world.divergence() !== undefined && kernel.nowMs - fromMs < QUIET_MAX_MS)
      await runChecked(world, 500);
    const left = world.divergence();
    if (left !== undefined) throw new Error(`no agreement after ${QUIET_MAX_MS} ms of quiet: ${left}`);
    const quietMs = kernel.nowMs - fromMs;
    if (seed % 2 === 0) await oneDies(world);
    const trace = `${kernel.steps} ${kernel.nowMs} ${world.ledger.stored} ${world.digest()}`;
    return { seed, trace, quietMs, stored: world.ledger.stored };
  } catch (error) {
    throw new Error(
      `seed ${seed} at ${kernel.nowMs} ms: ${error instanceof Error ? error.message : String(error)}`,
      {
        cause: error,
      },
    );
  }
}

async function runChecked(world: World, durationMs: number): Promise<void> {
  const endMs = world.kernel.nowMs + durationMs;
  while (world.kernel.nowMs < endMs) {
    await world.kernel.runFor(Math.min(100, endMs - world.kernel.nowMs));
    if (world.failure !== undefined) throw world.failure;
  }
}

function begin(world: World): void {
  world.startHub();
  for (const cluster of world.clusters.slice(0, -1)) {
    world.startAgent(cluster);
    for (let n = 0; n < 5; n += 1) world.change(cluster);
  }
  // The first two from the start, the rest joins in the middle: their records wait for their memberships.
  for (const [index, cluster] of world.present.entries())
    world.kernel.schedule(index < 2 ? 100 : world.random.float() * TURBULENT_MS, () => world.admit(cluster));
}

function scheduleChanges(world: World): void {
  const next = (): void => {
    if (world.kernel.nowMs > TURBULENT_MS) return;
    world.change(pick(world));
    world.kernel.schedule(world.random.float() * 1500, next);
  };
  world.kernel.schedule(1000, next);
}

function scheduleFaults(world: World): void {
  const next = (): void => {
    if (world.kernel.nowMs > TURBULENT_MS) return;
    const faults = world.random.chance(HUB_SHARE) ? HUB_FAULTS : FAULTS;
    const fault = faults[world.random.below(faults.length)]!;
    fault(world, 200 + world.random.float() ** 2 * 30_000);
    world.kernel.schedule(500 + world.random.float() * 6000, next);
  };
  world.kernel.schedule(3000, next);
}

/** All faults end: what is dead comes back, what is stopped goes on, what is cut is whole. */
function calm(world: World): void {
  world.quiet = true;
  world.broker.faults = CALM;
  if (!world.broker.up) world.broker.start();
  for (const cluster of world.present) {
    world.killTwin(cluster);
    world.setGateway(cluster, true);
    cluster.netUp = true;
    cluster.running?.held.dieAfter(Number.POSITIVE_INFINITY);
    cluster.running?.machine.resume();
    world.startAgent(cluster);
    cluster.running?.bus.heal();
  }
  world.headquarters.calm();
  // One that was not there before has to find everything too.
  const late = world.clusters.at(-1);
  if (late !== undefined && world.random.chance(0.3)) {
    world.startAgent(late);
    world.change(late);
  }
  for (const cluster of world.present) {
    world.admit(cluster);
    world.setMember(cluster, true);
  }
  // In a stream that keeps next to nothing an operator helps whoever cannot ask yet (`hansa want hub`).
  if (world.recordsPerLogMax < 64)
    for (const atMs of [20_000, 60_000])
      world.kernel.schedule(atMs, () =>
        world.present.find(({ running }) => running?.core.own.isSynced)?.running?.core.want("hub"),
      );
}

/** After the quiet: silence empties nothing, death is noticed, and the past repeated brings nobody back to life. */
async function oneDies(world: World): Promise<void> {
  // So that every beat was heard once.
  await runChecked(world, 5000);
  const victim = pick(world);
  const wholly = world.random.chance(0.5);
  world.killAgent(victim);
  if (wholly) world.setGateway(victim, false);
  for (let second = 0; second < 16; second += 1) {
    world.broker.echo(2);
    await runChecked(world, 1000);
  }
  const expected = wholly ? "lost" : "stale";
  for (const { name, running } of world.present) {
    const state = running?.core.watch.link(victim.name)?.state;
    if (running !== undefined && state !== expected)
      throw new Error(`${name} calls ${victim.name} ${state}, which is ${expected}`);
  }
  const forgotten = world.forgotten(victim);
  if (forgotten !== undefined) throw new Error(forgotten);
}

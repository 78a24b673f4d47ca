/** One run: turbulence chosen by the seed, then quiet, then everyone must agree. */

import type { Cluster } from "./cluster.ts";
import { CALM, type Faults } from "./faults.ts";
import { World } from "./federation-world.ts";
import { HUB_FAULTS } from "./hub/hub-faults.ts";

const TURBULENT_MS = 90_000;
/** Of all faults, how many are the hub's and its archive's. */
const HUB_SHARE = 0.25;
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
    const trace = `${kernel.steps} ${kernel.nowMs} ${world.ledger.stored} ${world.digest()}`;
    return { seed, trace, quietMs: kernel.nowMs - fromMs, stored: world.ledger.stored };
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

const pick = ({ present, random }: World): Cluster => present[random.below(present.length)]!;

type Fault = (world: World, durationMs: number) => void;

const FAULTS: readonly Fault[] = [
  // An agent dies, sometimes with its disk.
  (world, durationMs) => {
    const cluster = pick(world);
    world.killAgent(cluster, world.random.chance(0.25));
    world.kernel.schedule(durationMs, () => world.startAgent(cluster));
  },
  // An agent and its gateway die together.
  (world, durationMs) => {
    const cluster = pick(world);
    world.setGateway(cluster, false);
    world.killAgent(cluster, false);
    world.kernel.schedule(durationMs, () => {
      world.setGateway(cluster, true);
      world.startAgent(cluster);
    });
  },
  // An agent is stopped and goes on later as if nothing had been.
  (world, durationMs) => {
    const machine = pick(world).running?.machine;
    machine?.pause();
    world.kernel.schedule(durationMs, () => machine?.resume());
  },
  // A stopped agent is replaced, and comes back beside its replacement. In half of the seeds: what two writers do by
  // mistake excuses more than what one does.
  (world, durationMs) => {
    const cluster = pick(world);
    const machine = cluster.running?.machine;
    if (machine === undefined || cluster.twin !== undefined || !world.twins) return;
    machine.pause();
    world.startTwin(cluster);
    world.kernel.schedule(durationMs, () => machine.resume());
    world.kernel.schedule(durationMs + 3000, () => world.killTwin(cluster));
  },
  // A link is cut, or hears no answers.
  (world, durationMs) => {
    const bus = world.random.chance(0.3) ? world.hub?.bus : pick(world).running?.bus;
    if (world.random.chance(0.5)) bus?.cut();
    else bus?.deafen();
    world.kernel.schedule(durationMs, () => bus?.heal());
  },
  // The hub dies.
  (world, durationMs) => {
    world.killHub();
    world.kernel.schedule(durationMs, () => {
      if (world.hub === undefined) world.startHub();
    });
  },
  (world, durationMs) => {
    const machine = world.hubMachine;
    machine?.pause();
    world.kernel.schedule(durationMs, () => machine?.resume());
  },
  // The server restarts, sometimes with nothing left.
  (world, durationMs) => {
    if (!world.broker.up) return;
    world.broker.stop();
    if (world.random.chance(0.3)) world.broker.wipe();
    world.kernel.schedule(durationMs / 2, () => world.broker.start());
  },
  // The network is bad for a while.
  (world, durationMs) => {
    world.broker.faults = turbulence(world);
    world.kernel.schedule(durationMs, () => {
      world.broker.faults = CALM;
    });
  },
];

function turbulence({ random }: World): Faults {
  return {
    delayMaxMs: 2 + random.float() * 200,
    loseRequest: random.float() * 0.05,
    loseAnswer: random.float() * 0.05,
    late: random.float() * 0.05,
    loseTail: random.float() * 0.2,
    repeatTail: random.float() * 0.2,
    reorderTail: random.float() * 0.3,
    reorderMaxMs: random.float() * 800,
  };
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
  world.broker.faults = CALM;
  if (!world.broker.up) world.broker.start();
  for (const cluster of world.present) {
    world.killTwin(cluster);
    world.setGateway(cluster, true);
    cluster.running?.machine.resume();
    world.startAgent(cluster);
    cluster.running?.bus.heal();
  }
  world.headquarters.calm();
  for (const cluster of world.present) if (!world.isAdmitted(cluster)) world.admit(cluster);
}

/** What may happen to agents, their machines, their ways and the bus. */

import type { Cluster } from "./cluster.ts";
import { CALM, type Faults } from "./faults.ts";
import type { World } from "./federation-world.ts";
import { HUB_FAULTS } from "./hub/hub-faults.ts";
import { Left } from "./left.ts";

const HOUR_MS = 3_600_000;

/** Begins now; ends after a while by itself, or when all faults end. */
export type Fault = (world: World, durationMs: number) => void;

export const pick = ({ present, random }: World): Cluster => present[random.below(present.length)]!;

/** Unless all faults have ended by then. */
const later = (world: World, delayMs: number, run: () => void): void => {
  world.kernel.schedule(delayMs, () => {
    if (!world.quiet) run();
  });
};

const MACHINES: readonly Fault[] = [
  // An agent dies, sometimes with its disk.
  (world, durationMs) => {
    const cluster = pick(world);
    world.killAgent(cluster, world.random.chance(0.25));
    later(world, durationMs, () => world.startAgent(cluster));
  },
  // It dies in the middle of one of its next writes.
  (world, durationMs) => {
    const cluster = pick(world);
    cluster.running?.held.dieAfter(world.random.below(12));
    later(world, durationMs, () => world.startAgent(cluster));
  },
  // Its machine loses power: what was not synced is gone.
  (world, durationMs) => {
    const cluster = pick(world);
    world.killAgent(cluster);
    cluster.left.powerCut(world.random);
    later(world, durationMs / 2, () => world.startAgent(cluster));
  },
  // Its machine comes back as it once was.
  (world, durationMs) => {
    const cluster = pick(world);
    const copy = Left.copyOf(cluster.left);
    later(world, durationMs, () => {
      world.killAgent(cluster);
      cluster.left = copy;
      world.startAgent(cluster);
    });
  },
  // Agent and gateway die together.
  (world, durationMs) => {
    const cluster = pick(world);
    world.setGateway(cluster, false);
    world.killAgent(cluster);
    later(world, durationMs, () => {
      world.setGateway(cluster, true);
      world.startAgent(cluster);
    });
  },
  // An agent is stopped and goes on later as if nothing had been.
  (world, durationMs) => {
    const machine = pick(world).running?.machine;
    machine?.pause();
    later(world, durationMs, () => machine?.resume());
  },
  // A stopped agent is replaced, and comes back beside its replacement; then they take turns. In half of the seeds: what
  // two writers do by mistake excuses more than what one does.
  (world, durationMs) => {
    const cluster = pick(world);
    const machine = cluster.running?.machine;
    if (machine === undefined || cluster.twin !== undefined || !world.twins) return;
    const { random } = world;
    machine.pause();
    world.startTwin(cluster);
    const twin = cluster.twin as Cluster["twin"];
    later(world, durationMs, () => machine.resume());
    if (random.chance(0.5)) {
      later(world, durationMs * 0.7, () => twin?.machine.pause());
      later(world, durationMs + 2000, () => twin?.machine.resume());
    }
    later(world, durationMs + 3000 * (1 + random.below(4)), () => world.killTwin(cluster));
  },
];

const CLOCKS: readonly Fault[] = [
  // A wall clock jumps by an hour.
  (world) => world.jump(pick(world), world.random.chance(0.5) ? HOUR_MS : -HOUR_MS),
  // It is set back while the agent is down.
  (world, durationMs) => {
    const cluster = pick(world);
    world.killAgent(cluster);
    world.jump(cluster, -HOUR_MS);
    later(world, durationMs / 2, () => world.startAgent(cluster));
  },
];

const WAYS: readonly Fault[] = [
  // A link is cut, or hears no answers, or is not heard.
  (world, durationMs) => {
    const bus = world.random.chance(0.3) ? world.hub?.bus : pick(world).running?.bus;
    const how = world.random.below(3);
    if (how === 0) bus?.cut();
    else if (how === 1) bus?.deafen();
    else bus?.mute();
    later(world, durationMs, () => bus?.heal());
  },
  // A link comes and goes.
  (world) => {
    const bus = pick(world).running?.bus;
    for (let flap = 0; flap < 8; flap += 1) {
      const atMs = flap * 1200 + world.random.float() * 400;
      later(world, atMs, () => bus?.cut());
      later(world, atMs + world.random.float() * 800, () => bus?.heal());
    }
  },
  // A cluster is cut off from everything.
  (world, durationMs) => {
    const cluster = pick(world);
    cluster.netUp = false;
    cluster.running?.bus.cut();
    later(world, durationMs, () => {
      cluster.netUp = true;
      cluster.running?.bus.heal();
    });
  },
];

const BUS: readonly Fault[] = [
  // The server restarts, sometimes with nothing left.
  (world, durationMs) => {
    const { broker, random } = world;
    if (!broker.up) return;
    broker.stop();
    if (random.chance(0.3)) broker.wipe();
    later(world, durationMs / 2, () => broker.start());
  },
  // The network is bad for a while.
  (world, durationMs) => {
    world.broker.faults = badNetwork(world);
    later(world, durationMs, () => {
      world.broker.faults = CALM;
    });
  },
  // What was said long ago is heard once more.
  ({ broker, random }) => broker.echo(1 + random.below(40)),
];

function badNetwork({ random }: World): Faults {
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

const MEMBERS: readonly Fault[] = [
  // A cluster leaves and comes back under the same key.
  (world, durationMs) => {
    const cluster = pick(world);
    world.setMember(cluster, false);
    later(world, durationMs, () => world.setMember(cluster, true));
  },
];

const HUB: readonly Fault[] = [
  (world, durationMs) => {
    world.killHub();
    later(world, durationMs, () => {
      if (world.hub === undefined) world.startHub();
    });
  },
  (world, durationMs) => {
    const machine = world.hubMachine;
    machine?.pause();
    later(world, durationMs, () => machine?.resume());
  },
];

export const FAULTS: readonly Fault[] = [
  ...MACHINES,
  ...CLOCKS,
  ...WAYS,
  ...BUS,
  ...MEMBERS,
  ...HUB,
  ...HUB_FAULTS,
];

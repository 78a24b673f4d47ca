/**
 * Which fault comes in which round, and one round from its first change to quiet. A round depends on the seed and its own
 * number alone, so that it can be repeated without those before it.
 */
import { join } from "node:path";
import { type Seeded, seeded } from "../sim/kernel.ts";
import { changeFact } from "./facts.ts";
import { dataPlaneFaults } from "./faults/data-plane.ts";
import { type Fault, type FaultRun, sleep } from "./faults/fault.ts";
import { lineFaults } from "./faults/lines.ts";
import { outageFaults } from "./faults/outages.ts";
import { processFaults } from "./faults/processes.ts";
import { rivalFaults } from "./faults/rivals.ts";
import { storageFaults } from "./faults/storage.ts";
import type { Failure, LoadSince } from "./load.ts";
import { type Quiet, waitForQuiet } from "./measure.ts";
import { CLUSTERS, type Rig } from "./rig.ts";

export const FAULTS: readonly Fault[] = [
  ...processFaults,
  ...dataPlaneFaults,
  ...storageFaults,
  ...outageFaults,
  ...lineFaults,
  ...rivalFaults,
];

/** From shuffled decks: each kind once per deck. Rounds count from 1. */
export function faultOf(seed: number, round: number): Fault {
  const deck = [...FAULTS];
  const random = seeded(seed * 1_000_003 + Math.floor((round - 1) / deck.length));
  for (let last = deck.length - 1; last > 0; last -= 1) {
    const other = random.below(last + 1);
    const held = deck[last] as Fault;
    deck[last] = deck[other] as Fault;
    deck[other] = held;
  }
  return deck[(round - 1) % deck.length] as Fault;
}

const OBSERVED_MS = 1500;

export interface RoundResult extends Quiet {
  readonly fault: Fault;
  readonly load: LoadSince;
  readonly tookMs: number;
}

/** Throws with seed, round, what was done and where the logs are. */
export async function runRound(rig: Rig, seed: number, round: number): Promise<RoundResult> {
  const startMs = performance.now();
  const fault = faultOf(seed, round);
  const notes: string[] = [];
  const random = seeded(seed * 7919 + round * 104_729);
  rig.load.take();
  const inFlight = rig.load.inFlight();
  try {
    const note = (what: string) => notes.push(`${Math.round(performance.now() - startMs)} ms: ${what}`);
    let struckMs = Number.NEGATIVE_INFINITY;
    const struck = (): void => {
      struckMs = performance.now();
    };
    await fault.run({ rig, random, note, struck, change: changer(rig, random, note) });
    // A call that is lost now may take a while to say so.
    const [quiet] = await Promise.all([waitForQuiet(rig), sleep(fault.hitsCalls ? OBSERVED_MS : 0)]);
    const load = rig.load.take();
    const wrong = load.failures.filter((failure) => !isExcused(failure, struckMs));
    if (wrong.length > 0)
      throw new Error(`${wrong.length} of ${load.sent} calls failed: ${told(wrong, startMs)}`);
    if (rig.load.oldestMs() > 5000) throw new Error(`a call has had no answer for ${rig.load.oldestMs()} ms`);
    return { fault, load, ...quiet, tookMs: performance.now() - startMs };
  } catch (error) {
    const lines = [
      `seed ${seed} round ${round} (${fault.kind}): ${(error as Error).message}`,
      ...notes.map((note) => `  ${note}`),
      `  in flight at the start: ${JSON.stringify(inFlight)}`,
      `  logs: ${join(rig.state, "logs")}`,
      `  again: HANSA_SOAK_SEED=${seed} HANSA_CHAOS_ROUNDS=${round} npm test -- --project chaos`,
    ];
    throw new Error(lines.join("\n"), { cause: error });
  }
}

const changer =
  (rig: Rig, random: Seeded, note: (what: string) => void): FaultRun["change"] =>
  async ({ cluster, agentLives = true } = {}) => {
    const at = cluster ?? CLUSTERS[random.below(CLUSTERS.length)] ?? "eu";
    note(await changeFact(rig, random, at, agentLives));
  };

/** Until a caller's proxy has heard that a connection is broken, it sends on it. */
const HEARD_MS = 500;

/** In flight on what died, and not to be sent again. All else is a call lost for nothing. */
const isExcused = ({ flow, atMs }: Failure, struckMs: number): boolean =>
  !flow.retried && atMs <= struckMs + HEARD_MS;

const told = (failures: readonly Failure[], startMs: number): string =>
  failures
    .slice(0, 10)
    .map(
      ({ flow, atMs, tookMs, status, detail }) =>
        `${flow.name} at ${Math.round(atMs - startMs)} ms after ${Math.round(tookMs)} ms: ${status} ${detail}`,
    )
    .join("; ");

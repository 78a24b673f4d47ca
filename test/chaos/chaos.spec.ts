/**
 * Real processes under load, killed, wiped, restored and cut off, round by round: no call fails that the fault did not
 * carry, and afterwards all parts hold the same state and say so. HANSA_CHAOS_ROUNDS=3,17 runs those rounds
 * alone, HANSA_CHAOS_ROUNDS='kill hub' those of that kind.
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import { FIRST_SEED, share, tell } from "../support/tier.ts";
import { waitForQuiet } from "./measure.ts";
import { Rig } from "./rig.ts";
import { FAULTS, faultOf, type RoundResult, runRound } from "./rounds.ts";

const ROUNDS = 200;
const chosen = (process.env.HANSA_CHAOS_ROUNDS ?? "").split(",").filter((text) => text !== "");
const isChosen = (round: number): boolean =>
  chosen.length === 0
    ? round <= share(ROUNDS)
    : chosen.includes(String(round)) || chosen.includes(faultOf(FIRST_SEED, round).kind);
const rounds = Array.from({ length: ROUNDS }, (_, index) => index + 1).filter(isChosen);

let rig: Rig;
/** The round that runs or has failed; 0: the end. */
let broken: number | undefined;
const results: RoundResult[] = [];

beforeAll(async () => {
  rig = await Rig.start();
  await waitForQuiet(rig);
});

afterAll(async () => {
  report();
  await rig?.end(broken !== undefined);
});

it.each(
  rounds.map((round) => [round, faultOf(FIRST_SEED, round).kind, faultOf(FIRST_SEED, round).like] as const),
)("round %i: %s, as in: %s", async (round) => {
  expect(broken, "not run: a round before it failed").toBeUndefined();
  broken = round;
  const result = await runRound(rig, FIRST_SEED, round);
  results.push(result);
  broken = undefined;
});

it("afterwards nothing is left open", async () => {
  expect(broken, "not run: a round before it failed").toBeUndefined();
  broken = 0;
  await waitForQuiet(rig, true);
  broken = undefined;
});

function report(): void {
  const byKind = FAULTS.map(({ kind }) => ({ kind, of: results.filter(({ fault }) => fault.kind === kind) }));
  const seen = byKind.filter(({ of }) => of.length > 0);
  const failed = (of: readonly RoundResult[]) => of.reduce((sum, { load }) => sum + load.failures.length, 0);
  const kept = broken === undefined;
  const sent = results.reduce((sum, { load }) => sum + load.sent, 0);
  tell({
    promise: "each part killed, wiped, restored or cut off under load: all agree again",
    seen: `${results.length} rounds: ${seen.map(({ kind, of }) => `${kind} ${of.length}`).join(", ")}`,
    kept,
  });
  tell({
    promise: "faults of the control plane fail no call; deaths in the data plane at most those in flight",
    seen: `${sent} calls; failed: ${seen.map(({ kind, of }) => `${kind} ${failed(of)}`).join(", ")}`,
    kept,
  });
  const slowest = results.reduce(
    (a, b) => (b.convergedMs > a.convergedMs ? b : a),
    results[0] as RoundResult,
  );
  tell({
    promise: "all digests are equal again after a fault",
    seen:
      slowest === undefined
        ? "nothing"
        : `slowest ${Math.round(slowest.convergedMs)} ms (${slowest.fault.kind})`,
    kept,
  });
}

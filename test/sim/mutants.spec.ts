/**
 * The simulator's own proof: every defence that is taken out of the source is missed by some seed. A few mutants run
 * always, chosen by a seed, all in the soak; that each still fits the source is checked for all, always.
 */
import { afterAll, describe, expect, it } from "vitest";
import { FIRST_SEED, SOAK, tell } from "../support/tier.ts";
import { seeded } from "./kernel.ts";
import { MUTANTS } from "./mutants/all.ts";
import { hunt, rotten } from "./mutants/hunt.ts";
import { editsOf, type Mutant } from "./mutants/mutant.ts";

const ALWAYS = 4;
const TIMEOUT_MS = 900_000;

/** Some of the quick ones: a mutant that takes two hundred seeds is the soak's. */
function chosen(): readonly Mutant[] {
  if (SOAK) return MUTANTS;
  const random = seeded(FIRST_SEED);
  return MUTANTS.filter(({ seedsMax }) => seedsMax <= 20)
    .map((mutant) => ({ mutant, rank: random.float() }))
    .sort((a, b) => a.rank - b.rank)
    .slice(0, ALWAYS)
    .map(({ mutant }) => mutant);
}

const caught: string[] = [];

describe("planted mutants", () => {
  it("are at least twenty, of different names, and each fits the source exactly once", () => {
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
    expect(MUTANTS.length).toBeGreaterThanOrEqual(20);
    expect(MUTANTS.flatMap((mutant) => rotten(mutant).map(({ file }) => `${mutant.name}: ${file}`))).toEqual(
      [],
    );
  });

  it("none is caught where none is planted", { timeout: TIMEOUT_MS }, async () => {
    const seeds = SOAK ? Math.max(...MUTANTS.map(({ seedsMax }) => seedsMax)) : 3;
    expect(await hunt([], seeds)).toEqual({ seeds, broken: null });
  });

  it.each(chosen())("$name", { timeout: TIMEOUT_MS }, async (mutant) => {
    const { seeds, broken } = await hunt(editsOf(mutant), mutant.seedsMax);
    expect(broken, `survived ${seeds} seeds: ${mutant.promise}`).not.toBeNull();
    caught.push(`${mutant.name}: ${seeds}`);
  });

  afterAll(() => {
    const total = chosen().length;
    const kept = caught.length === total;
    tell({ promise: "planted mutants are caught", seen: `${caught.length} of ${total} caught`, kept });
  });
});

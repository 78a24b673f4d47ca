/** What the property specs of the fold share. HANSA_SOAK=1 runs ten times as many, unseeded. */
import type { BusRecord } from "@hansa/events";
import fc from "fast-check";
import { expect } from "vitest";
import type { Federation } from "./federation.ts";
import { newFederation } from "./rig.ts";
import { NAMES, type Run, type Step } from "./rig-history.ts";

export const SOAK = process.env.HANSA_SOAK === "1";
export const runs = (numRuns: number) => (SOAK ? { numRuns: 10 * numRuns } : { numRuns, seed: 20261123 });

const who = fc.nat(2);
const n = fc.nat(5);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constantFrom("service", "unservice"), who, n }) },
  { weight: 12, arbitrary: fc.record({ do: fc.constantFrom("endpoint", "unendpoint"), who, n }) },
  { weight: 10, arbitrary: fc.record({ do: fc.constant("write" as const), who }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("restart", "snapshot"), who }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("drain", "undrain", "rekey", "evict"), who }) },
) as fc.Arbitrary<Step>;
export const history = fc.array(step, { minLength: 1, maxLength: 60 });

/** Delivers in any order, with repetitions; asks again for what shows a gap, as an agent does. */
export function deliver(fed: Federation, records: readonly BusRecord[]): void {
  let waiting = [...records];
  for (let round = 0; waiting.length > 0 && round <= records.length; round++) {
    const again: BusRecord[] = [];
    for (const record of waiting) {
      const outcome = fed.apply(record);
      expect(outcome.kind).not.toBe("quarantined");
      if (outcome.kind === "gap" || (outcome.kind === "parked" && !outcome.held)) again.push(record);
      if (outcome.kind === "applied")
        for (const { source, lane } of outcome.gaps)
          again.push(...records.filter((other) => other.account === source && other.lane === lane));
    }
    waiting = again;
  }
  expect(waiting).toEqual([]);
}

export const facts = (fed: Federation) => ({
  digest: fed.digest(),
  members: fed.members().map(({ cluster, state, signingKey }) => ({ cluster, state, signingKey })),
  commands: fed.commands().map(({ hash }) => hash),
  findings: fed.findings().filter(({ code }) => code !== "HSA2005"),
  effective: NAMES.map((name) =>
    [...fed.registers(name)].flatMap((view) => fed.effect(name, view)?.key ?? []).sort(),
  ),
});

export const inOrder = (run: Run): Federation => {
  const fed = newFederation();
  deliver(fed, run.records);
  return fed;
};

/** Merges the logs at random, each in its own order: lanes and sources are not ordered against each other. */
export function interleave(records: readonly BusRecord[], picks: readonly number[]): BusRecord[] {
  const logs = [...Map.groupBy(records, (record) => `${record.account} ${record.lane}`).values()].map(
    (log) => [...log],
  );
  const merged: BusRecord[] = [];
  for (let turn = 0; logs.some((log) => log.length > 0); turn++) {
    const open = logs.filter((log) => log.length > 0);
    merged.push(open[(picks[turn % picks.length] ?? 0) % open.length]!.shift()!);
  }
  return merged;
}

export const picks = fc.array(fc.nat(100), { minLength: 1, maxLength: 50 });

/** The promises of the fold over random histories (design §3). */
import { commandKey } from "@hansa/events";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import type { Federation } from "./federation.ts";
import { deliver, facts, history, inOrder, interleave, picks, runs } from "./properties.fixture.ts";
import { newFederation, service } from "./rig.ts";
import { play, type Step } from "./rig-history.ts";

vi.setConfig({ testTimeout: 300_000 });

describe("the fold", () => {
  it("gives the same state for every interleaving of the logs, with repetitions", () => {
    fc.assert(
      fc.property(history, picks, picks, (steps, order, repeats) => {
        const run = play(steps);
        const merged = interleave(run.records, order);
        const repeated = merged.flatMap((record, index) =>
          repeats[index % repeats.length]! < 30
            ? [record, merged[repeats[index % repeats.length]! % (index + 1)]!]
            : [record],
        );
        const fed = newFederation();
        deliver(fed, repeated);
        expect(facts(fed)).toEqual(facts(inOrder(run)));
      }),
      runs(60),
    );
  });

  it("gives the same state when records of one log come out of order and late", () => {
    fc.assert(
      fc.property(history, fc.infiniteStream(fc.nat()), (steps, random) => {
        const run = play(steps);
        const keyed = run.records.map((record) => ({ record, at: random.next().value }));
        const fed = newFederation();
        deliver(
          fed,
          keyed.sort((a, b) => a.at - b.at).map(({ record }) => record),
        );
        expect(facts(fed)).toEqual(facts(inOrder(run)));
      }),
      runs(60),
    );
  });

  it("gives the same state from the last snapshot and what follows as from everything", () => {
    fc.assert(
      fc.property(history, (steps) => {
        const run = play(steps);
        // Commands outlive their carriers in those who heard them; for who comes later the hub carries them on.
        for (const { payload, value } of inOrder(run).commands())
          run.hub.set("CommandSet", commandKey(payload.id), value);
        for (const source of run.clusters) {
          source.writer("sum").requestSnapshot();
          source.writer("ep").requestSnapshot();
        }
        const tail = [...run.hub.write(), ...run.clusters.flatMap((source) => source.write())];
        for (const source of run.clusters) service(source, "shop", "after");
        tail.push(...run.clusters.flatMap((source) => source.write()));
        const joiner = newFederation();
        deliver(joiner, run.hub.log);
        for (const record of tail) joiner.apply(record, { acceptGap: true });
        const full = newFederation();
        deliver(full, [...run.records, ...tail]);
        expect(joiner.digest()).toBe(full.digest());
        expect(joiner.sourceByCluster("eu")?.degraded).toBe(false);
      }),
      runs(40),
    );
  });

  it("heals with the next snapshot whatever records were lost for ever", () => {
    fc.assert(
      fc.property(history, fc.infiniteStream(fc.nat(2)), (steps, random) => {
        const run = play(steps.filter(isFact));
        for (const source of run.clusters)
          for (const lane of ["sum", "ep"] as const) source.writer(lane).requestSnapshot();
        const tail = run.clusters.flatMap((source) => source.write());
        const fed = newFederation();
        deliver(fed, run.hub.log);
        for (const record of run.records) if (random.next().value > 0) fed.apply(record, { acceptGap: true });
        for (const record of tail) fed.apply(record, { acceptGap: true });
        const full = newFederation();
        deliver(full, [...run.records, ...tail]);
        expect(facts(fed)).toEqual(facts(full));
        // What was lost may still turn up: it is too old to matter.
        for (const record of run.records) fed.apply(record, { acceptGap: true });
        expect(facts(fed)).toEqual(facts(full));
      }),
      runs(40),
    );
  });

  it("survives a dump and restore at any point", () => {
    fc.assert(
      fc.property(history, fc.nat(), (steps, cut) => {
        const run = play(steps);
        const at = cut % (run.records.length + 1);
        const first = newFederation();
        deliver(first, run.records.slice(0, at));
        const dump: unknown = JSON.parse(JSON.stringify(first.dump()));
        const fed = (first.constructor as typeof Federation).restore(dump, first.options)!;
        expect(fed.digest()).toBe(first.digest());
        // Parked records are not in a dump; the agent fetches again what shows as a gap.
        deliver(fed, [...run.records.slice(0, at), ...run.records.slice(at)]);
        expect(facts(fed)).toEqual(facts(inOrder(run)));
      }),
      runs(30),
    );
  });

  it("never lets a tombstone rise again, nor a lower epoch win", () => {
    fc.assert(
      fc.property(history, fc.infiniteStream(fc.nat()), (steps, random) => {
        const run = play(steps);
        const fed = inOrder(run);
        const before = facts(fed);
        for (let again = 0; again < 2 * run.records.length; again++)
          fed.apply(run.records[random.next().value % run.records.length]!, { acceptGap: true });
        expect(facts(fed)).toEqual(before);
      }),
      runs(40),
    );
  });
});

const isFact = ({ do: what }: Step): boolean =>
  ["service", "endpoint", "write", "unservice", "unendpoint"].includes(what);

/** The Bundle Map's memory on a real Postgres: sequences only rise, and nothing replaces what was published under one. */
import type { BundleValue } from "@hansa/events";
import { afterAll, beforeAll, expect, test } from "vitest";
import { publishedBundles } from "../../services/hub/src/read/bundle-map.ts";
import { type StoreRig, startStoreRig } from "./store-rig.ts";

let rig: StoreRig;
beforeAll(async () => {
  rig = await startStoreRig();
});
afterAll(() => rig?.stop());

const bundle = (domain: string, sequence: number, ...roots: readonly string[]): BundleValue => ({
  trustDomain: `${domain}.lab.hansa`,
  sequence,
  roots,
});

test("a rollback and a second bundle under one sequence are refused, also after the domain was away", async () => {
  const publish = (...bundles: readonly BundleValue[]) => publishedBundles(rig.store, bundles);
  const eu = bundle("eu", 2, "a");
  const us = bundle("us", 1, "x");
  expect(await publish(eu)).toEqual({ bundles: [eu], sequence: 1 });
  expect(await publish(eu, us)).toEqual({ bundles: [eu, us], sequence: 2 });
  expect(await publish(eu, us)).toEqual({ bundles: [eu, us], sequence: 2 });
  // Older, and another of the same number: outsiders keep seeing what they saw.
  expect(await publish(bundle("eu", 1, "old"), us)).toEqual({ bundles: [eu, us], sequence: 2 });
  expect(await publish(bundle("eu", 2, "forged"), us)).toEqual({ bundles: [eu, us], sequence: 2 });
  const next = bundle("eu", 3, "a", "b");
  expect(await publish(next, us)).toEqual({ bundles: [next, us], sequence: 3 });
  expect(await publish(us)).toEqual({ bundles: [us], sequence: 4 });
  expect(await publish(bundle("eu", 2, "a"), us)).toEqual({ bundles: [us], sequence: 4 });
  expect(await publish(next, us)).toEqual({ bundles: [next, us], sequence: 5 });
});

test("published at once from several sides it stays one order", async () => {
  const rounds = await Promise.all(
    Array.from({ length: 5 }, (_, index) =>
      publishedBundles(rig.store, [bundle("ap", index + 1, String(index))]),
    ),
  );
  const last = await publishedBundles(rig.store, [bundle("ap", 1, "0")]);
  expect(last.bundles).toEqual([bundle("ap", 5, "4")]);
  expect(rounds.every(({ bundles }) => bundles.length === 1)).toBe(true);
});

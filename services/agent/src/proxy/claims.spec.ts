import type { AccountKey } from "@hansa/core";
import type { Head } from "@hansa/events";
import { expect, test } from "vitest";
import { Claims } from "./claims.ts";

const head = (source: string, seq: number): Head => ({
  source: source as AccountKey,
  lane: "ep",
  epoch: 1,
  seq,
  head: "",
});

test("a source that waits for a build claims what its last whole one held", () => {
  let heads: readonly Head[] = [head("US", 1), head("AP", 1)];
  let behind = new Set<string>();
  const claims = new Claims({
    heads: () => heads,
    clusterOf: (account) => account.toLowerCase(),
    behind: () => behind,
  });
  const seqs = (): number[] => claims.heads().map(({ seq }) => seq);
  expect(seqs()).toEqual([1, 1]);
  heads = [head("US", 2), head("AP", 5), head("XX", 9)];
  behind = new Set(["ap", "xx"]);
  // Of xx nothing was ever built whole.
  expect(seqs()).toEqual([2, 1]);
  behind = new Set();
  expect(seqs()).toEqual([2, 5, 9]);
});

/** A few of the MCS specs in every run: one of each kind. `npm run conformance -- mcs` runs all, on 2 and on 3 clusters. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Clusters, startClusters } from "./clusters.ts";
import { runSpec, SPECS } from "./run.ts";

const SHORT = ["3", "10", "19", "21"];
let clusters: Clusters;

beforeAll(async () => {
  clusters = await startClusters(2);
}, 180_000);
afterAll(() => clusters?.close(), 60_000);

describe("the suite", () => {
  it("has the official 14 required and 13 optional specs", () => {
    const count = (label: string) => SPECS.filter(({ labels }) => labels[0] === label).length;
    expect([count("Required"), count("Optional")]).toEqual([14, 13]);
    expect(new Set(SPECS.map(({ title }) => title)).size).toBe(27);
  });

  it.concurrent.each(SPECS.filter(({ id }) => SHORT.includes(id)).map((spec) => [spec.id, spec.title, spec]))(
    "%s %s",
    async (_id, _title, spec) => {
      const { failure } = await runSpec(spec, clusters);
      if (failure !== undefined) throw failure;
    },
    90_000,
  );
});

/** What a view may grow to, and what one cluster may weigh in it. */
import { expect, it } from "vitest";
import { type Candidate, CLUSTER_WEIGHT_MAX, capWeight } from "./candidate.ts";
import { SCALE_MAX, scaleOf } from "./service-port-view.ts";

const weighing = (...weights: number[]): Candidate =>
  ({
    endpoints: weights.map((weight) => ({ weight })),
    missingWeight: 0,
  }) as unknown as Candidate;
const weightsOf = ({ endpoints }: Candidate): number[] => endpoints.map(({ weight }) => weight);

it("a cluster weighs no more than the most, in its own proportions", () => {
  const most = weighing(CLUSTER_WEIGHT_MAX / 4, (3 * CLUSTER_WEIGHT_MAX) / 4);
  expect(capWeight(most)).toBe(most);
  expect(weightsOf(capWeight(weighing(CLUSTER_WEIGHT_MAX, 3 * CLUSTER_WEIGHT_MAX)))).toEqual(weightsOf(most));
});

it("the common multiple of gateway counts is bounded", () => {
  expect(scaleOf([1, 2, 3])).toBe(6);
  expect(scaleOf([7, 8, 9, 10])).toBe(2520);
  expect(scaleOf([7, 8, 9, 10, 11])).toBe(SCALE_MAX);
  expect(scaleOf([])).toBe(1);
});

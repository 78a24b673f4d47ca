import { describe, expect, it } from "vitest";
import { prioritySplit } from "./share.ts";
import { overprovisioningOf } from "./threshold.ts";

/** [healthy weight, total weight] of a priority. */
type Priority = readonly [number, number];

const split = (priorities: readonly Priority[], overprovisioning: number): number[] =>
  prioritySplit(
    priorities.map(([healthyWeight, totalWeight]) => ({ healthyWeight, totalWeight })),
    overprovisioning,
  );

/** Requests of 2000 that each priority took from a real Envoy 1.40, panic threshold 0. */
const MEASURED: readonly [string, number, readonly Priority[], readonly number[]][] = [
  ...(
    [
      [1, 415, 575, 806],
      [2, 785, 1154, 1623],
      [3, 1177, 1665, 2000],
      [4, 1580, 2000, 2000],
    ] as const
  ).flatMap(([healthy, ...counts]) =>
    ([100, 143, 200] as const).map((factor, index): (typeof MEASURED)[number] => [
      `${healthy} of 5 at ${factor}`,
      factor,
      [
        [healthy, 5],
        [5, 5],
      ],
      [counts[index]!, 2000 - counts[index]!],
    ]),
  ),
  [
    "a placeholder of weight 4",
    143,
    [
      [1, 5],
      [1, 1],
    ],
    [589, 1411],
  ],
  [
    "a gateway of weight 3 and a placeholder of 7",
    143,
    [
      [3, 10],
      [1, 1],
    ],
    [850, 1150],
  ],
  [
    "an empty first priority",
    143,
    [
      [0, 0],
      [3, 10],
      [1, 1],
    ],
    [0, 816, 1184],
  ],
  [
    "three priorities",
    143,
    [
      [1, 5],
      [2, 10],
      [1, 1],
    ],
    [543, 526, 931],
  ],
  [
    "too little everywhere",
    143,
    [
      [1, 5],
      [1, 10],
    ],
    [1319, 681],
  ],
  [
    "nothing healthy",
    143,
    [
      [0, 5],
      [0, 1],
    ],
    [0, 0],
  ],
];

describe("predicted shares", () => {
  it.each(MEASURED)("agree with Envoy for %s", (_name, factor, priorities, measured) => {
    const predicted = split(priorities, factor).map((percent) => percent * 20);
    for (const [index, count] of measured.entries())
      expect(Math.abs(predicted[index]! - count)).toBeLessThanOrEqual(60);
  });

  it("sum to 100 wherever anything is healthy", () => {
    for (const healthy of [1, 2, 3, 7])
      for (const total of [7, 9, 13])
        for (const factor of [100, 143, 333]) {
          const parts = split(
            [
              [healthy, total],
              [0, 4],
              [1, 9],
            ],
            factor,
          );
          expect(parts.reduce((sum, part) => sum + part, 0)).toBe(100);
        }
  });
});

describe("failover threshold", () => {
  const thresholds = Array.from({ length: 100 }, (_, index) => index + 1);

  it.each(thresholds)("%i percent: all of the load from there up, and its part below", (threshold) => {
    const factor = overprovisioningOf(threshold);
    expect(Math.abs(factor - 10_000 / threshold)).toBeLessThanOrEqual(0.5);
    for (let healthy = 1; healthy <= 100; healthy += 1) {
      const [local = 0] = split(
        [
          [healthy, 100],
          [1, 1],
        ],
        factor,
      );
      const wanted = Math.min(100, (healthy * 100) / threshold);
      // Half a point by rounding the factor, one by Envoy's integer division.
      expect(Math.abs(local - wanted)).toBeLessThanOrEqual(1.5);
    }
    expect(
      split(
        [
          [threshold, 100],
          [1, 1],
        ],
        factor,
      )[0],
    ).toBeGreaterThanOrEqual(99);
  });

  it("is rounded: 70 gives 143, and 70 of 100 healthy keep everything local", () => {
    expect(overprovisioningOf(70)).toBe(143);
    expect(overprovisioningOf(50)).toBe(200);
    expect(
      split(
        [
          [70, 100],
          [1, 1],
        ],
        143,
      )[0],
    ).toBe(100);
    expect(
      split(
        [
          [70, 100],
          [1, 1],
        ],
        142,
      )[0],
    ).toBe(99);
  });

  it("refuses what is no percentage", () => {
    expect(() => overprovisioningOf(0)).toThrow(/invariant/);
    expect(() => overprovisioningOf(101)).toThrow(/invariant/);
  });
});

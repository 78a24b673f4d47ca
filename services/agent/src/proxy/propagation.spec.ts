import { noMetrics, systemClock } from "@hansa/core";
import { expect, test } from "vitest";
import { Propagation, WAITING_MAX } from "./propagation.ts";

test("builds that no Envoy acknowledges are held up to a bound; the newest stay", () => {
  const propagation = new Propagation({
    clock: systemClock,
    metrics: noMetrics,
    importer: "eu",
    heads: () => [],
  });
  for (let revision = 1; revision <= WAITING_MAX; revision++) propagation.built(revision, [], new Map(), []);
  expect(propagation.waiting).toBe(WAITING_MAX);
  propagation.built(WAITING_MAX + 1, [], new Map(), []);
  expect(propagation.waiting).toBe(WAITING_MAX / 2);
  propagation.reached(WAITING_MAX);
  expect(propagation.waiting).toBe(1);
});

import { afterAll, beforeAll, expect, test } from "vitest";
import { runCase } from "./case.ts";
import { CASES } from "./cases/index.ts";
import { httpControl } from "./control.ts";
import { type OwnTarget, startOwnTarget } from "./own-target.ts";
import { NODE_ID } from "./run.ts";

let own: OwnTarget;

beforeAll(async () => {
  own = await startOwnTarget(NODE_ID);
});

afterAll(() => own.close());

test("there are at least sixty cases, each with an id of its own", () => {
  expect(CASES.length).toBeGreaterThanOrEqual(60);
  expect(new Set(CASES.map(({ id }) => id)).size).toBe(CASES.length);
});

test.each(CASES)("$id $family: $title", async (one) => {
  const failure = await runCase(one, { address: own.address, nodeId: NODE_ID }, httpControl(own.controlUrl));
  if (failure !== undefined) throw failure;
});

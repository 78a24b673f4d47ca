/** The even seeds. A failing seed fails again: `HANSA_SEED=n npm test -- --project sim federation.spec`. */
import { expect, it } from "vitest";
import { runFederation } from "./federation-run.ts";
import { federationSpec } from "./federation-seeds.ts";

federationSpec(0);

it("repeats a seed exactly", async () => {
  const [first, second, other] = [await runFederation(7), await runFederation(7), await runFederation(8)];
  expect(second.trace).toBe(first.trace);
  expect(other.trace).not.toBe(first.trace);
});

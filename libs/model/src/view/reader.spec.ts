import { expectTypeOf, it } from "vitest";
import type { Federation } from "../fold/federation.ts";
import type { FederationReader } from "./reader.ts";

it("the fold is what the view reads", () => {
  expectTypeOf<Federation>().toExtend<FederationReader>();
});

import { HansaError } from "@hansa/core";
import { expect, it } from "vitest";
import { reachOf } from "./reach.ts";

const refused = (what: string) => ({
  problem: new HansaError("HSA7001", `watching ${what}: https://eu:6443: refused`),
  staleSinceMs: what === "pods" ? 5 : 9,
});

it("tells a cause once with all kinds that it keeps from being heard, and since when", () => {
  const forbidden = {
    problem: new HansaError("HSA7003", "listing secrets: no: not yours"),
    staleSinceMs: 7,
  };
  const fine = { problem: undefined, staleSinceMs: undefined };
  expect(reachOf([refused("services"), fine, refused("pods"), forbidden])).toEqual({
    problems: ["HSA7001 https://eu:6443: refused (pods, services)", "HSA7003 no: not yours (secrets)"],
    staleSinceMs: 5,
  });
  expect(reachOf([fine])).toEqual({ problems: [] });
});

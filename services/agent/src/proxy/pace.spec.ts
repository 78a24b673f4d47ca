import type { Timers } from "@hansa/core";
import { expect, test } from "vitest";
import { ENVOYS_WAIT_MS, Pace } from "./pace.ts";

/** Timers that run when they are told to, and builds that are counted. */
function manual() {
  const builds: string[] = [];
  const set: { readonly delayMs: number; readonly run: () => void; cancelled: boolean }[] = [];
  const after: Timers["after"] = (delayMs, run) => {
    const timer = { delayMs, run, cancelled: false };
    set.push(timer);
    const cancel = () => {
      timer.cancelled = true;
    };
    return { cancel };
  };
  const pace = new Pace({ after } as Timers, () => builds.push("build"));
  return { set, builds, pace };
}

test("what is left over goes on when the Envoys have answered, once", () => {
  const { set, builds, pace } = manual();
  pace.leftOver(false);
  pace.leftOver(false);
  expect(pace.isWaiting).toBe(true);
  expect(set.map(({ delayMs }) => delayMs)).toEqual([ENVOYS_WAIT_MS]);
  pace.answered();
  pace.answered();
  expect(set[0]?.cancelled).toBe(true);
  expect([builds, pace.isWaiting]).toEqual([["build"], false]);
});

test("an Envoy that does not answer holds it up for a while only", () => {
  const { set, builds, pace } = manual();
  pace.leftOver(false);
  set[0]?.run();
  expect([builds, pace.isWaiting]).toEqual([["build"], false]);
});

// Seen once: an agent whose Envoys were not there yet built for ever, without reading its sockets.
test("with nobody to wait for the next build still has a turn of the loop of its own", () => {
  const { set, builds, pace } = manual();
  pace.leftOver(true);
  expect(builds).toEqual([]);
  expect(set.map(({ delayMs }) => delayMs)).toEqual([0]);
});

import { type ClusterName, noMetrics, silentLog } from "@hansa/core";
import type { LinkValue } from "@hansa/events";
import type { Federation } from "@hansa/model";
import { expect, test } from "vitest";
import { LivenessWatch } from "./watch.ts";

const us = "us" as ClusterName;
/** One peer, `us`, that is active. */
const fed = {
  members: () => [{ cluster: us, state: "active" }],
  source: () => undefined,
} as unknown as Federation;

/** Runs probes in virtual time until `probes` of them have failed. Answers the states that the link went through. */
async function failing(probes: number, trafficTo?: (probe: number) => boolean): Promise<string[]> {
  let nowMs = 0;
  let done = 0;
  const states: string[] = [];
  const end = Promise.withResolvers<void>();
  const watch: LivenessWatch = new LivenessWatch({
    fed,
    self: "eu" as ClusterName,
    ports: {
      clock: { nowMs: () => nowMs, monotonicMs: () => nowMs },
      timers: {
        after: () => ({ cancel() {} }),
        every: () => ({ cancel() {} }),
        sleep: async (ms) => {
          nowMs += ms;
        },
      },
      random: { float: () => 0.5, bytes: (count) => new Uint8Array(count) },
      log: silentLog,
      metrics: noMetrics,
    },
    previous: () => undefined,
    proberOf: () => ({
      probe: async () => {
        done += 1;
        if (done > probes) {
          watch.stop();
          end.resolve();
        }
        return { ok: false, stage: "tls", message: "" };
      },
      close() {},
    }),
    ...(trafficTo === undefined ? {} : { trafficTo: async () => trafficTo(done) }),
    onLink: (_peer: ClusterName, link: LinkValue | null) => {
      if (link !== null) states.push(link.state);
    },
  });
  watch.start();
  await end.promise;
  return states;
}

test("three failed probes make a peer unreachable", async () => {
  expect((await failing(5)).at(-1)).toBe("unreachable");
});

// Nobody beats: after 10 s the lease has its own say.
test("while calls succeed a failing probe proves nothing", async () => {
  expect(new Set(await failing(8, () => true))).toEqual(new Set(["normal"]));
  expect(new Set(await failing(8, (probe) => probe % 2 === 0))).toEqual(new Set(["normal"]));
});

test("calls that have stopped excuse nothing", async () => {
  expect((await failing(8, (probe) => probe <= 4)).at(-1)).toBe("unreachable");
});

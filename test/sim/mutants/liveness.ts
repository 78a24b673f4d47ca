/** Mutants of liveness: two kinds of evidence, self-doubt. */
import type { Mutant } from "./mutant.ts";

const LIVENESS = "libs/model/src/liveness/liveness.ts";

export const LIVENESS_MUTANTS: readonly Mutant[] = [
  {
    name: "silence of the control plane alone empties",
    file: "libs/model/src/liveness/verdict.ts",
    from: `return probe === "fail" ? "lost" : "stale";`,
    to: `return "lost";`,
    promise: "nothing is emptied by silence",
    seedsMax: 20,
  },
  {
    name: "an importer whose own way is cut blames its peers",
    file: "libs/model/src/liveness/doubt.ts",
    from: "return heard.length >= 2 && failing * 2 > heard.length;",
    to: "return false;",
    also: [{ file: LIVENESS, from: `if (!this.#busUp) return "bus";`, to: "" }],
    promise: "who doubts itself makes no verdict worse",
    seedsMax: 20,
  },
  {
    name: "a lease is renewed by a beat that was heard before",
    file: "libs/events/src/heartbeat.ts",
    from: "beat.bootMs > than.bootMs || (beat.bootMs === than.bootMs && beat.counter > than.counter);",
    to: "beat.bootMs > than.bootMs || (beat.bootMs === than.bootMs && beat.counter >= than.counter);",
    also: [
      {
        file: "libs/model/src/liveness/lease.ts",
        from: "(beat.bootMs === lease.bootMs && beat.counter > lease.counter)",
        to: "(beat.bootMs === lease.bootMs && beat.counter >= lease.counter)",
      },
    ],
    promise: "a dead cluster is noticed",
    seedsMax: 60,
  },
  {
    name: "records that were heard before renew a lease",
    file: "services/agent/src/follow/follower.ts",
    from: `if (outcome.kind === "applied") this.#options.onHeard(record);`,
    to: `if (outcome.kind === "applied" || outcome.kind === "duplicate") this.#options.onHeard(record);`,
    promise: "a dead cluster is noticed",
    seedsMax: 60,
  },
];

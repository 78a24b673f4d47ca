/** Mutants of the agent: own log, follower, disk, wants. */
import type { Mutant } from "./mutant.ts";

const PUBLISHER = "services/agent/src/log/lane-publisher.ts";
const EPOCHS = "services/agent/src/log/known-epochs.ts";
const FOLLOWER = "services/agent/src/follow/follower.ts";
const CORE = "services/agent/src/core.ts";

const HEARS_NO_RIVAL = {
  file: "services/agent/src/follow/beats.ts",
  from: "    if (account === this.#options.account) this.#recall(bytes, live);\n",
  to: "",
};

/** A clock that goes on keeps epochs apart where nothing else does. */
const NO_FLOOR = {
  file: "libs/events/src/writer/lane-writer.ts",
  from: "this.#options.epochFloor?.() ?? 0",
  to: "0",
};

export const AGENT_MUTANTS: readonly Mutant[] = [
  {
    name: "an epoch is taken before the own membership is known",
    file: EPOCHS,
    from: "    await this.#admitted;\n",
    to: "",
    also: [
      {
        file: CORE,
        from: "    if (this.fed.member(this.#options.cluster) === undefined) return;\n",
        to: "",
      },
    ],
    promise: "no position is given twice",
    seedsMax: 60,
  },
  {
    name: "a start's number in heartbeats follows the wall clock",
    file: "services/agent/src/follow/boot.ts",
    from: "Math.max((stored as number) + 1, nowMs)",
    to: "nowMs",
    also: [HEARS_NO_RIVAL],
    promise: "no verdict is wrong after quiet",
    seedsMax: 60,
  },
  {
    name: "an agent is not heard again after its replacement has died",
    ...HEARS_NO_RIVAL,
    promise: "no verdict is wrong after quiet",
    seedsMax: 300,
  },
  {
    name: "others' word on own epochs is ignored",
    file: EPOCHS,
    from: "return this.isCredible(claimed, known) ? Math.max(known, claimed) : known;",
    to: "return known;",
    promise: "no position is given twice",
    also: [NO_FLOOR],
    seedsMax: 60,
  },
  {
    name: "a record is published before the outbox holds it",
    file: PUBLISHER,
    from: "      outbox.append(next.record, writer.position());\n",
    to: "",
    also: [
      {
        file: PUBLISHER,
        from: '      if (outcome.kind === "stored") {\n',
        to: '      outbox.append(next.record, writer.position());\n      if (outcome.kind === "stored") {\n',
      },
    ],
    promise: "what was sent survives a crash",
    seedsMax: 20,
  },
  {
    name: "live records that skip others are taken as they come",
    file: FOLLOWER,
    from: "if (this.#cursors.skips(record) || !this.#apply(record)) {",
    to: "if (!this.#apply(record, true)) {",
    promise: "holes are filled",
    seedsMax: 300,
  },
  {
    name: "a fill reads nothing",
    file: FOLLOWER,
    from: "        // The stream itself is contiguous: what the fold still misses has left it for good.\n",
    to: "        records = [];\n",
    promise: "holes are filled",
    seedsMax: 60,
  },
  {
    name: "a log whose heads go further than the stream is not read again",
    file: FOLLOWER,
    from: "    if (nowMs < log.rewindAtMs) return false;",
    to: "    if (nowMs >= 0) return false;",
    promise: "folds agree after quiet",
    seedsMax: 300,
  },
  {
    name: "wants are not granted",
    file: CORE,
    from: "if (changed.some((ref) => ref.cluster !== cluster && ref.key === wantKey(cluster))) this.own.wanted();",
    to: "",
    promise: "folds agree after quiet",
    seedsMax: 20,
  },
  {
    name: "a degraded source is not asked for a snapshot",
    file: "services/agent/src/follow/wants.ts",
    from: "    this.ask(name);\n",
    to: "",
    promise: "folds agree after quiet",
    seedsMax: 20,
  },
];

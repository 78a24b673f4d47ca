/** Mutants of the fold: order, gaps, snapshots, signatures. */
import type { Mutant } from "./mutant.ts";

const REGISTERS = "libs/model/src/fold/registers.ts";
const APPLY = "libs/model/src/fold/apply.ts";
const CHAIN = "libs/model/src/fold/chain.ts";
const BEATS = "libs/model/src/fold/beats.ts";

const NO_DIGEST_CHECK = {
  file: REGISTERS,
  from: `if (this.#digest.digest() !== digest || this.#digest.count !== count) {`,
  to: "if (false) {",
};
const STALE_COUNTS = {
  file: CHAIN,
  from: `return { kind: late ? "late" : "stale" };`,
  to: `return { kind: "late" };`,
};

export const FOLD_MUTANTS: readonly Mutant[] = [
  {
    name: "the last to arrive wins, not the last written",
    file: REGISTERS,
    from: `if (before !== undefined && comparePlaces(before.place, place, this.#rank) >= 0) return;`,
    to: "",
    promise: "a value never goes back",
    seedsMax: 20,
  },
  {
    name: "records of before the last snapshot count",
    ...STALE_COUNTS,
    promise: "what was withdrawn does not rise again",
    seedsMax: 20,
  },
  {
    name: "a snapshot sweeps whatever its digest says",
    ...NO_DIGEST_CHECK,
    promise: "only a snapshot that is whole sweeps",
    seedsMax: 20,
  },
  {
    name: "a snapshot with a hole in it sweeps",
    file: APPLY,
    from: `log.registers.breakSnapshot();`,
    to: "",
    also: [NO_DIGEST_CHECK],
    promise: "nothing is emptied by loss",
    seedsMax: 20,
  },
  {
    name: "a hole does not degrade its source",
    file: APPLY,
    from: "if (hole) degrade(log,",
    to: "if (false) degrade(log,",
    promise: "folds agree after quiet",
    seedsMax: 60,
  },
  {
    name: "digests depend on epochs",
    file: REGISTERS,
    from: `    this.#registers.set(key, after);
    this.#digest.set(key, hash);`,
    to: `    this.#registers.set(key, after);
    this.#digest.set(key, hash && place.epoch + hash);`,
    promise: "folds agree with their source",
    seedsMax: 20,
  },
  {
    name: "signatures are not checked",
    file: APPLY,
    from: "trusted || verifyRecord(",
    to: "true || verifyRecord(",
    promise: "nobody writes without the key",
    seedsMax: 20,
  },
  {
    name: "heads in heartbeats are ignored",
    file: BEATS,
    from: `if (isBeyond(head, held)) behind.push`,
    to: `if (false) behind.push`,
    promise: "a lost last record is noticed",
    seedsMax: 60,
  },
  {
    name: "parked records are dropped, and nobody looks for them again",
    file: "libs/model/src/fold/parking.ts",
    from: `    entries.set(name, parked);`,
    to: "",
    also: [
      {
        file: "services/agent/src/follow/follower.ts",
        from: `    if (nowMs < log.rewindAtMs) return false;`,
        to: "    if (nowMs >= 0) return false;",
      },
    ],
    promise: "what came before its membership counts",
    seedsMax: 20,
  },
];

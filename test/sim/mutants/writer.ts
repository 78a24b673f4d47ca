/** Mutants of the writer of a log: fence, epochs, snapshots. */
import type { Mutant } from "./mutant.ts";

const WRITER = "libs/events/src/writer/lane-writer.ts";
const VERDICT = "libs/events/src/writer/verdict.ts";

export const WRITER_MUTANTS: readonly Mutant[] = [
  {
    name: "no fence: the stream takes a record whatever sequence its writer expects",
    file: "test/sim/sim-broker.ts",
    from: `if (previousStreamSeq !== expectedStreamSeq) return { kind: "refused" };`,
    to: "",
    promise: "two writers never interleave",
    seedsMax: 20,
  },
  {
    name: "writes before its facts are whole",
    file: WRITER,
    from: `if (this.#mode !== "open" || !this.#synced) return null;`,
    to: `if (this.#mode !== "open") return null;`,
    promise: "a cache that is not synced never writes",
    seedsMax: 20,
  },
  {
    name: "goes on in its epoch after the stream lost records of it",
    file: VERDICT,
    from: `standing.stored === undefined && !standing.overtaken ? "again" : "new-epoch"`,
    to: `"again"`,
    promise: "a log in the stream has no hole of its writer's making",
    seedsMax: 20,
  },
  {
    name: "is not fenced by a rival's higher epoch",
    file: VERDICT,
    from: `if (header.epoch > standing.epoch && (own || header.key !== standing.keyId)) return "fenced";`,
    to: `if (header.epoch > standing.epoch && (own || header.key !== standing.keyId)) return "again";`,
    promise: "of two writers one stops",
    seedsMax: 20,
  },
  {
    name: "forms a record anew that was offered before",
    file: WRITER,
    from: `        inFlight.offered = false;
        return "retry";`,
    to: `        this.#inFlight = undefined;
        this.#seq -= 1;
        this.#hash = inFlight.record.header.prev;
        for (const { event } of inFlight.changes)
          if (this.#wanted.has(event.key)) this.#pending.set(event.key, this.#wanted.get(event.key)!);
          else this.#pending.set(event.key, inFlight.changes.find((change) => change.event.key === event.key)!);
        return "retry";`,
    promise: "only what is in no signed record yet is coalesced",
    seedsMax: 20,
  },
  {
    name: "a new epoch begins without a snapshot",
    file: WRITER,
    from: `this.#beginSnapshot(waiting.map(({ event }) => event.key));`,
    to: "",
    promise: "an epoch begins with everything",
    seedsMax: 20,
  },
  {
    name: "an epoch is not taken above those that others know of",
    file: WRITER,
    from: `this.#epoch = Math.max(1 + Math.max(this.#epoch, highestSeen), this.#options.epochFloor?.() ?? 0);`,
    to: `this.#epoch = 1 + this.#epoch;`,
    promise: "no position is given twice",
    seedsMax: 20,
  },
  {
    name: "a snapshot's end counts the registers before it only",
    file: WRITER,
    from: `    this.#applyToDigest(batch.changes);
    const data =`,
    to: `    const data =`,
    promise: "folds agree with their source",
    seedsMax: 20,
  },
];

/** Mutants of what an agent keeps on disk. */
import type { Mutant } from "./mutant.ts";

const SNAPSHOT = "services/agent/src/follow/snapshot.ts";
const FOLLOWER = "services/agent/src/follow/follower.ts";

export const DISK_MUTANTS: readonly Mutant[] = [
  {
    name: "the journal is not read at a start",
    file: SNAPSHOT,
    from: "const later = journal.read();",
    to: "const later: BusRecord[] = [];",
    promise: "what an agent serves does not go back over a restart",
    seedsMax: 20,
  },
  {
    name: "a record takes effect before the journal holds it",
    file: FOLLOWER,
    from: `    if (outcome.kind !== "duplicate" && outcome.kind !== "stale") this.#options.onFolded(record);\n`,
    to: "",
    also: [
      {
        file: FOLLOWER,
        from: `    if (outcome.kind === "applied") for (const gap of outcome.gaps) this.fill(gap);\n`,
        to: `    if (outcome.kind !== "duplicate" && outcome.kind !== "stale") this.#options.onFolded(record);\n    if (outcome.kind === "applied") for (const gap of outcome.gaps) this.fill(gap);\n`,
      },
    ],
    promise: "what an agent serves does not go back over a restart",
    seedsMax: 20,
  },
  {
    name: "what was taken over a hole is not taken again",
    file: SNAPSHOT,
    from: "restored.apply(record, { acceptGap: true });",
    to: "restored.apply(record);",
    promise: "what an agent serves does not go back over a restart",
    seedsMax: 60,
  },
  {
    name: "the journal is trusted although it holds what was refused",
    file: SNAPSHOT,
    from: "restored.apply(record, { acceptGap: true });",
    to: "restored.apply(record, { acceptGap: true, trusted: true });",
    promise: "nobody writes without the key",
    seedsMax: 60,
  },
  {
    name: "what was parked and released is in no snapshot",
    file: SNAPSHOT,
    from: "if (released || journal.sizeBytes()",
    to: "if (journal.sizeBytes()",
    promise: "what an agent serves does not go back over a restart",
    seedsMax: 20,
  },
];

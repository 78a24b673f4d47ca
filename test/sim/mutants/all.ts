import { AGENT_MUTANTS } from "./agent.ts";
import { DISK_MUTANTS } from "./disk.ts";
import { FOLD_MUTANTS } from "./fold.ts";
import { LIVENESS_MUTANTS } from "./liveness.ts";
import type { Mutant } from "./mutant.ts";
import { WRITER_MUTANTS } from "./writer.ts";

export const MUTANTS: readonly Mutant[] = [
  ...WRITER_MUTANTS,
  ...FOLD_MUTANTS,
  ...AGENT_MUTANTS,
  ...DISK_MUTANTS,
  ...LIVENESS_MUTANTS,
];

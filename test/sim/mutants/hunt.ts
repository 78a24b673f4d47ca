/** Hunts mutants: each in a process of its own, as many at once as there is room for. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Answer } from "./child.ts";
import { type Edit, editsOf, type Mutant } from "./mutant.ts";
import { ROOT } from "./root.ts";

const CHILD = fileURLToPath(new URL("child.ts", import.meta.url));
/** Of a mutant that makes no progress; far above what its seeds take. */
const TIMEOUT_MS = 600_000;

/** Places that are not there exactly once any more: the code has moved on and the mutant with it. */
export const rotten = (mutant: Mutant): readonly Edit[] =>
  editsOf(mutant).filter(
    ({ file, from }) => readFileSync(`${ROOT}/${file}`, "utf8").split(from).length !== 2,
  );

/** Runs up to `seeds` seeds under these edits; none of them = the product as it is. */
export function hunt(edits: readonly Edit[], seeds: number, firstSeed = 1): Promise<Answer> {
  const task = JSON.stringify({ edits, seeds, firstSeed });
  const args = ["--disable-warning=ExperimentalWarning", CHILD, task];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { timeout: TIMEOUT_MS }, (error, stdout, stderr) => {
      const line = stdout.trim();
      if (error !== null || line === "")
        reject(new Error(`the mutant's process failed: ${error?.message} ${stderr}`));
      else resolve(JSON.parse(line) as Answer);
    });
  });
}

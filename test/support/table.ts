/** Tables of results, on a terminal and in a page of docs/ between its two marks. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { fileURLToPath } from "node:url";

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |\n`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("");
}

export const yesOrNo = (kept: boolean): string => (kept ? "yes" : "**no**");

/** Puts `results` between the marks of docs/`page`, with the machine and the commit that gave them. */
export function writeResults(page: string, results: string): void {
  const path = fileURLToPath(new URL(`../../docs/${page}`, import.meta.url));
  const [begin, end] = ["<!-- results -->", "<!-- end of results -->"];
  const [before, rest] = readFileSync(path, "utf8").split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined)
    throw new Error(`${path}: the marks of the results are gone`);
  writeFileSync(path, `${before}${begin}\n\n${machine()}\n\n${results}\n${end}${after}`);
}

function machine(): string {
  const git = (...args: string[]): string => execFileSync("git", args, { encoding: "utf8" }).trim();
  const changed = git("status", "--porcelain", "--untracked-files=no") === "" ? "" : " with local changes";
  const cpu = cpus()[0]?.model ?? "unknown";
  const memoryGib = Math.round(totalmem() / 2 ** 30);
  const commit = `commit ${git("rev-parse", "--short", "HEAD")}${changed}`;
  return `${cpus().length} cores (${cpu}), ${memoryGib} GiB, Node ${process.versions.node}, ${commit}.`;
}

/** The table of figures, on a terminal and in docs/performance.md between its two marks. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import type { Figure } from "./bench.ts";

const PAGE = fileURLToPath(new URL("../../docs/performance.md", import.meta.url));
const BEGIN = "<!-- figures: written by `npm run bench -- --write` -->";
const END = "<!-- end of figures -->";

export function table(figures: readonly Figure[]): string {
  const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |\n`;
  const head = ["figure", "reach", "measured", "peer in the same run", "kept"];
  return [
    row(head),
    row(head.map(() => "---")),
    ...figures.map(({ figure, reach, measured, peer, kept }) =>
      row([figure, reach, measured, peer ?? "", kept ? "yes" : "**no**"]),
    ),
  ].join("");
}

export function writePerformance(figures: readonly Figure[]): void {
  const page = readFileSync(PAGE, "utf8");
  const [before, rest] = page.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined)
    throw new Error(`${PAGE}: the marks of the table are gone`);
  writeFileSync(PAGE, `${before}${BEGIN}\n\n${machine()}\n\n${table(figures)}\n${END}${after}`);
}

function machine(): string {
  const git = (...args: string[]): string => execFileSync("git", args, { encoding: "utf8" }).trim();
  const cpu = cpus()[0]?.model ?? "unknown";
  const memoryGib = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} cores (${cpu}), ${memoryGib} GiB, Node ${process.versions.node}, commit ${git("rev-parse", "--short", "HEAD")}.`;
}

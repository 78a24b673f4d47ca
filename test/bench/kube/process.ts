/** What a running process costs, as Linux counts it. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { sleep } from "../support/numbers.ts";

const ticksPerSecond = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

/** User and system time so far, seconds (proc(5), stat: fields 14 and 15). */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Of each process: its share of one core over the next `forMs`. */
export async function cpuShare(pids: readonly number[], forMs: number): Promise<number[]> {
  const before = pids.map(cpuSeconds);
  await sleep(forMs);
  return pids.map((pid, index) => (cpuSeconds(pid) - before[index]!) / (forMs / 1000));
}

export function residentMiB(pid: number): number {
  const kib = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kib) / 1024;
}

/** What other processes cost, as Linux counts it. */
import { readdirSync, readFileSync } from "node:fs";
import { sleep } from "./numbers.ts";

/** Linux gives times in ticks of 1/100 s to user space on every architecture. */
const TICKS_PER_SECOND = 100;

/** Fields of /proc/<pid>/stat after the command: 0 = state, 1 = parent, 11… = utime, stime, cutime, cstime. */
function statOf(pid: number | string): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

/** User and system time of a process, of its children, and of those that have ended; NaN where it is not on this machine. */
export function cpuSeconds(pid: number): number {
  const own = statOf(pid);
  if (own === undefined) return Number.NaN;
  const sum = (fields: readonly string[], count: number): number =>
    fields.slice(11, 11 + count).reduce((total, ticks) => total + Number(ticks), 0);
  let ticks = sum(own, 4);
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = statOf(entry);
    if (stat?.[1] === String(pid)) ticks += sum(stat, 2);
  }
  return ticks / TICKS_PER_SECOND;
}

export function parentOf(pid: number): number | undefined {
  const parent = Number(statOf(pid)?.[1]);
  return Number.isInteger(parent) ? parent : undefined;
}

/** Of each process: its share of one core over the next `forMs`. */
export async function cpuShare(pids: readonly number[], forMs: number): Promise<number[]> {
  const before = pids.map(cpuSeconds);
  await sleep(forMs);
  return pids.map((pid, index) => (cpuSeconds(pid) - before[index]!) / (forMs / 1000));
}

export function residentMib(pid: number): number {
  const kib = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kib) / 1024;
}

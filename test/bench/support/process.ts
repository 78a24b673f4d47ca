/** What other processes cost, as Linux counts it. */
import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
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

export interface CpuShare {
  readonly name: string;
  readonly share: number;
}

/** Of each process under this one: its share of one core since the call, once the seconds since then are said. */
export function cpuOfDescendants(): (seconds: number) => CpuShare[] {
  const before = descendants();
  return (seconds) =>
    [...descendants()]
      .map(([pid, { name, used }]) => ({ name, share: (used - (before.get(pid)?.used ?? 0)) / seconds }))
      .sort((a, b) => b.share - a.share);
}

function descendants(): Map<string, { readonly name: string; readonly used: number }> {
  const parents = new Map<string, string>();
  for (const entry of readdirSync("/proc"))
    if (/^\d+$/.test(entry)) parents.set(entry, statOf(entry)?.[1] ?? "");
  const isUnder = (pid: string): boolean => {
    const parent = parents.get(pid);
    return parent !== undefined && (parent === String(process.pid) || isUnder(parent));
  };
  return new Map(
    [...parents.keys()].filter(isUnder).map((pid) => {
      const [user = 0, system = 0] = statOf(pid)?.slice(11, 13).map(Number) ?? [];
      return [pid, { name: nameOf(pid), used: (user + system) / TICKS_PER_SECOND }];
    }),
  );
}

/** A service of Hansa's is called by its folder, any other program by its file. */
function nameOf(pid: string): string {
  try {
    const [program = "", ...args] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    const service = args.map((each) => /services\/(\w+)\/src\/main\.ts$/.exec(each)?.[1]).find(Boolean);
    return service ?? basename(program.split(" ")[0] ?? "");
  } catch {
    return "";
  }
}

export function residentMib(pid: number): number {
  const kib = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kib) / 1024;
}

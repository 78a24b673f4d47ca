/**
 * Gives pages back that a burst has left free: V8 keeps them for the next one, and that may not come for days. A quiet
 * process collects once, which stops it for as long as its live objects take (0.2 s for 100 MiB), and not again before as
 * much has gathered anew.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Timers } from "@hansa/core";

const LOOK_MS = 10_000;
const FREE_BYTES_MIN = 48 * 2 ** 20;
/** Of a core, since the last look: one with a thousand services and nothing to do takes 1 %. */
const QUIET_SHARE_MAX = 0.03;

export interface Look {
  /** Resident, and neither in the heap nor held by it: the program, and what is free. */
  readonly besideHeapBytes: number;
  readonly cpuShare: number;
}

/** `baseBytes`: what was beside the heap when nothing was free. */
export const isDue = ({ besideHeapBytes, cpuShare }: Look, baseBytes: number): boolean =>
  cpuShare <= QUIET_SHARE_MAX && besideHeapBytes >= baseBytes + FREE_BYTES_MIN;

/** For the life of the process. */
export function giveBack(timers: Timers): void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as (options: object) => void;
  setFlagsFromString("--no-expose-gc");
  let baseBytes = besideHeapBytes();
  let hasCollected = false;
  let used = process.cpuUsage();
  timers.every(LOOK_MS, () => {
    const { user, system } = process.cpuUsage(used);
    used = process.cpuUsage();
    const look = { besideHeapBytes: besideHeapBytes(), cpuShare: (user + system) / 1000 / LOOK_MS };
    if (hasCollected) baseBytes = Math.max(baseBytes, look.besideHeapBytes);
    hasCollected = isDue(look, baseBytes);
    if (hasCollected) collect({ type: "major", execution: "async", flavor: "last-resort" });
  });
}

function besideHeapBytes(): number {
  const { rss, heapTotal, external } = process.memoryUsage();
  return rss - heapTotal - external;
}

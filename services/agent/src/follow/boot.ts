/** The number of a process start in heartbeats: higher than that of every start before, whatever the wall clock says. */
import { readJson, writeJson } from "../disk.ts";
import type { Ports } from "../ports.ts";

const FILE = "boot.json";

/** Durable before it is used: a start that repeated a number would not be heard. */
export function nextBoot({ clock, disk }: Pick<Ports, "clock" | "disk">): number {
  const stored = (readJson(disk, FILE) as { bootMs?: unknown } | undefined)?.bootMs;
  const nowMs = clock.nowMs();
  return take(disk, Number.isSafeInteger(stored) ? Math.max((stored as number) + 1, nowMs) : nowMs);
}

/** For a start that finds a higher one in the own last beat on the bus: its disk was lost, and its clock set back. */
export const bootAbove = ({ disk }: Pick<Ports, "disk">, heardMs: number): number => take(disk, heardMs + 1);

function take(disk: Ports["disk"], bootMs: number): number {
  writeJson(disk, FILE, { bootMs });
  return bootMs;
}

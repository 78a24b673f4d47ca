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

/** Above one that was heard in the own name: of a disk that was lost under a clock set back, or of a replacement. */
export const bootAbove = ({ disk }: Pick<Ports, "disk">, heardMs: number): number => take(disk, heardMs + 1);

/** The next start is above what another agent of this cluster goes by at present. */
export const outliveNext = ({ disk }: Pick<Ports, "disk">, heardMs: number): void => void take(disk, heardMs);

function take(disk: Ports["disk"], bootMs: number): number {
  writeJson(disk, FILE, { bootMs });
  return bootMs;
}

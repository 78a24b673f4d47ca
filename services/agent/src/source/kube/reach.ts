/** Whether a cluster's API server is heard, of all its lists and watches as one. Pure. */
import type { HansaError } from "@hansa/core";

/** One list and watch. */
export interface Heard {
  readonly problem: HansaError | undefined;
  readonly staleSinceMs: number | undefined;
}

export interface Reach {
  /** With their codes; what keeps many kinds from being heard is told once. */
  readonly problems: readonly string[];
  readonly staleSinceMs?: number;
}

export function reachOf(heard: Iterable<Heard>): Reach {
  const told = new Map<string, string[]>();
  let staleSinceMs = Number.POSITIVE_INFINITY;
  for (const { problem, staleSinceMs: sinceMs = Number.POSITIVE_INFINITY } of heard) {
    staleSinceMs = Math.min(staleSinceMs, sinceMs);
    if (problem === undefined) continue;
    const [, what = "", why = problem.message] = /^\w+ ([^:]+): (.*)$/s.exec(problem.message) ?? [];
    const cause = `${problem.code} ${why}`;
    told.set(cause, [...(told.get(cause) ?? []), what]);
  }
  const problems = [...told].map(([cause, kinds]) => `${cause} (${kinds.sort().join(", ")})`);
  return { problems, ...(staleSinceMs === Number.POSITIVE_INFINITY ? {} : { staleSinceMs }) };
}

/** Sends N calls, at most C at once, at most R per second, and sums up what came of them. */
import { HansaError } from "@hansa/core";
import type { Caller, Outcome } from "./callers.ts";

export interface LoadOptions {
  /** Infinity: until stopped. */
  readonly count: number;
  readonly atOnce: number;
  /** Calls per second; 0: as fast as they return. */
  readonly rate: number;
}

export interface LoadSummary {
  readonly sent: number;
  readonly failed: number;
  readonly statuses: Readonly<Record<string, number>>;
  /** `cluster/workload` → calls. */
  readonly served: Readonly<Record<string, number>>;
  /** `cluster/replica` → calls. */
  readonly replicas: Readonly<Record<string, number>>;
  readonly callers: readonly string[];
  readonly latencyMs: { readonly p50: number; readonly p99: number };
  readonly firstFailure: {
    readonly number: number;
    readonly afterMs: number;
    readonly status: string;
    readonly detail: string;
  } | null;
}

export const CALLS_MAX = 10_000_000;
const LATENCIES_MAX = 200_000;

export class Tally {
  #sent = 0;
  #failed = 0;
  readonly #statuses = new Map<string, number>();
  readonly #served = new Map<string, number>();
  readonly #replicas = new Map<string, number>();
  readonly #callers = new Set<string>();
  readonly #latenciesMs: number[] = [];
  #firstFailure: LoadSummary["firstFailure"] = null;

  add(outcome: Outcome, afterMs: number): void {
    this.#sent += 1;
    bump(this.#statuses, outcome.status);
    if (outcome.served) {
      bump(this.#served, `${outcome.served.cluster}/${outcome.served.workload}`);
      bump(this.#replicas, `${outcome.served.cluster}/${outcome.served.replica}`);
      if (outcome.served.caller !== "" && this.#callers.size < 10) this.#callers.add(outcome.served.caller);
    }
    // Beyond the limit every later call replaces one in turn: a window over the latest calls.
    this.#latenciesMs[this.#sent % LATENCIES_MAX] = outcome.latencyMs;
    if (outcome.ok) return;
    this.#failed += 1;
    this.#firstFailure ??= {
      number: this.#sent,
      afterMs: Math.round(afterMs),
      status: outcome.status,
      detail: outcome.detail,
    };
  }

  summary(): LoadSummary {
    const sorted = this.#latenciesMs.filter((value) => value !== undefined).sort((a, b) => a - b);
    const quantile = (q: number) =>
      Number((sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0).toFixed(2));
    return {
      sent: this.#sent,
      failed: this.#failed,
      statuses: byCount(this.#statuses),
      served: byCount(this.#served),
      replicas: byCount(this.#replicas),
      callers: [...this.#callers].sort(),
      latencyMs: { p50: quantile(0.5), p99: quantile(0.99) },
      firstFailure: this.#firstFailure,
    };
  }
}

const bump = (map: Map<string, number>, key: string): void => void map.set(key, (map.get(key) ?? 0) + 1);
const byCount = (map: ReadonlyMap<string, number>): Record<string, number> =>
  Object.fromEntries([...map].sort(([nameA, a], [nameB, b]) => b - a || nameA.localeCompare(nameB)));

/** `each` sees the tally as it grows (for progress). A stopped run still answers with what it has. */
export async function runLoad(
  caller: Caller,
  options: LoadOptions,
  signal: AbortSignal,
  each: (tally: Tally) => void = () => {},
): Promise<LoadSummary> {
  if (options.count > CALLS_MAX && Number.isFinite(options.count))
    throw new HansaError("HSA1001", `-n ${options.count}: at most ${CALLS_MAX} calls`);
  const tally = new Tally();
  const startMs = performance.now();
  let begun = 0;
  const worker = async () => {
    while (begun < options.count && !signal.aborted) {
      const number = begun++;
      if (options.rate > 0) {
        const waitMs = startMs + (number * 1000) / options.rate - performance.now();
        if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
        if (signal.aborted) return;
      }
      tally.add(await caller.call(), performance.now() - startMs);
      each(tally);
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.atOnce, options.count) }, worker));
  caller.close();
  return tally.summary();
}

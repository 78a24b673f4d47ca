/** What a benchmark is. Each lives in a folder of its own and is listed in main.ts. */

/** One row of the table: a promise of the project, what was measured, and what it was measured against. */
export interface Figure {
  readonly figure: string;
  /** The number to reach, as text: `p99 ≤ 25 ms`. */
  readonly reach: string;
  readonly measured: string;
  /** The peer in the same run and its figure; absent where the figure has none. */
  readonly peer?: string;
  readonly kept: boolean;
}

export interface BenchContext {
  readonly seed: number;
  /** Few rounds: shows that the benchmark runs, not how fast anything is. */
  readonly quick: boolean;
  readonly log: (line: string) => void;
}

export interface Bench {
  readonly name: string;
  readonly about: string;
  run(context: BenchContext): Promise<readonly Figure[]>;
}

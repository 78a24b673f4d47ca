/** What the benchmark and its watchers tell each other. */

export type WatcherKind = "hansa" | "client-node";

/** `weigh` collects garbage first, which costs CPU. */
export type Order = "look" | "weigh";

/** A watcher's answer to any order. */
export interface Look {
  /** Adds, updates and removals seen. */
  readonly changes: number;
  readonly isSynced: boolean;
  /** User and system since the start of the process. */
  readonly cpuUs: number;
  /** Held beyond what the process held before it began, imports apart. */
  readonly heapBytes: number;
}

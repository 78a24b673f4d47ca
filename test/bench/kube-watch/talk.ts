/** What the benchmark and its watchers tell each other. */

/** `agent`: Services, exports, slices and pods as an agent reads them, and the facts that it makes of them. */
export type WatcherKind = "hansa" | "agent" | "client-node";

/** `weigh` collects garbage first, which costs CPU. */
export type Order = "look" | "weigh";

/** A watcher's answer to any order. */
export interface Look {
  /** Adds, updates and removals seen. */
  readonly changes: number;
  /** From its start, imports apart, to a whole cache; undefined until then. */
  readonly syncedMs: number | undefined;
  /** User and system since the start of the process. */
  readonly cpuUs: number;
  /** Held beyond what the process held before it began, imports apart. */
  readonly heapBytes: number;
  /** Made of what was first read; of an agent. */
  readonly facts: number;
}

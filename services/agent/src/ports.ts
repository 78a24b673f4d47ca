/** What the agent's parts ask of the outside world, so that a simulator can run them in virtual time. */
import type { Clock, Crypto, Log, Metrics, Random, Timers, Tracer } from "@hansa/core";

/** Whole small files, replaced atomically and durably. */
export interface Disk {
  read(name: string): Uint8Array | undefined;
  write(name: string, content: Uint8Array): void;
}

export interface Ports {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly crypto: Crypto;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly disk: Disk;
  /** Absent where nobody collects traces. */
  readonly tracer?: Tracer | undefined;
}

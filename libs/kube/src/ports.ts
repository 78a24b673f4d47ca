/** What this package asks of the outside world beside the API server. */
import type { Clock, Log, Metrics, Random, Timers } from "@hansa/core";

export interface KubePorts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
}

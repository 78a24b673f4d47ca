/** What every part of the hub is given. No part reaches for a clock, a timer, randomness or a file by itself. */

import type { HubBus } from "@hansa/bus";
import type { Clock, Log, Random, Timers } from "@hansa/core";
import type { Store } from "@hansa/store";
import type { MetricsRegistry } from "@hansa/telemetry";
import type { HubConfig } from "./config.ts";
import type { HubKeys } from "./keys.ts";

export interface Ports {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
}

export interface HubContext extends Ports {
  readonly config: HubConfig;
  readonly keys: HubKeys;
  readonly store: Store;
  readonly bus: HubBus;
}

/** What every part of the hub is given. No part reaches for a clock, a timer, randomness, a key or a file by itself. */

import type { HubBus, Issuer } from "@hansa/bus";
import type { Clock, Crypto, Log, Metrics, Random, Timers, Tracer } from "@hansa/core";
import type { Archive, Store } from "@hansa/store";
import type { MetricsRegistry } from "@hansa/telemetry";
import type { HubConfig } from "./config.ts";
import type { HubKeys } from "./keys.ts";

export interface Ports {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly crypto: Crypto;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
  /** Absent where nobody collects traces. */
  readonly tracer?: Tracer | undefined;
}

/** What a leader needs: the simulator gives it all of this without a database, a server or a file. */
export interface LeaderContext extends Omit<Ports, "metrics"> {
  readonly metrics: Metrics;
  readonly config: Pick<HubConfig, "nats" | "suspendMs" | "gapHoldMs">;
  readonly keys: Pick<HubKeys, "genesis" | "fingerprint" | "signer"> & {
    readonly issuer: Pick<Issuer, "hubAccount" | "issueAccount" | "issueUser">;
    readonly tls: { readonly certPem: string };
  };
  readonly store: Archive;
  readonly bus: HubBus;
}

export interface HubContext extends LeaderContext, Ports {
  readonly metrics: MetricsRegistry;
  readonly config: HubConfig;
  readonly keys: HubKeys;
  readonly store: Store;
}

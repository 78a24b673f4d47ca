/** The bus as a cluster's agent uses it, through the imports of its own account. */
import type { AccountKey } from "@hansa/core";
import type { LogBus } from "@hansa/events";
import { BusConnection, type ConnectionOptions } from "./connection.ts";
import { NatsLogBus } from "./nats-log-bus.ts";
import { CLUSTER_SUBJECTS } from "./subjects.ts";

export interface BusOptions extends Omit<ConnectionOptions, "name"> {
  readonly account: AccountKey;
  readonly name?: string;
}

/** Resolves at once; an unreachable server is retried in the background (see `LogBus.connection`). */
export function connectBus(options: BusOptions): Promise<LogBus> {
  const connection = new BusConnection({ ...options, name: options.name ?? "agent" });
  return Promise.resolve(new NatsLogBus(options.account, connection, CLUSTER_SUBJECTS));
}

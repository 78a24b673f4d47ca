/**
 * The bus as the hub uses it: its own log in its own account, plus what keeps the bus in shape: streams, account JWTs and
 * the projector's feed. Streams and accounts are checked at each connection and on a timer, so that a wiped store or
 * resolver mends by itself.
 */
import type { LogBus } from "@hansa/events";
import { pushAccount, pushMissingAccounts } from "./account-claims.ts";
import { BusConnection, type ConnectionOptions, reasonOf } from "./connection.ts";
import type { Issuer } from "./issuer.ts";
import { NatsLogBus } from "./nats-log-bus.ts";
import { type ConsumeOptions, type Consumption, consumeFed } from "./projector-feed.ts";
import { ensureStreams, type StreamSize } from "./streams.ts";
import { hubSubjects } from "./subjects.ts";

export type { ConsumeOptions, Consumption } from "./projector-feed.ts";

export interface HubBusOptions extends Omit<ConnectionOptions, "name" | "creds"> {
  readonly issuer: Issuer;
  readonly streams: StreamSize;
  /** Every account JWT in force, from the hub's store: pushed again where the resolver lost it. */
  readonly accounts: () => Promise<readonly string[]>;
}

export interface HubBus extends LogBus {
  /** Makes or mends both streams; answers the incarnation. A larger `size` raises the reserve. Throws HSA2010, HSA2002. */
  ensureStreams(size?: StreamSize): Promise<string>;
  /** Throws HSA2010, or HSA3001 where the server refuses the JWT. The caller has stored it before. */
  pushAccount(jwt: string): Promise<void>;
  /** One at a time per federation: the leader's. */
  consume(options: ConsumeOptions): Consumption;
}

const MAINTENANCE_MS = 10_000;

export async function connectHubBus(options: HubBusOptions): Promise<HubBus> {
  const { issuer, log, timers } = options;
  const own = new BusConnection({ ...options, name: "hub", creds: await issuer.hubCredentials() });
  const system = new BusConnection({
    ...options,
    name: "hub-accounts",
    creds: await issuer.systemCredentials(),
  });
  const bus = new NatsLogBus(issuer.hubAccount, own, hubSubjects(issuer.hubAccount));
  let size = options.streams;

  const attempt = async (what: string, work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      log.warn(`bus: ${what} failed`, { reason: reasonOf(error) });
    }
  };
  const mendStreams = () => attempt("keeping the streams", () => ensureStreams(own, size, options.random));
  const mendAccounts = () =>
    attempt("keeping the accounts", async () => {
      const pushed = await pushMissingAccounts(system, issuer.operatorKey, await options.accounts());
      if (pushed > 0) log.info("bus: account JWTs pushed again", { accounts: pushed });
    });
  const mend = (): void => {
    if (own.up) void mendStreams();
    if (system.up) void mendAccounts();
  };
  own.watch(mend);
  system.watch(mend);
  const timer = timers.every(MAINTENANCE_MS, mend);

  return Object.assign(bus, {
    ensureStreams: async (wanted: StreamSize = size): Promise<string> => {
      const larger = { ...wanted, sourcesMax: Math.max(wanted.sourcesMax, size.sourcesMax) };
      const incarnation = await ensureStreams(own, larger, options.random);
      size = larger;
      return incarnation;
    },
    pushAccount: (jwt: string) => pushAccount(system, issuer.operatorKey, jwt),
    consume: (consume: ConsumeOptions) => consumeFed(own, () => bus.incarnation(), consume),
    close: async () => {
      timer.cancel();
      await Promise.all([own.close(), system.close()]);
    },
  });
}

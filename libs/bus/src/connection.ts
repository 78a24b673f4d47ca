/**
 * One connection to NATS that is always on its way back: the first connect may fail and is retried in the background,
 * later losses are mended by the client. Subscriptions outlive connections. Nothing here knows streams or records.
 */
import { HansaError, type Log, type Random, type Timers, utf8 } from "@hansa/core";
import type { Unsubscribe } from "@hansa/events";
import { connect, Events, jwtAuthenticator, type Msg, type NatsConnection, type Subscription } from "nats";
import type { BusCredentials } from "./keys.ts";

export interface ConnectionOptions {
  /** `host:port` or `nats://host:port`. */
  readonly servers: readonly string[];
  readonly creds: BusCredentials;
  /** Shown in the server's connection list. */
  readonly name: string;
  readonly log: Log;
  readonly timers: Timers;
  readonly random: Random;
  /** PEM of the CA where the servers use TLS. */
  readonly caPem?: string;
  /** How long to wait for an answer. Default 5000: longer than a disk sync, shorter than a lease. */
  readonly requestTimeoutMs?: number;
}

const RETRY_FIRST_MS = 100;
const RETRY_MAX_MS = 1000;
const CONNECT_TIMEOUT_MS = 5000;
/** A server that is stopped, not dead, is noticed after two unanswered pings. */
const PING_INTERVAL_MS = 3000;
const REQUEST_TIMEOUT_MS = 5000;

interface KeptSubscription {
  readonly subject: string;
  readonly handle: (message: Msg) => void;
  live: Subscription | undefined;
}

export class BusConnection {
  readonly requestTimeoutMs: number;
  readonly timers: Timers;
  readonly log: Log;
  readonly #options: ConnectionOptions;
  readonly #kept = new Set<KeptSubscription>();
  readonly #watchers = new Set<(up: boolean) => void>();
  #client: NatsConnection | undefined;
  #up = false;
  #closed = false;
  #failures = 0;
  #refusal = "";
  #wake: (() => void) | undefined;
  readonly #running: Promise<void>;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.log = options.log;
    this.timers = options.timers;
    this.requestTimeoutMs = options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;
    this.#running = this.#run();
  }

  get up(): boolean {
    return this.#up;
  }

  /** Why the server does not let this account in; "" while it does, or while nobody answers. */
  get refusal(): string {
    return this.#refusal;
  }

  /** The live client. Throws HSA2010 while there is none: nothing is queued for a server that is away. */
  get client(): NatsConnection {
    if (this.#client === undefined || !this.#up)
      throw busDown(`not connected to ${this.#options.servers.join(", ")}`);
    return this.#client;
  }

  /** Calls at once with the present state, then at each change. */
  watch(handle: (up: boolean) => void): Unsubscribe {
    this.#watchers.add(handle);
    handle(this.#up);
    return () => this.#watchers.delete(handle);
  }

  /** What was known of the server's state is void although the connection held: as good as a new connection. */
  renewed(): void {
    if (this.#up) for (const handle of [...this.#watchers]) handle(true);
  }

  /** Active on the server when this resolves, where there is one; else from the next connection on. */
  async subscribe(subject: string, handle: (message: Msg) => void): Promise<Unsubscribe> {
    const kept: KeptSubscription = { subject, handle, live: undefined };
    this.#kept.add(kept);
    if (this.#up && this.#client !== undefined) {
      this.#activate(this.#client, kept);
      // A lost flush means a lost connection: the next one activates it.
      await this.#client.flush().catch(() => {});
    }
    return () => {
      this.#kept.delete(kept);
      kept.live?.unsubscribe();
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wake?.();
    await this.#client?.close();
    await this.#running;
    this.#kept.clear();
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      const client = await this.#connect();
      if (client !== undefined) await this.#serve(client);
      if (!this.#closed) await this.#pause(this.#delayMs());
    }
  }

  async #connect(): Promise<NatsConnection | undefined> {
    const { servers, creds, name, caPem } = this.#options;
    try {
      return await connect({
        servers: [...servers],
        name,
        authenticator: jwtAuthenticator(creds.jwt, utf8(creds.seed)),
        timeout: CONNECT_TIMEOUT_MS,
        maxReconnectAttempts: -1,
        // An account may be missing for a while after the resolver was wiped.
        ignoreAuthErrorAbort: true,
        reconnectDelayHandler: () => this.#delayMs(),
        pingInterval: PING_INTERVAL_MS,
        maxPingOut: 2,
        noAsyncTraces: true,
        ...(caPem === undefined ? {} : { tls: { ca: caPem } }),
      });
    } catch (error) {
      this.log.debug("bus: connect failed", { reason: reasonOf(error), attempt: this.#failures });
      this.#noteRefusal(reasonOf(error));
      return undefined;
    }
  }

  async #serve(client: NatsConnection): Promise<void> {
    if (this.#closed) return client.close();
    this.#client = client;
    for (const kept of this.#kept) this.#activate(client, kept);
    this.#setUp(true);
    // Not awaited: the client never ends this iterator, not even when it closes.
    void this.#follow(client);
    const failure = await client.closed();
    this.#setUp(false);
    this.#client = undefined;
    if (failure) this.log.warn("bus: connection closed", { reason: reasonOf(failure) });
  }

  async #follow(client: NatsConnection): Promise<void> {
    for await (const status of client.status()) {
      if (this.#client !== client) return;
      if (status.type === Events.Disconnect) this.#setUp(false);
      if (status.type === Events.Reconnect) this.#setUp(true);
      if (status.type !== Events.Error) continue;
      this.log.warn("bus: server error", { reason: String(status.data) });
      this.#noteRefusal(String(status.data));
    }
  }

  #noteRefusal(reason: string): void {
    if (!/authori[sz]ation|authentication|revoked/i.test(reason) || this.#refusal !== "") return;
    this.#refusal = `the server refuses this account's credentials (${reason}): its membership has ended, it is suspended, another agent has joined under its name since, or the hub has not handed the accounts out`;
    this.log.error("bus: refused", { code: "HSA2010", reason: this.#refusal });
  }

  #activate(client: NatsConnection, kept: KeptSubscription): void {
    kept.live = client.subscribe(kept.subject, {
      callback: (error, message) => {
        if (error === null) crashOnThrow(() => kept.handle(message));
        else this.log.warn("bus: subscription failed", { subject: kept.subject, reason: reasonOf(error) });
      },
    });
  }

  #setUp(up: boolean): void {
    if (up) {
      this.#failures = 0;
      this.#refusal = "";
    }
    if (up === this.#up) return;
    this.#up = up;
    this.log.info(up ? "bus: connected" : "bus: disconnected", {});
    for (const handle of [...this.#watchers]) handle(up);
  }

  /** Exponential from 100 ms to 1 s with ±50 % jitter, so that agents do not return all at once. */
  #delayMs(): number {
    const base = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(this.#failures, 10));
    this.#failures += 1;
    return base * (0.5 + this.#options.random.float());
  }

  async #pause(delayMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.timers.after(delayMs, resolve);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
    this.#wake = undefined;
  }
}

export const busDown = (reason: string): HansaError => new HansaError("HSA2010", `bus: ${reason}`);

export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The client would log what is thrown and end the subscription: an agent that hears nothing more, and does not know it. */
function crashOnThrow(run: () => void): void {
  try {
    run();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

/** What the hub has of the bus beside every agent: it keeps the streams, decides who may connect, and reads everything. */
import type { ConsumeOptions, Consumption, HubBus } from "@hansa/bus";
import type { AccountKey } from "@hansa/core";
import type { Machine } from "../kernel.ts";
import { type SimBusOptions, SimLogBus } from "../sim-bus.ts";

const MEND_MS = 10_000;
const BATCH_RECORDS_MAX = 1000;
const BATCH_WAIT_MS = 10;
const SILENCE_MAX_MS = 10_000;
const RETRY_MS = 500;

/** Stands for an account's JWT. */
export interface AccountClaims {
  readonly accountKey: AccountKey;
  readonly suspended: boolean;
}

export class SimHubBus extends SimLogBus implements HubBus {
  readonly #machine: Machine;
  #news: () => void = () => {};

  constructor(options: SimBusOptions) {
    super(options);
    this.#machine = options.machine;
    const mend = (): void => void this.ensureStreams().catch(() => {});
    this.connection((up) => {
      if (up) mend();
    });
    options.machine.timers.every(MEND_MS, mend);
  }

  ensureStreams(): Promise<string> {
    return this.request((broker) => {
      broker.ensureStream();
      return broker.incarnation;
    });
  }

  pushAccount(jwt: string): Promise<void> {
    return this.request((broker) => {
      const { accountKey, suspended } = JSON.parse(jwt) as AccountClaims;
      broker.suspend(accountKey, suspended);
    });
  }

  consume(options: ConsumeOptions): Consumption {
    let stopped = false;
    const isStopped = (): boolean => stopped;
    const run = async (): Promise<void> => {
      while (!stopped) {
        await this.#session(options, isStopped).catch(() => {});
        if (!stopped) await this.#machine.timers.sleep(RETRY_MS);
      }
    };
    const running = run();
    return {
      stop: async () => {
        stopped = true;
        this.#news();
        await running;
      },
    };
  }

  /** Until the connection ends: what comes after it may be another stream. */
  async #session({ start, handle }: ConsumeOptions, isStopped: () => boolean): Promise<void> {
    const incarnation = await this.incarnation();
    let from = Math.max(1, await start(incarnation));
    let connected = true;
    const unwatch = this.connection((up) => {
      connected &&= up;
      this.#news();
    });
    const unsubscribe = await this.tail(() => this.#news());
    try {
      while (connected && !isStopped()) {
        const batch = await this.read(null, from, BATCH_RECORDS_MAX);
        const last = batch.at(-1);
        if (last === undefined) await this.#silence();
        else if (
          await this.#handOn(
            () => handle(batch, incarnation),
            () => connected && !isStopped(),
          )
        )
          from = last.streamSeq + 1;
      }
    } finally {
      unwatch();
      unsubscribe();
    }
  }

  async #silence(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.#machine.timers.after(SILENCE_MAX_MS, resolve);
      this.#news = () => {
        timer.cancel();
        resolve();
      };
    });
    this.#news = () => {};
    await this.#machine.timers.sleep(BATCH_WAIT_MS);
  }

  /** False where the session ended before the batch was taken. */
  async #handOn(hand: () => Promise<void>, goesOn: () => boolean): Promise<boolean> {
    while (goesOn()) {
      try {
        await hand();
        return true;
      } catch {
        await this.#machine.timers.sleep(RETRY_MS);
      }
    }
    return false;
  }
}

/** Leads whenever it can, one term after the other: an archive that is away or led by another is asked again. */
import { isHansaError } from "@hansa/core";
import type { LeaderContext } from "../context.ts";
import { Leader } from "./leader.ts";

const RETRY_MS = 1000;

export type Role = "leader" | "standby" | "starting";

export interface TermsOptions {
  /** Before each attempt: an archive that is missing its tables gets them. */
  readonly prepare: () => Promise<void>;
  readonly onCommit: (position: number) => void;
  /** Where other hubs reach this one; default: nowhere. */
  readonly ownUrl?: string;
}

export class Terms {
  readonly #context: LeaderContext;
  readonly #options: TermsOptions;
  #leader: Leader | null = null;
  #role: Role = "starting";
  #stopped = false;
  #wake: () => void = () => {};

  constructor(context: LeaderContext, options: TermsOptions) {
    this.#context = context;
    this.#options = options;
  }

  get leader(): Leader | null {
    return this.#leader;
  }

  get role(): Role {
    return this.#role;
  }

  /** Until `stop`. Throws HSA1004 where the archive is another federation's: it does not become the right one by waiting. */
  async run(): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.#term();
      } catch (error) {
        if (isHansaError(error) && error.code === "HSA1004") throw error;
        this.#context.log.warn("hub: cannot lead yet", { reason: String(error) });
        this.#role = "starting";
      }
      if (!this.#stopped) await this.#pause();
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#wake();
  }

  /** One term of office, or one look at whether there is one to be had. */
  async #term(): Promise<void> {
    const { store, log } = this.#context;
    await this.#options.prepare();
    const leadership = await store.lead(this.#options.ownUrl);
    if (leadership === null) {
      this.#role = "standby";
      return;
    }
    const leader = new Leader(this.#context, leadership, this.#options.onCommit);
    try {
      await leader.start();
      this.#leader = leader;
      this.#role = "leader";
      log.info("hub: leads", { epoch: leadership.epoch });
      const stopping = new Promise<string>((resolve) => {
        this.#wake = () => resolve("");
        if (this.#stopped) resolve("");
      });
      const reason = await Promise.race([leader.ended, stopping]);
      if (reason !== "") log.warn("hub: leads no more", { reason });
    } finally {
      this.#leader = null;
      this.#role = "starting";
      await leader.stop();
      await leadership.resign().catch(() => {});
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#context.timers.after(RETRY_MS, resolve);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
      if (this.#stopped) this.#wake();
    });
  }
}

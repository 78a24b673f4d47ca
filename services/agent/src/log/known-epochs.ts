/**
 * The highest epoch of the own log that anybody knows of: an epoch is taken above it. Waits until the own membership is
 * known, since before it no peer's word can be verified, and until a peer has spoken.
 */
import type { AccountKey } from "@hansa/core";
import { EPOCH_LEAP_MAX, epochFloor, type Heartbeat, type Lane } from "@hansa/events";
import type { Federation } from "@hansa/model";
import type { Ports } from "../ports.ts";

/** How long the first look at others' heads may take before an epoch is taken without it. */
const HEADS_WAIT_MS = 3000;
/** A beat is due every 2 s: who was heard this recently knows what there is to know. */
const RECENT_MS = 2500;

/** What the stream holds of the own lane: its last record, nothing (never written, or wiped), or less than was written. */
export type Held = "some" | "none" | "less";

export class KnownEpochs {
  readonly #fed: Federation;
  readonly #account: AccountKey;
  readonly #ports: Pick<Ports, "timers" | "clock">;
  readonly #claimed = new Map<Lane, number>();
  #admit: (() => void) | undefined;
  readonly #admitted: Promise<void>;
  /** Monotonic ms of each other source's last beat. */
  readonly #heardMs = new Map<string, number>();
  readonly #waiting = new Set<() => void>();

  constructor(options: {
    readonly fed: Federation;
    readonly account: AccountKey;
    readonly ports: Pick<Ports, "timers" | "clock">;
  }) {
    this.#fed = options.fed;
    this.#account = options.account;
    this.#ports = options.ports;
    this.#admitted = new Promise((resolve) => {
      this.#admit = resolve;
    });
  }

  /** The fold knows this cluster's membership. True the first time. */
  admitted(): boolean {
    if (this.#admit === undefined) return false;
    this.#admit();
    this.#admit = undefined;
    return true;
  }

  /** A verified beat of somebody else. */
  heard(beat: Heartbeat): void {
    for (const { source, lane, epoch } of beat.known)
      if (source === this.#account && epoch > (this.#claimed.get(lane) ?? 0)) this.#claimed.set(lane, epoch);
    if (beat.source === this.#account) return;
    this.#heardMs.set(beat.source, this.#ports.clock.monotonicMs());
    for (const look of this.#waiting) look();
  }

  async highest(lane: Lane, held: Held): Promise<number> {
    await this.#admitted;
    const wait = this.#ports.timers.sleep(HEADS_WAIT_MS);
    // The first to speak may know nothing itself; where the stored heads are gone each is waited for to speak anew.
    if (held === "some") await Promise.race([this.#until(() => this.#heardMs.size > 0), wait]);
    else if (held === "none") await Promise.race([this.#until(this.#everybody()), wait]);
    else await wait;
    const folded = this.#fed.heads().filter((head) => head.source === this.#account && head.lane === lane);
    const known = Math.max(0, ...folded.map(({ epoch }) => epoch));
    const claimed = this.#claimed.get(lane) ?? 0;
    return this.isCredible(claimed, known) ? Math.max(known, claimed) : known;
  }

  /** Whether a peer's word on an own epoch may be true, where `known` is certain. */
  isCredible(claimed: number, known: number): boolean {
    return claimed <= Math.max(known, this.floor()) + EPOCH_LEAP_MAX;
  }

  floor(): number {
    return epochFloor(this.#fed.options.genesis, this.#ports.clock.nowMs());
  }

  /** Whether every other source was heard of late. */
  #everybody(): () => boolean {
    const sinceMs = this.#ports.clock.monotonicMs() - RECENT_MS;
    return () => {
      const present = this.#fed.members().filter(({ state }) => state === "active" || state === "draining");
      const accounts = [this.#fed.options.genesis.hubAccount, ...present.map(({ account }) => account)];
      return accounts.every(
        (account) =>
          account === this.#account || (this.#heardMs.get(account) ?? Number.NEGATIVE_INFINITY) >= sinceMs,
      );
    };
  }

  #until(holds: () => boolean): Promise<void> {
    if (holds()) return Promise.resolve();
    return new Promise((resolve) => {
      const look = (): void => {
        if (!holds()) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
    });
  }
}

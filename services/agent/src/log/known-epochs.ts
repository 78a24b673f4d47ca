/**
 * The highest epoch of the own log that anybody knows of: an epoch is taken above it. Waits until the own membership is
 * known, since before it no peer's word can be verified, and until a peer has spoken.
 */
import type { AccountKey } from "@hansa/core";
import type { Heartbeat, Lane } from "@hansa/events";
import type { Federation } from "@hansa/model";
import type { Ports } from "../ports.ts";

/** How long the first look at others' heads may take before an epoch is taken without it. */
const HEADS_WAIT_MS = 3000;
/** A claim about the own epochs that lies further ahead is a lie: nobody makes so many. */
export const EPOCH_LEAP_MAX = 1_000_000;

export class KnownEpochs {
  readonly #fed: Federation;
  readonly #account: AccountKey;
  readonly #ports: Pick<Ports, "timers">;
  readonly #claimed = new Map<Lane, number>();
  #admit: (() => void) | undefined;
  readonly #admitted: Promise<void>;
  #headsSeen: (() => void) | undefined;
  readonly #firstHeads: Promise<void>;

  constructor(options: {
    readonly fed: Federation;
    readonly account: AccountKey;
    readonly ports: Pick<Ports, "timers">;
  }) {
    this.#fed = options.fed;
    this.#account = options.account;
    this.#ports = options.ports;
    this.#admitted = new Promise((resolve) => {
      this.#admit = resolve;
    });
    this.#firstHeads = new Promise((resolve) => {
      this.#headsSeen = resolve;
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
    if (beat.source !== this.#account) this.#headsSeen?.();
  }

  /** `lost`: the stream lost records, and the stored heads with them. */
  async highest(lane: Lane, lost: boolean): Promise<number> {
    await this.#admitted;
    const wait = this.#ports.timers.sleep(HEADS_WAIT_MS);
    // Where the stored heads are gone each peer is waited for to speak once.
    await (lost ? wait : Promise.race([this.#firstHeads, wait]));
    const folded = this.#fed.heads().filter((head) => head.source === this.#account && head.lane === lane);
    const known = Math.max(0, ...folded.map(({ epoch }) => epoch));
    const claimed = this.#claimed.get(lane) ?? 0;
    return claimed <= known + EPOCH_LEAP_MAX ? Math.max(known, claimed) : known;
  }
}

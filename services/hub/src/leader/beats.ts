/**
 * Heartbeats: the hub's own, with the positions committed in Postgres, and what members' beats say. A beat changes no
 * register; it tells how far each member's proxies have come, and what others hold of the hub's log.
 */
import type { AccountKey } from "@hansa/core";
import {
  type BusBeat,
  decodeHeartbeat,
  HEARTBEAT_BYTES_MAX,
  type Head,
  type Heartbeat,
  isLaterBeat,
  signHeartbeat,
  verifyHeartbeat,
} from "@hansa/events";
import type { Federation } from "@hansa/model";
import type { LeaderContext } from "../context.ts";
import { RateGuard } from "../membership/rate-guard.ts";
import { Disputes } from "./disputes.ts";

export const BEAT_EVERY_MS = 2000;
/** Ten times what an agent sends; each one is verified by everybody. */
const BEAT_RATE = { recordsPerSecond: 5, bytesPerSecond: 5 * HEARTBEAT_BYTES_MAX };
/** Heads of one kind in one beat, so that it stays far below the bus's 64 KiB; a larger federation takes turns. */
const HEADS_PER_BEAT = 100;

export interface SeenBeat {
  readonly cluster: string;
  readonly beat: Heartbeat;
  /** Monotonic time of arrival. */
  readonly atMs: number;
}

export class Beats {
  readonly #hub: LeaderContext;
  readonly #disputes: Disputes;
  readonly #rates: RateGuard;
  readonly #onFlood: (cluster: string) => void;
  #bootMs = 0;
  #counter = 0;
  readonly #seen = new Map<AccountKey, SeenBeat>();

  /** `onFlood`: this member sends more beats than any agent does. */
  constructor(hub: LeaderContext, onFlood: (cluster: string) => void) {
    this.#hub = hub;
    this.#onFlood = onFlood;
    this.#rates = new RateGuard(hub.clock);
    this.#disputes = new Disputes(hub);
  }

  /**
   * Numbers this term's beats: higher than in every term before, also where the wall clock was set back, since commit
   * times never go back and epochs grow. A restored archive is older than the clock.
   */
  async open(epoch: number): Promise<void> {
    const { clock, store } = this.#hub;
    this.#bootMs = Math.max(clock.nowMs(), (await store.now()).committedMs) + epoch;
  }

  /** `contradicted`: claims of a taken beat to which the archive holds another record. */
  dispute(beat: Heartbeat, contradicted: readonly Head[], fed: Federation): void {
    this.#disputes.hear(beat, contradicted, fed);
  }

  /**
   * Takes a member's beat; undefined where it is not one, not newer, or not of a live member. The fold is asked and not
   * told: what beats say is in no archive, so no question about the past may depend on it.
   */
  take({ account, bytes }: BusBeat, fed: Federation): Heartbeat | undefined {
    const source = fed.source(account);
    if (source === undefined || source.cluster === "hub" || !source.live) return undefined;
    if (this.#rates.isAbove(account, 1, bytes.length, BEAT_RATE)) {
      this.#rates.forget(account);
      this.#onFlood(source.cluster);
      return undefined;
    }
    const signed = decodeHeartbeat(bytes);
    if (signed?.beat.source !== account) return undefined;
    const before = this.#seen.get(account)?.beat;
    if (before !== undefined && !isLaterBeat(signed.beat, before)) return undefined;
    if (!verifyHeartbeat(signed, source.signingKey, this.#hub.keys.fingerprint, this.#hub.crypto))
      return undefined;
    this.#seen.set(account, {
      cluster: source.cluster,
      beat: signed.beat,
      atMs: this.#hub.clock.monotonicMs(),
    });
    return signed.beat;
  }

  /** Members' last beats of this process's time. */
  seen(): readonly SeenBeat[] {
    return [...this.#seen.values()];
  }

  forget(account: AccountKey): void {
    this.#seen.delete(account);
  }

  send(own: Heartbeat["own"], known: readonly Head[], committed: readonly Head[]): Promise<void> {
    const { bus, keys, crypto } = this.#hub;
    this.#counter += 1;
    const evidence = this.#disputes.evidence(this.#counter);
    const beat: Heartbeat = {
      source: keys.issuer.hubAccount,
      bootMs: this.#bootMs,
      counter: this.#counter,
      own,
      known: this.#turn(known),
      acked: [],
      committed: this.#turn(committed),
      ...(evidence.length === 0 ? {} : { evidence }),
    };
    return bus.publishBeat(signHeartbeat(beat, keys.signer, keys.fingerprint, crypto));
  }

  #turn(heads: readonly Head[]): readonly Head[] {
    if (heads.length <= HEADS_PER_BEAT) return heads;
    const start = ((this.#counter - 1) * HEADS_PER_BEAT) % heads.length;
    return [...heads, ...heads].slice(start, start + HEADS_PER_BEAT);
  }
}

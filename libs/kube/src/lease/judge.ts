/**
 * Who holds a Lease (coordination.k8s.io/v1), judged without comparing clocks: another's lease has expired when its renewTime has not
 * changed for its whole duration on this machine's monotonic clock. Pure.
 */

export interface LeaseSettings {
  /** Others take the lease this long after they last saw it renewed. Whole seconds. */
  readonly durationMs: number;
  /** The holder stops counting itself as elected this long after it sent the last renewal that was accepted. Below `durationMs`. */
  readonly holdMs: number;
  /** Between two looks, or two renewals. */
  readonly everyMs: number;
}

/** A holder that dies is replaced within 12 s. */
export const LEASE_SETTINGS: LeaseSettings = { durationMs: 10_000, holdMs: 7_000, everyMs: 2_000 };

/** A Lease as read. */
export interface Lease {
  /** "" where it was given back. */
  readonly holder: string;
  /** As text: only whether it changes counts. */
  readonly renewTime: string;
  readonly durationMs: number;
}

/** More than can be under way within one Lease. */
const WRITES_KEPT = 8;

/** Both clocks: the monotonic one may stand still while a machine is suspended, the wall clock may be set back. */
export interface Instant {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

export class LeaseJudge {
  readonly #identity: string;
  readonly #settings: LeaseSettings;
  #seen: Lease | undefined;
  /** When the lease was first seen as it is. */
  #seenMs = 0;
  #heldFrom: Instant | undefined;
  /** renewTime of this process's last writes: whether one was accepted may be unknown. */
  readonly #written: string[] = [];

  constructor(identity: string, settings: LeaseSettings) {
    this.#identity = identity;
    this.#settings = settings;
  }

  /** Whether this process may take or renew what was just read. */
  mayTake(lease: Lease, nowMs: number): boolean {
    const before = this.#seen;
    if (before === undefined || before.holder !== lease.holder || before.renewTime !== lease.renewTime) {
      this.#seen = lease;
      this.#seenMs = nowMs;
    }
    if (lease.holder === "" || this.isOwn(lease)) return true;
    return nowMs - this.#seenMs >= Math.max(lease.durationMs, this.#settings.durationMs);
  }

  /**
   * This process's, or that of the one before it. Once it has written, what it did not write is another's under the same name: a
   * replacement that got a copy of the disk while this process stood still.
   */
  isOwn({ holder, renewTime }: Lease): boolean {
    return holder === this.#identity && (this.#written.length === 0 || this.#written.includes(renewTime));
  }

  /** A write is about to be sent. */
  writes(renewTime: string): void {
    this.#written.push(renewTime);
    if (this.#written.length > WRITES_KEPT) this.#written.shift();
  }

  /** A write of this process, sent at `sent`, was accepted. */
  accepted(sent: Instant): void {
    this.#heldFrom = sent;
  }

  /** Another holds it, or it was given back. */
  lost(): void {
    this.#heldFrom = undefined;
  }

  holds(now: Instant): boolean {
    const from = this.#heldFrom;
    if (from === undefined) return false;
    const { holdMs } = this.#settings;
    return now.monotonicMs - from.monotonicMs < holdMs && now.wallMs - from.wallMs < holdMs;
  }
}

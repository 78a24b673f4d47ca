/** SVIDs of everything that runs here: made in memory, renewed at half-life with jitter, never written to disk. */
import type { Clock, Log, Metrics, Random, SpiffeId, TimerHandle, Timers } from "@hansa/core";
import { type Authority, needsRenewal, newSvid, renewAtMs, type Svid } from "@hansa/identity";

const CHECK_MS = 5000;

interface Held {
  readonly svid: Svid;
  readonly jitter: number;
}

export interface SvidPoolOptions {
  readonly authority: Authority;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly ttlMs?: number;
  readonly onRenewed: (id: SpiffeId) => void;
}

export class SvidPool {
  readonly #options: SvidPoolOptions;
  readonly #held = new Map<SpiffeId, Held>();
  #timer: TimerHandle | undefined;

  constructor(options: SvidPoolOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = this.#options.timers.every(CHECK_MS, () => this.renewDue());
  }

  stop(): void {
    this.#timer?.cancel();
  }

  get(id: SpiffeId): Svid {
    return (this.#held.get(id) ?? this.#issue(id)).svid;
  }

  /** A fresh one with its own key, for a tool outside; not renewed. */
  issueOnce(id: SpiffeId): Svid {
    this.#options.metrics.count("hansa_certificates_issued_total", { kind: "outside" });
    return newSvid(this.#options.authority, id, this.#ttl());
  }

  /** Forgets identities that nothing here uses any more. */
  keep(ids: ReadonlySet<SpiffeId>): void {
    for (const id of this.#held.keys()) if (!ids.has(id)) this.#held.delete(id);
  }

  /** One SVID that fails to renew holds up no other; the old one serves until it ends. */
  renewDue(): void {
    const { clock, log, onRenewed } = this.#options;
    for (const [id, { svid, jitter }] of [...this.#held]) {
      if (!needsRenewal(svid, clock, jitter)) continue;
      try {
        this.#issue(id);
        onRenewed(id);
      } catch (error) {
        log.error("identity: an SVID cannot be renewed", { code: "HSA3008", id, reason: String(error) });
      }
    }
  }

  /** Time left, of the CA and of the SVID that ends first. */
  measure(): void {
    const { clock, metrics, authority } = this.#options;
    const left = (notAfterMs: number): number => (notAfterMs - clock.nowMs()) / 1000;
    metrics.gauge("hansa_certificate_expiry_seconds", left(authority.notAfterMs), { kind: "ca" });
    const ends = [...this.#held.values()].map(({ svid }) => svid.notAfterMs);
    if (ends.length > 0)
      metrics.gauge("hansa_certificate_expiry_seconds", left(Math.min(...ends)), { kind: "svid" });
  }

  /** For the admin API: no keys. */
  list(): { id: SpiffeId; notBeforeMs: number; notAfterMs: number; renewAtMs: number }[] {
    return [...this.#held].map(([id, { svid, jitter }]) => ({
      id,
      notBeforeMs: svid.notBeforeMs,
      notAfterMs: svid.notAfterMs,
      renewAtMs: Math.round(renewAtMs(svid, jitter)),
    }));
  }

  #ttl(): { ttlMs?: number } {
    return this.#options.ttlMs === undefined ? {} : { ttlMs: this.#options.ttlMs };
  }

  #issue(id: SpiffeId): Held {
    const svid = newSvid(this.#options.authority, id, this.#ttl());
    this.#options.metrics.count("hansa_certificates_issued_total", { kind: "svid" });
    const held = { svid, jitter: this.#options.random.float() };
    this.#held.set(id, held);
    return held;
  }
}

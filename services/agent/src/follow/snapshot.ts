/** The folded federation on disk, so that a restart serves before it has reached the bus (design §6). */
import type { TimerHandle } from "@hansa/core";
import { type BusRecord, fingerprintOf, type Genesis } from "@hansa/events";
import { Federation } from "@hansa/model";
import { readJson, writeJson } from "../disk.ts";
import type { Ports } from "../ports.ts";
import { type CursorState, Cursors } from "./cursors.ts";
import type { Journal } from "./journal.ts";

const FILE = "federation.json";
const SOON_MS = 50;
const SAVE_EVERY_MS = 30_000;
/** A dump stops the loop for as long as it takes: so at most for this part of the time, the journal has the rest. */
const SAVE_TIME_SHARE = 1 / 2000;
/** Some 50 000 records, which a restart folds again. */
export const JOURNAL_BYTES_MAX = 64 * 1024 * 1024;

interface Saved {
  readonly fingerprint: string;
  readonly cursors: CursorState;
  readonly dump: unknown;
}

export interface Restored {
  readonly fed: Federation;
  readonly cursors: CursorState | undefined;
}

/** The last snapshot and what was folded after it. A snapshot that is not usable costs a bootstrap, nothing more. */
export function restoreFederation(
  genesis: Genesis,
  journal: Journal,
  ports: Pick<Ports, "disk" | "crypto" | "log">,
): Restored {
  const options = { genesis, crypto: ports.crypto };
  const saved = readJson(ports.disk, FILE) as Saved | undefined;
  const mine = saved?.fingerprint === fingerprintOf(genesis, ports.crypto);
  const fed = mine ? Federation.restore(saved?.dump, options) : undefined;
  if (saved !== undefined && fed === undefined) {
    ports.log.warn("snapshot: not usable; the stream is read from its beginning");
    journal.clear();
  }
  const restored = fed ?? new Federation(options);
  const cursors = new Cursors(fed === undefined ? undefined : saved?.cursors);
  const later = journal.read();
  for (const record of later) {
    // What was served over a hole is served over it again. The journal also holds what was refused: nothing is trusted.
    restored.apply(record, { acceptGap: true });
    cursors.heard(record);
  }
  // Without a snapshot the journal does not know which stream it is of: then everything is read again.
  return { fed: restored, cursors: fed === undefined ? undefined : cursors.state() };
}

export interface SnapshotOptions {
  readonly fed: Federation;
  readonly genesis: Genesis;
  readonly cursors: () => CursorState;
  readonly journal: Journal;
  readonly ports: Pick<Ports, "disk" | "crypto" | "timers" | "clock">;
}

export class SnapshotSaver {
  readonly #options: SnapshotOptions;
  #timer: TimerHandle | undefined;
  #savedMs = Number.NEGATIVE_INFINITY;
  #saveTookMs = 0;
  #dirty = false;
  #parked = 0;
  #stopped = false;

  constructor(options: SnapshotOptions) {
    this.#options = options;
  }

  /** Saves soon after a quiet time, and at most every few seconds under load; the journal covers the time between. */
  folded(record: BusRecord): void {
    const { journal, fed } = this.#options;
    journal.append(record);
    this.#dirty = true;
    // Neither the journal nor the last snapshot need hold what has just been released.
    const released = fed.parkedCount < this.#parked;
    this.#parked = fed.parkedCount;
    if (released || journal.sizeBytes() > JOURNAL_BYTES_MAX) {
      this.save();
      return;
    }
    if (this.#timer !== undefined || this.#stopped) return;
    const { clock, timers } = this.#options.ports;
    const pauseMs = Math.max(SAVE_EVERY_MS, this.#saveTookMs / SAVE_TIME_SHARE);
    const waitMs = Math.max(SOON_MS, this.#savedMs + pauseMs - clock.monotonicMs());
    this.#timer = timers.after(waitMs, () => {
      this.#timer = undefined;
      this.save();
    });
  }

  save(): void {
    if (!this.#dirty) return;
    this.#dirty = false;
    const { fed, genesis, ports, cursors } = this.#options;
    this.#savedMs = ports.clock.monotonicMs();
    const saved: Saved = {
      fingerprint: fingerprintOf(genesis, ports.crypto),
      cursors: cursors(),
      dump: fed.dump(),
    };
    writeJson(ports.disk, FILE, saved);
    this.#options.journal.clear();
    this.#saveTookMs = ports.clock.monotonicMs() - this.#savedMs;
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.save();
  }
}

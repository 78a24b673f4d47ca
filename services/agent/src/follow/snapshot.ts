/** The folded federation on disk, so that a restart serves before it has reached the bus (design §6). */
import type { TimerHandle } from "@hansa/core";
import { fingerprintOf, type Genesis } from "@hansa/events";
import { Federation } from "@hansa/model";
import { readJson, writeJson } from "../disk.ts";
import type { Ports } from "../ports.ts";
import type { CursorState } from "./cursors.ts";

const FILE = "federation.json";
const SOON_MS = 50;
const SAVE_EVERY_MS = 3000;

interface Saved {
  readonly fingerprint: string;
  readonly cursors: CursorState;
  readonly dump: unknown;
}

export interface Restored {
  readonly fed: Federation;
  readonly cursors: CursorState | undefined;
}

export function restoreFederation(genesis: Genesis, ports: Pick<Ports, "disk" | "crypto" | "log">): Restored {
  const options = { genesis, crypto: ports.crypto };
  const saved = readJson(ports.disk, FILE) as Saved | undefined;
  if (saved !== undefined && saved.fingerprint === fingerprintOf(genesis, ports.crypto)) {
    const fed = Federation.restore(saved.dump, options);
    if (fed !== undefined) return { fed, cursors: saved.cursors };
    ports.log.warn("snapshot: not usable; the stream is read from its beginning");
  }
  return { fed: new Federation(options), cursors: undefined };
}

export interface SnapshotOptions {
  readonly fed: Federation;
  readonly genesis: Genesis;
  readonly cursors: () => CursorState;
  readonly ports: Pick<Ports, "disk" | "crypto" | "timers" | "clock">;
}

export class SnapshotSaver {
  readonly #options: SnapshotOptions;
  #timer: TimerHandle | undefined;
  #savedMs = Number.NEGATIVE_INFINITY;
  #dirty = false;
  #stopped = false;

  constructor(options: SnapshotOptions) {
    this.#options = options;
  }

  /** Saves soon after a quiet time, and at most every few seconds under load. */
  changed(): void {
    this.#dirty = true;
    if (this.#timer !== undefined || this.#stopped) return;
    const { clock, timers } = this.#options.ports;
    const waitMs = Math.max(SOON_MS, this.#savedMs + SAVE_EVERY_MS - clock.monotonicMs());
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
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.save();
  }
}

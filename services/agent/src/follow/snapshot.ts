/** The folded federation on disk, so that a restart serves before it has reached the bus (design §6). */
import { fingerprintOf, type Genesis } from "@hansa/events";
import { Federation } from "@hansa/model";
import { readJson, writeJson } from "../disk.ts";
import type { Ports } from "../ports.ts";
import type { CursorState } from "./cursors.ts";

const FILE = "federation.json";
const SAVE_MS = 3000;

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
  readonly ports: Pick<Ports, "disk" | "crypto" | "timers">;
}

export class SnapshotSaver {
  readonly #options: SnapshotOptions;
  #dirty = false;
  #stop: () => void = () => {};

  constructor(options: SnapshotOptions) {
    this.#options = options;
  }

  start(): void {
    const timer = this.#options.ports.timers.every(SAVE_MS, () => this.save());
    this.#stop = () => timer.cancel();
  }

  changed(): void {
    this.#dirty = true;
  }

  save(): void {
    if (!this.#dirty) return;
    this.#dirty = false;
    const { fed, genesis, ports, cursors } = this.#options;
    const saved: Saved = {
      fingerprint: fingerprintOf(genesis, ports.crypto),
      cursors: cursors(),
      dump: fed.dump(),
    };
    writeJson(ports.disk, FILE, saved);
  }

  stop(): void {
    this.#stop();
    this.save();
  }
}

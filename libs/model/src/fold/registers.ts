/**
 * Registers of one lane of one source: last writer wins by place, snapshots sweep, the digest follows. Values are kept
 * whatever their effect; who may see them is effect.ts.
 */
import type { Crypto } from "@hansa/core";
import { type Event, type Lane, LaneDigest, type SnapshotComplete, valueHash } from "@hansa/events";
import { comparePlaces, type Place, type Rank } from "./place.ts";
import type { RegisterView } from "./types.ts";

export interface StoredRegister {
  readonly key: string;
  readonly type: string;
  readonly place: Place;
  readonly at: number;
  /** Hash of the value as sent; null for a tombstone. */
  readonly hash: string | null;
  /** undefined for a tombstone and for values of a newer version. */
  readonly view: RegisterView | undefined;
}

interface OpenSnapshot {
  readonly id: string;
  readonly begin: Place;
}

/** Told of every register that becomes another: index and trust follow it. */
export type OnChange = (before: StoredRegister | undefined, after: StoredRegister | undefined) => void;

/** `none`: it ends no snapshot that is whole here. */
export type SnapshotEnd = "complete" | "mismatch" | "none";

export interface RegistersDump {
  readonly snapshot: OpenSnapshot | null;
  readonly registers: readonly (Omit<StoredRegister, "view"> & { readonly value?: unknown })[];
}

export class Registers {
  readonly lane: Lane;
  readonly #crypto: Crypto;
  readonly #rank: Rank;
  readonly #onChange: OnChange;
  readonly #registers = new Map<string, StoredRegister>();
  readonly #digest: LaneDigest;
  #snapshot: OpenSnapshot | undefined;

  constructor(lane: Lane, crypto: Crypto, rank: Rank, onChange: OnChange) {
    this.lane = lane;
    this.#crypto = crypto;
    this.#rank = rank;
    this.#onChange = onChange;
    this.#digest = new LaneDigest(crypto);
  }

  /** With tombstones. */
  get size(): number {
    return this.#registers.size;
  }

  get liveCount(): number {
    return this.#digest.count;
  }

  get snapshotOpen(): boolean {
    return this.#snapshot !== undefined;
  }

  digest(): string {
    return this.#digest.digest();
  }

  get(key: string): StoredRegister | undefined {
    return this.#registers.get(key);
  }

  all(): Iterable<StoredRegister> {
    return this.#registers.values();
  }

  /** New registers that these events would make. */
  countNew(events: readonly Event[]): number {
    return events.filter((event) => event.key !== "" && !this.#registers.has(event.key)).length;
  }

  /** Sets one register unless what is held stands later. An event without a key has no effect. */
  set(event: Event, canonical: string, place: Place): void {
    if (event.key === "") return;
    const before = this.#registers.get(event.key);
    if (before !== undefined && comparePlaces(before.place, place, this.#rank) >= 0) return;
    const { type, key, at } = event;
    const hash = event.data === null ? null : valueHash(canonical, this.#crypto);
    if (before !== undefined && before.hash === hash && before.type === type) {
      this.#registers.set(key, { ...before, place, at });
      return;
    }
    const after = { key, type, place, at, hash, view: this.#view(event, place) };
    this.#registers.set(key, after);
    this.#digest.set(key, hash);
    this.#onChange(before, after);
  }

  #view(event: Event, place: Place): RegisterView | undefined {
    if ("unknown" in event || event.data === null) return undefined;
    const { type, key, at, data } = event;
    const position = { epoch: place.epoch, seq: place.seq };
    return { type, key, lane: this.lane, value: data, position, at } as RegisterView;
  }

  // === snapshots ===

  begin(id: string, place: Place): void {
    this.#snapshot = { id, begin: place };
  }

  /** Something is missing: the snapshot under way proves nothing about what it does not repeat. */
  breakSnapshot(): void {
    this.#snapshot = undefined;
  }

  /** Sweeps what the snapshot did not repeat, if the digest then equals the writer's; else changes nothing. */
  complete({ id, digest, count }: SnapshotComplete): SnapshotEnd {
    const snapshot = this.#snapshot;
    if (snapshot === undefined || snapshot.id !== id) return "none";
    this.#snapshot = undefined;
    const old = [...this.#registers.values()].filter(
      (register) => comparePlaces(register.place, snapshot.begin, this.#rank) < 0,
    );
    for (const { key } of old) this.#digest.set(key, null);
    if (this.#digest.digest() !== digest || this.#digest.count !== count) {
      for (const { key, hash } of old) this.#digest.set(key, hash);
      return "mismatch";
    }
    for (const register of old) {
      this.#registers.delete(register.key);
      if (register.hash !== null) this.#onChange(register, undefined);
    }
    return "complete";
  }

  // === dump ===

  dump(): RegistersDump {
    const registers = [...this.#registers.values()].map(({ view, ...rest }) =>
      view === undefined ? rest : { ...rest, value: view.value },
    );
    return { snapshot: this.#snapshot ?? null, registers };
  }

  restore(dump: RegistersDump): void {
    this.#snapshot = dump.snapshot ?? undefined;
    for (const { value, ...rest } of dump.registers) {
      const { type, key, at, place } = rest;
      const position = { epoch: place.epoch, seq: place.seq };
      const view =
        value === undefined
          ? undefined
          : ({ type, key, lane: this.lane, value, position, at } as RegisterView);
      const register = { ...rest, view };
      this.#registers.set(key, register);
      this.#digest.set(key, rest.hash);
      if (rest.hash !== null) this.#onChange(undefined, register);
    }
  }
}

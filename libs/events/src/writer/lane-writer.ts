/**
 * Writer of one lane: turns wanted register values into signed records, one in flight at a time (design §3). Pure: the
 * caller publishes, reads and persists.
 *
 * Use: set all facts; `synced()` once the source of facts is complete (a cache that is not synced never writes);
 * `open(last own record on the bus, highest epoch seen)` when elected; then loop: `next()` → publish → `stored(seq)`,
 * or, on a refused or unknown outcome, read the subject's last record and call `refused(last)`. "retry" = call `next()`
 * again; "fenced" = another writer has taken over: keep serving, write again only after the next election and `open`.
 *
 * Changes that wait are coalesced by key. A record once formed is never formed anew: it is offered verbatim until it is
 * stored or given up together with its epoch. Persist `position()` before each publish; with `state()` as well a
 * restart can continue its epoch, with a position alone it begins a new one with a snapshot.
 */
import { assert } from "@hansa/core";
import { type PreparedEvent, prepareEvent } from "../decode.ts";
import { LaneDigest } from "../digest.ts";
import type { Head, RegisterEvent } from "../event.ts";
import { laneOf } from "../keys.ts";
import { EVENTS_PER_RECORD_MAX } from "../limits.ts";
import type { BusRecord } from "../log-bus.ts";
import { keyIdOf, recordHash, signRecord, ZERO_HASH } from "../record.ts";
import { currentVersion } from "../upcast.ts";
import { Batch, type Outgoing, outgoingOf } from "./batch.ts";
import type { InFlight, OpenSnapshot } from "./progress.ts";
import { SnapshotCadence } from "./snapshot-cadence.ts";
import type { LanePosition, LaneState, LaneWriterOptions, Publication } from "./types.ts";
import { judge, type LastRecord, readLast } from "./verdict.ts";

/** Of a record with changes, while a snapshot is under way: so that neither they nor the snapshot wait for the other. */
const SNAPSHOT_SHARE = EVENTS_PER_RECORD_MAX / 2;
/** Of one that nobody waits for. */
const CALM_SHARE = 10;

export class LaneWriter {
  readonly #options: LaneWriterOptions;
  readonly #keyId: string;
  /** Live registers as the source of facts wants them. */
  readonly #wanted = new Map<string, Outgoing>();
  /** Live registers as of the last record formed. */
  readonly #formed = new Map<string, Outgoing>();
  /** Changes that are in no record yet. */
  readonly #pending = new Map<string, Outgoing>();
  /** Digest over stored records, or over the one in flight too while `#digestAtHead` is set. */
  #digest: LaneDigest;
  #digestAtHead: string | undefined;
  #epoch: number;
  #seq: number;
  #hash: string;
  #streamSeq = 0;
  #stored: { readonly epoch: number; readonly seq: number; readonly hash: string } | undefined;
  #inFlight: InFlight | undefined;
  #snapshot: OpenSnapshot | undefined;
  readonly #cadence: SnapshotCadence;
  #synced = false;
  #mode: "closed" | "open" | "fenced" = "closed";
  readonly #resumable: boolean;
  /** The wall-clock label of markers: the latest `at` seen. */
  #lastAt = 0;

  constructor(options: LaneWriterOptions) {
    const { restored, crypto, signer } = options;
    this.#options = options;
    this.#keyId = keyIdOf(signer.publicKey, crypto);
    this.#digest = new LaneDigest(crypto);
    this.#epoch = restored?.epoch ?? 0;
    this.#seq = restored?.seq ?? 0;
    this.#hash = restored?.head ?? ZERO_HASH;
    // When the last snapshot was is not kept: no longer ago than the epoch.
    this.#cadence = new SnapshotCadence(this.#seq);
    this.#resumable = restored !== undefined && "registers" in restored && !restored.snapshotOpen;
    if (restored !== undefined && "registers" in restored)
      for (const event of restored.registers) this.#restore(event);
  }

  get mode(): "closed" | "open" | "fenced" {
    return this.#mode;
  }

  /** Changes that are in no record yet. */
  get pendingCount(): number {
    return this.#pending.size;
  }

  // === facts ===

  /** Sets a register. A value equal to the wanted one changes nothing. Answers why an event is refused (HSA2002). */
  set(event: RegisterEvent): string | undefined {
    if (laneOf(event.type) !== this.#options.lane)
      return `${event.key}: ${event.type} does not travel on this lane`;
    if (event.data === null) {
      this.remove(event.key, event.at);
      return undefined;
    }
    const prepared = prepareEvent(event);
    if (typeof prepared === "string") return prepared;
    const outgoing = this.#outgoing(prepared);
    if (this.#wanted.get(event.key)?.hash === outgoing.hash) return undefined;
    this.#wanted.set(event.key, outgoing);
    if (this.#formed.get(event.key)?.hash === outgoing.hash) this.#pending.delete(event.key);
    else this.#pending.set(event.key, outgoing);
    return undefined;
  }

  /** Writes a tombstone where the register is live. */
  remove(key: string, atMs: number): void {
    const wanted = this.#wanted.get(key);
    if (wanted === undefined) return;
    this.#wanted.delete(key);
    this.#pending.delete(key);
    // In an epoch that has not repeated the key yet, readers may still hold it from the epoch before.
    if (!this.#formed.has(key) && this.#snapshot === undefined) return;
    const { type } = wanted.event;
    const tombstone = { type, v: currentVersion(type), key, at: atMs, data: null } as RegisterEvent;
    const prepared = prepareEvent(tombstone);
    assert(typeof prepared !== "string", `a tombstone of ${key} is refused`);
    this.#pending.set(key, this.#outgoing(prepared));
  }

  /** Keys of the registers that are wanted now. */
  keys(): Iterable<string> {
    return this.#wanted.keys();
  }

  wanted(key: string): RegisterEvent | undefined {
    return this.#wanted.get(key)?.event;
  }

  /** All facts are set: writing may begin. */
  synced(): void {
    this.#synced = true;
  }

  // === epochs ===

  /**
   * Takes the lane after an election. Continues the epoch where the whole state was restored and the bus ends with
   * exactly its last record; else begins a new epoch above all seen, with a snapshot.
   */
  open(last: BusRecord | null, highestSeen: number): "continued" | "new-epoch" {
    this.#streamSeq = last?.streamSeq ?? 0;
    const seen = Math.max(highestSeen, last?.record.header.epoch ?? 0);
    const same = last !== null && recordHash(last.record, this.#options.crypto) === this.#hash;
    if (same && this.#resumable && this.#mode === "closed" && seen === this.#epoch) {
      this.#mode = "open";
      this.#stored = { epoch: this.#epoch, seq: this.#seq, hash: this.#hash };
      return "continued";
    }
    // A record that was formed and then lost with its process is known to nobody: the chain goes on from what is stored.
    if (last !== null && this.#read(last).own) this.#hash = recordHash(last.record, this.#options.crypto);
    this.startEpoch(seen);
    return "new-epoch";
  }

  /** Begins an epoch above every one seen, with a snapshot; what was in flight is given up. Lifts a fence. */
  startEpoch(highestSeen: number): void {
    this.#mode = "open";
    this.#epoch = Math.max(1 + Math.max(this.#epoch, highestSeen), this.#options.epochFloor?.() ?? 0);
    this.#seq = 0;
    this.#hash = this.#stored?.hash ?? this.#inFlight?.record.header.prev ?? this.#hash;
    this.#stored = undefined;
    this.#inFlight = undefined;
    this.#formed.clear();
    this.#digest = new LaneDigest(this.#options.crypto);
    this.#digestAtHead = undefined;
    this.#snapshot = undefined;
    // The snapshot brings the values that wait, and first of all; changes to come must not queue behind them.
    const waiting = [...this.#pending.values()].filter(({ hash }) => hash !== null);
    for (const { event } of waiting) this.#pending.delete(event.key);
    this.#beginSnapshot(waiting.map(({ event }) => event.key));
  }

  /** A snapshot within the present epoch. Nothing where one is under way. */
  requestSnapshot(): void {
    if (this.#snapshot === undefined) this.#beginSnapshot([]);
    else this.#snapshot.isCalm = false;
  }

  #beginSnapshot(first: readonly string[], isCalm = false): void {
    const remaining = new Set([...first, ...this.#wanted.keys(), ...this.#pending.keys()]);
    this.#snapshot = { id: `${this.#epoch}.${this.#seq}`, remaining, begun: false, isCalm };
  }

  /** True until the last requested snapshot is in a record. */
  get snapshotOpen(): boolean {
    return this.#snapshot !== undefined;
  }

  // === records ===

  /** null: nothing to send, one in flight already, not synced, or not open. */
  next(): Publication | null {
    if (this.#mode !== "open" || !this.#synced) return null;
    if (this.#inFlight === undefined) this.#form();
    const inFlight = this.#inFlight;
    if (inFlight === undefined || inFlight.offered) return null;
    inFlight.offered = true;
    const { record, isCalm } = inFlight;
    return { record, expectedStreamSeq: this.#streamSeq, isCalm };
  }

  stored(streamSeq: number): void {
    const inFlight = this.#inFlight;
    assert(inFlight !== undefined, "stored() without a record in flight");
    if (this.#digestAtHead === undefined) this.#applyToDigest(inFlight.changes);
    this.#digestAtHead = undefined;
    this.#inFlight = undefined;
    this.#streamSeq = streamSeq;
    this.#stored = { epoch: this.#epoch, seq: this.#seq, hash: this.#hash };
  }

  /**
   * After a refused or unknown outcome: `last` is the subject's last record, null where it has none; `highestSeen` the
   * highest epoch of this lane that anyone names: a wiped stream no longer shows a rival's.
   */
  refused(last: BusRecord | null, highestSeen = 0): "retry" | "fenced" {
    const inFlight = this.#inFlight;
    if (inFlight === undefined) return "retry";
    const streamSeq = last?.streamSeq ?? 0;
    const standing = {
      epoch: this.#epoch,
      keyId: this.#keyId,
      inFlight: inFlight.hash,
      stored: this.#stored,
      overtaken: streamSeq !== this.#streamSeq || highestSeen >= this.#epoch,
    };
    this.#streamSeq = streamSeq;
    switch (judge(last && this.#read(last), standing)) {
      case "stored":
        this.stored(this.#streamSeq);
        return "retry";
      case "again":
        inFlight.offered = false;
        return "retry";
      case "new-epoch":
        this.startEpoch(highestSeen);
        return "retry";
      case "fenced":
        this.#mode = "fenced";
        this.#inFlight = undefined;
        return "fenced";
    }
  }

  #read(last: BusRecord): LastRecord {
    return readLast(last, this.#options);
  }

  // === state ===

  /** Last stored record and the digest of the lane there; undefined before the first of this run. */
  head(): (Head & { readonly digest: string }) | undefined {
    if (this.#stored === undefined) return undefined;
    const { epoch, seq, hash } = this.#stored;
    const { source, lane } = this.#options;
    return { source, lane, epoch, seq, head: hash, digest: this.#digestAtHead ?? this.#digest.digest() };
  }

  position(): LanePosition {
    return { epoch: this.#epoch, seq: this.#seq, head: this.#hash };
  }

  state(): LaneState {
    const registers = [...this.#formed.values()].map((outgoing) => outgoing.event);
    return { ...this.position(), registers, snapshotOpen: this.#snapshot !== undefined };
  }

  // === forming ===

  #form(): void {
    if (this.#pending.size === 0 && this.#snapshot === undefined) return;
    if (this.#snapshot === undefined && this.#cadence.isDue) this.#beginSnapshot([], true);
    const batch = new Batch();
    const { source, lane, signer, fingerprint, crypto } = this.#options;
    const isCalm = this.#fill(batch);
    const place = { source, lane, epoch: this.#epoch, seq: this.#seq + 1, prev: this.#hash };
    const traceparent = this.#options.traceparent?.() ?? "";
    const header = { ...place, key: this.#keyId, traceparent };
    const record = signRecord(header, batch.body(), signer, fingerprint, crypto);
    const hash = recordHash(record, crypto);
    this.#seq += 1;
    this.#hash = hash;
    this.#cadence.formed();
    this.#inFlight = { record, hash, changes: batch.changes, isCalm, offered: false };
  }

  /** Whether it holds a calm snapshot's part alone. */
  #fill(batch: Batch): boolean {
    const snapshot = this.#snapshot;
    if (snapshot !== undefined && !snapshot.begun) {
      snapshot.begun = true;
      this.#cadence.began(snapshot.remaining.size);
      batch.addMarker({ type: "SnapshotBegin", v: 1, key: "", at: this.#lastAt, data: { id: snapshot.id } });
    }
    const isPatient = snapshot?.isCalm === true && !this.#cadence.isLate;
    const share = isPatient ? CALM_SHARE : SNAPSHOT_SHARE;
    const freshMax = EVENTS_PER_RECORD_MAX - (snapshot === undefined ? 0 : share);
    for (const outgoing of this.#pending.values())
      if (batch.changes.length >= freshMax || !this.#take(batch, outgoing)) break;
    if (snapshot === undefined) return false;
    const freshCount = batch.changes.length;
    const isCalm = isPatient && freshCount === 0;
    const countMax = isPatient && !isCalm ? freshCount + CALM_SHARE : EVENTS_PER_RECORD_MAX;
    for (const key of snapshot.remaining) {
      if (batch.changes.length >= countMax) return false;
      // What readers sweep because it was not repeated must be gone from the writer's digest too.
      const outgoing = this.#wanted.get(key) ?? this.#pending.get(key);
      if (outgoing === undefined) snapshot.remaining.delete(key);
      else if (!this.#take(batch, outgoing)) return isCalm;
    }
    this.#complete(batch, snapshot);
    return false;
  }

  #take(batch: Batch, outgoing: Outgoing): boolean {
    if (!batch.add(outgoing)) return false;
    const { key } = outgoing.event;
    this.#pending.delete(key);
    this.#snapshot?.remaining.delete(key);
    if (outgoing.hash === null) this.#formed.delete(key);
    else this.#formed.set(key, outgoing);
    return true;
  }

  #complete(batch: Batch, snapshot: OpenSnapshot): void {
    this.#digestAtHead = this.#digest.digest();
    this.#applyToDigest(batch.changes);
    const data = { id: snapshot.id, digest: this.#digest.digest(), count: this.#digest.count };
    batch.addMarker({ type: "SnapshotComplete", v: 1, key: "", at: this.#lastAt, data });
    this.#snapshot = undefined;
  }

  #applyToDigest(changes: readonly Outgoing[]): void {
    for (const { event, hash } of changes) this.#digest.set(event.key, hash);
  }

  #outgoing(prepared: PreparedEvent): Outgoing {
    this.#lastAt = Math.max(this.#lastAt, prepared.event.at);
    return outgoingOf(prepared, this.#options.crypto);
  }

  #restore(event: RegisterEvent): void {
    const prepared = prepareEvent(event);
    if (typeof prepared === "string") return;
    const outgoing = this.#outgoing(prepared);
    this.#wanted.set(event.key, outgoing);
    this.#formed.set(event.key, outgoing);
    this.#digest.set(event.key, outgoing.hash);
  }
}

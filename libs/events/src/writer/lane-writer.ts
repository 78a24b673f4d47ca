/**
 * Writer of one lane: turns wanted register values into signed records, one in flight at a time.
 *
 * Use: `new LaneWriter(options)`, set all facts, `synced()` once the source of facts is complete (a cache that is not
 * synced never writes), then loop: `next()` → publish(record, expectedStreamSeq) → `stored(seq)`, or on refused and on
 * unknown outcomes read the subject's last record and call `refused(last)`; "retry" means call `next()` again, "fenced"
 * that this replica must stop writing until it is elected again and calls `startEpoch`.
 *
 * Changes that wait are coalesced by key; a record that was once formed is never formed again (it is offered verbatim
 * until it is stored or given up with its epoch). Persist `position()` with every record before it is published, and
 * `state()` at leisure: with a position alone a restart begins a new epoch with a snapshot.
 */
import type { AccountKey, Crypto, Signer } from "@hansa/core";
import type { Head, RegisterEvent, WireRecord } from "../event.ts";
import type { BusRecord } from "../log-bus.ts";
import type { Lane } from "../registers.ts";

export interface LaneWriterOptions {
  readonly source: AccountKey;
  readonly lane: Lane;
  readonly signer: Signer;
  readonly fingerprint: string;
  readonly crypto: Crypto;
  /** What the last run persisted. */
  readonly restored?: LanePosition | LaneState | undefined;
  /** Trace context for each record; "" by default. */
  readonly traceparent?: (() => string) | undefined;
}

/** Small; persisted with every record. */
export interface LanePosition {
  readonly epoch: number;
  readonly seq: number;
  /** Hex hash of the last record formed, 64 zeros where none. */
  readonly head: string;
  /** Stream position of the last own record known to be stored; 0 where none. */
  readonly streamSeq: number;
}

/** The whole lane: lets a restart continue its epoch without a snapshot. JSON-serialisable. */
export interface LaneState extends LanePosition {
  readonly registers: readonly RegisterEvent[];
}

export class LaneWriter {
  constructor(_options: LaneWriterOptions) {}
  /** Sets a register; a value equal to the wanted one changes nothing. Answers why the event is refused (HSA2002). */
  set(_event: RegisterEvent): string | undefined {
    throw new Error("being written");
  }
  /** Writes a tombstone where the register is live. */
  remove(_key: string, _atMs: number): void {}
  /** Keys of registers that are wanted now. */
  keys(): Iterable<string> {
    return [];
  }
  wanted(_key: string): RegisterEvent | undefined {
    return undefined;
  }
  /** All facts are set: writing may begin. */
  synced(): void {}
  /** Begins an epoch above every one seen, with a snapshot; lifts a fence. */
  startEpoch(_highestSeen: number): void {}
  /** A snapshot in the present epoch. Nothing where one is under way. */
  requestSnapshot(_id?: string): void {}
  /** null: nothing to send, one in flight, not synced, or fenced. */
  next(): { readonly record: WireRecord; readonly expectedStreamSeq: number } | null {
    return null;
  }
  stored(_streamSeq: number): void {}
  refused(_last: BusRecord | null): "retry" | "fenced" {
    return "fenced";
  }
  /** Last stored record with the digest of the lane there; undefined before the first. */
  head(): (Head & { readonly digest: string }) | undefined {
    return undefined;
  }
  position(): LanePosition {
    throw new Error("being written");
  }
  state(): LaneState {
    throw new Error("being written");
  }
}

/** What a lane writer is given, persists and hands out. Types only. */
import type { AccountKey, Crypto, Signer } from "@hansa/core";
import type { RegisterEvent, WireRecord } from "../event.ts";
import type { Lane } from "../registers.ts";

export interface LaneWriterOptions {
  readonly source: AccountKey;
  readonly lane: Lane;
  readonly signer: Signer;
  readonly fingerprint: string;
  readonly crypto: Crypto;
  /** What the last run persisted. */
  readonly restored?: LanePosition | LaneState | undefined;
  /** No new epoch is below; 0 by default. */
  readonly epochFloor?: (() => number) | undefined;
  /** Trace context for each record; "" by default. */
  readonly traceparent?: (() => string) | undefined;
}

/** Small; persisted with every record. */
export interface LanePosition {
  /** 0 before the first epoch. */
  readonly epoch: number;
  /** Of the last record formed, in flight or stored. */
  readonly seq: number;
  /** Its hex hash, 64 zeros where none. */
  readonly head: string;
}

/** The whole lane. JSON-serialisable. */
export interface LaneState extends LanePosition {
  /** Live registers as of the last record formed. */
  readonly registers: readonly RegisterEvent[];
  /** A snapshot was not complete: a restart begins it again. */
  readonly snapshotOpen: boolean;
}

export interface Publication {
  readonly record: WireRecord;
  /** Stream position of the subject's last record, 0 where it has none: the fence. */
  readonly expectedStreamSeq: number;
  /** Part of a snapshot that nobody waits for, and nothing else: the next one should leave changes a while to go first. */
  readonly isCalm: boolean;
}

/** Events and records: the shapes on the wire (design §3). Types only. */
import type { AccountKey } from "@hansa/core";
import type { Lane, RegisterType, RegisterValues, SnapshotBegin, SnapshotComplete } from "./registers.ts";

interface Envelope<Type extends string, Data> {
  readonly type: Type;
  /** Schema version of `data`; upcasters raise it on reading. */
  readonly v: number;
  readonly key: string;
  /** The source's clock, ms: shown to people, never used by the fold. */
  readonly at: number;
  readonly data: Data;
}

export type RegisterEvent = {
  readonly [Type in RegisterType]: Envelope<Type, RegisterValues[Type] | null>;
}[RegisterType];

export type MarkerEvent =
  | Envelope<"SnapshotBegin", SnapshotBegin>
  | Envelope<"SnapshotComplete", SnapshotComplete>;

/** A type that this version does not know: it is archived and counted, and has no effect. */
export interface UnknownEvent {
  readonly type: string;
  readonly v: number;
  readonly key: string;
  readonly at: number;
  readonly data: unknown;
  readonly unknown: true;
}

export type Event = RegisterEvent | MarkerEvent | UnknownEvent;

/** Place of a record in its log. Ordered by epoch, then seq. seq starts at 1 in each epoch. */
export interface Position {
  readonly epoch: number;
  readonly seq: number;
}

export interface RecordHeader extends Position {
  readonly source: AccountKey;
  readonly lane: Lane;
  /** Hex sha256 of the previous record of this log and epoch chain; 64 zeros for the first record ever. */
  readonly prev: string;
  /** Key id of the signing key. */
  readonly key: string;
  /** base64 Ed25519. */
  readonly sig: string;
  readonly traceparent: string;
}

/** The signed part of a record: enough to check who signed what for which place, without the body. */
export interface RecordEvidence extends Omit<RecordHeader, "traceparent"> {
  /** Hex sha256 of the body. */
  readonly body: string;
}

/** A record as it travels: header and the body's bytes exactly as signed. */
export interface WireRecord {
  readonly header: RecordHeader;
  readonly body: Uint8Array;
}

/** Claim about one log in a heartbeat. */
export interface Head extends Position {
  readonly source: AccountKey;
  readonly lane: Lane;
  /** Hex hash of the last record. */
  readonly head: string;
}

/** Signed, never archived (design §3 table). */
export interface Heartbeat {
  readonly source: AccountKey;
  /** Monotone per process start: (boot time ms, counter). A lease is renewed only by a higher pair. */
  readonly bootMs: number;
  readonly counter: number;
  readonly own: readonly (Head & { readonly digest: string })[];
  readonly known: readonly Head[];
  /** Positions whose effect all this agent's Envoys have ACKed. Empty for the hub. */
  readonly acked: readonly Head[];
  /** The hub's: positions committed in Postgres. Empty for agents. */
  readonly committed: readonly Head[];
  /** The end of the hub's log, and what the speaker holds where others' claims contradict it: each proves what it has seen. */
  readonly evidence?: readonly RecordEvidence[];
}

/**
 * The port to the bus. @hansa/bus implements it on NATS, test/sim in virtual time; one contract suite runs on both.
 * Nothing here verifies signatures or orders records: a bus may lose, repeat and delay. It must not invent.
 */
import type { AccountKey } from "@hansa/core";
import type { WireRecord } from "./event.ts";
import type { Lane } from "./registers.ts";

export interface BusRecord {
  readonly record: WireRecord;
  /** The account that the bus itself authenticated (subject token). A header that names another source is poison. */
  readonly account: AccountKey;
  readonly lane: Lane;
  /** Position in the stream. */
  readonly streamSeq: number;
  /** Stream position of the previous message of the same account and lane; 0 where none. A hole shows as a mismatch. */
  readonly previousStreamSeq: number;
}

export type PublishOutcome =
  | { readonly kind: "stored"; readonly streamSeq: number }
  /** The fence refused: the subject's last message is not the expected one (NATS 10071). Read lastOwn and decide. */
  | { readonly kind: "refused" }
  /** No answer: it may or may not be stored. Read lastOwn and decide. */
  | { readonly kind: "unknown"; readonly reason: string };

export interface BusBeat {
  readonly account: AccountKey;
  /** JSON bytes of a signed heartbeat, see heartbeat.ts. */
  readonly bytes: Uint8Array;
}

export type Unsubscribe = () => void;

export interface LogBus {
  readonly account: AccountKey;
  /** One record; `expectedStreamSeq` is the stream seq of the last own record on this lane, 0 for an empty subject. */
  publish(record: WireRecord, expectedStreamSeq: number): Promise<PublishOutcome>;
  /** Last stored record of the own subject; null where none; throws HSA2010 where the bus is down. */
  lastOwn(lane: Lane): Promise<BusRecord | null>;
  /**
   * Stored records at or after `fromStreamSeq`, in stream order, at most `max` (≤ 256); of one log, or of all where
   * `of` is null. Fewer than `max` means the end was reached. Throws HSA2010.
   */
  read(
    of: { readonly account: AccountKey; readonly lane: Lane } | null,
    fromStreamSeq: number,
    max: number,
  ): Promise<BusRecord[]>;
  /** Live records from now on. Delivery may lose and repeat. */
  tail(handle: (record: BusRecord) => void): Promise<Unsubscribe>;
  publishBeat(bytes: Uint8Array): Promise<void>;
  beats(handle: (beat: BusBeat) => void): Promise<Unsubscribe>;
  /** The last beat of every account that is still stored. */
  lastBeats(): Promise<BusBeat[]>;
  /**
   * `true` at each (re)connection and when the stream was made anew meanwhile, `false` at each loss. Called once at
   * once with the present state.
   */
  connection(handle: (up: boolean) => void): Unsubscribe;
  /** Why the bus does not let this account in; "" while it does, or while nobody answers. */
  readonly refusal: string;
  /** Changes when the stream was re-created (wiped): all stream positions are void then. */
  incarnation(): Promise<string>;
  close(): Promise<void>;
}

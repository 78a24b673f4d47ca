/** What a lane writer is in the middle of. Types only. */
import type { WireRecord } from "../event.ts";
import type { Outgoing } from "./batch.ts";

export interface InFlight {
  readonly record: WireRecord;
  readonly hash: string;
  readonly changes: readonly Outgoing[];
  readonly isCalm: boolean;
  offered: boolean;
}

export interface OpenSnapshot {
  readonly id: string;
  /** Registers of its beginning that no record since has set. */
  readonly remaining: Set<string>;
  begun: boolean;
  /** Nobody waits for it: changes go before it, and it leaves them room. */
  isCalm: boolean;
}

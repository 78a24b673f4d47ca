/** Fills the body of one record up to the limits of the log. */
import { type Crypto, utf8 } from "@hansa/core";
import { encodeEvent, type PreparedEvent } from "../decode.ts";
import { valueHash } from "../digest.ts";
import type { MarkerEvent, RegisterEvent } from "../event.ts";
import { EVENTS_PER_RECORD_MAX, RECORD_BYTES_MAX } from "../limits.ts";

/** An event ready to travel, with the hash of its value; null for a tombstone. */
export interface Outgoing {
  readonly event: RegisterEvent;
  readonly json: string;
  readonly sizeBytes: number;
  readonly hash: string | null;
}

export const outgoingOf = (
  { event, json, sizeBytes, canonical }: PreparedEvent,
  crypto: Pick<Crypto, "sha256">,
): Outgoing => ({
  event,
  json,
  sizeBytes,
  hash: event.data === null ? null : valueHash(canonical, crypto),
});

/** Room that is kept for a SnapshotComplete. */
const MARKER_BYTES = 512;

export class Batch {
  readonly #parts: string[] = [];
  readonly changes: Outgoing[] = [];
  #sizeBytes = 2;

  get count(): number {
    return this.#parts.length;
  }

  /** False where it does not fit any more; one place is always left for a marker. */
  add(outgoing: Outgoing): boolean {
    if (this.#parts.length + 1 >= EVENTS_PER_RECORD_MAX) return false;
    if (this.#sizeBytes + outgoing.sizeBytes + 1 > RECORD_BYTES_MAX - MARKER_BYTES) return false;
    this.changes.push(outgoing);
    this.#push(outgoing.json, outgoing.sizeBytes);
    return true;
  }

  addMarker(event: MarkerEvent): void {
    const json = encodeEvent(event);
    this.#push(json, utf8(json).length);
  }

  body(): Uint8Array {
    return utf8(`[${this.#parts.join(",")}]`);
  }

  #push(json: string, sizeBytes: number): void {
    this.#parts.push(json);
    this.#sizeBytes += sizeBytes + 1;
  }
}

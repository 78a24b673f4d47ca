/**
 * The chain of one log: where a record stands against what is held. Owns head, recent hashes and the gaps that were
 * given up, in which alone a late record still counts. Knows nothing of events.
 */
import {
  evidenceOf,
  type Position,
  type RecordEvidence,
  type RecordHashes,
  type RecordHeader,
  ZERO_HASH,
} from "@hansa/events";
import { comparePlaces, type Place, type Rank } from "./place.ts";

/** Records remembered per log, to tell a repetition from a second version and to show what was signed. */
export const RECENT_MAX = 256;
export const GAPS_MAX = 64;

export interface ChainHead extends Place {
  readonly hash: string;
  /** False for a record whose signature failed: its bytes carry the chain, its claim to the position proves nothing. */
  readonly verified: boolean;
}

/** Positions strictly between two held ones that were given up. */
export interface OpenGap {
  readonly after: Place;
  readonly before: Place;
}

export type Step =
  | { readonly kind: "duplicate" }
  | { readonly kind: "stale" }
  | { readonly kind: "gap"; readonly after: Position }
  /** Contradicts a signed record that is held: equivocation, once its own signature verifies. */
  | { readonly kind: "fork" }
  /** Follows the head; `hole` where records between are missing. */
  | { readonly kind: "next"; readonly hole: boolean }
  /** Lies in a gap that was given up. */
  | { readonly kind: "late" };

export interface ChainDump {
  readonly head: ChainHead | null;
  readonly gaps: readonly OpenGap[];
  readonly recent: readonly HeldRecord[];
}

/** A record whose signature was verified. */
export interface HeldRecord {
  readonly hash: string;
  readonly evidence: RecordEvidence;
}

const NOTHING: Place = { key: "", epoch: 0, seq: 0, index: 0 };

/** Under another key a position may come again: operators have put that key in the place of the first. */
type KeyedPosition = Position & { readonly key: string };
const nameOf = (place: KeyedPosition): string => `${place.key} ${place.epoch}.${place.seq}`;

export const placeOf = (header: RecordHeader, index = 0): Place => ({
  key: header.key,
  epoch: header.epoch,
  seq: header.seq,
  index,
});

export class Chain {
  readonly #rank: Rank;
  #head: ChainHead | undefined;
  #gaps: OpenGap[] = [];
  readonly #recent = new Map<string, HeldRecord>();

  constructor(rank: Rank, dump?: ChainDump) {
    this.#rank = rank;
    if (dump === undefined) return;
    this.#head = dump.head ?? undefined;
    this.#gaps = [...dump.gaps];
    for (const held of dump.recent) this.#recent.set(nameOf(held.evidence), held);
  }

  get head(): ChainHead | undefined {
    return this.#head;
  }

  /** The verified record held at a position, where it is recent. */
  heldAt(position: KeyedPosition): HeldRecord | undefined {
    return this.#recent.get(nameOf(position));
  }

  step(header: RecordHeader, hash: string, acceptGap: boolean): Step {
    const place = placeOf(header);
    const head = this.#head;
    if (head === undefined) {
      if (header.seq !== 1 && !acceptGap) return { kind: "gap", after: { epoch: 0, seq: 0 } };
      return { kind: "next", hole: header.seq !== 1 || header.prev !== ZERO_HASH };
    }
    const order = this.#compareRecords(place, head);
    return order > 0 ? this.#ahead(header, head, acceptGap) : this.#behind(place, hash);
  }

  #ahead(header: RecordHeader, head: ChainHead, acceptGap: boolean): Step {
    if (header.prev === head.hash) return { kind: "next", hole: false };
    const follows = header.epoch === head.epoch && header.seq === head.seq + 1 && header.key === head.key;
    if (follows) {
      if (head.verified && !acceptGap) return { kind: "fork" };
      return { kind: "next", hole: true };
    }
    // An epoch begins with a snapshot, so nothing of the one before is needed to go on.
    const begins = header.seq === 1;
    if (!begins && !acceptGap) return { kind: "gap", after: { epoch: head.epoch, seq: head.seq } };
    return { kind: "next", hole: true };
  }

  #behind(place: Place, hash: string): Step {
    const known = this.heldAt(place)?.hash;
    if (known === hash) return { kind: "duplicate" };
    if (known !== undefined) return { kind: "fork" };
    const late = this.#gaps.some(
      (gap) => this.#compareRecords(place, gap.after) > 0 && this.#compareRecords(place, gap.before) < 0,
    );
    return { kind: late ? "late" : "stale" };
  }

  /** Moves the head onto a record that `step` called next. */
  advance(header: RecordHeader, hashes: RecordHashes, hole: boolean): void {
    const place = placeOf(header);
    if (hole) this.#addGap({ after: this.#head ?? NOTHING, before: place });
    this.#head = { ...place, hash: hashes.record, verified: true };
    this.hold(header, hashes);
  }

  /** Moves the head over bytes whose signature failed; the true record may still fill the position. */
  advanceOverPoison(header: RecordHeader, hash: string): void {
    const place = placeOf(header);
    this.#addGap({ after: this.#head ?? NOTHING, before: { ...place, seq: place.seq + 1 } });
    this.#head = { ...place, hash, verified: false };
  }

  /** Remembers a verified record. */
  hold(header: RecordHeader, hashes: RecordHashes): void {
    this.#recent.set(nameOf(header), { hash: hashes.record, evidence: evidenceOf(header, hashes) });
    if (this.#recent.size > RECENT_MAX) {
      const oldest = this.#recent.keys().next();
      if (!oldest.done) this.#recent.delete(oldest.value);
    }
  }

  /** A snapshot is complete: it made up for all that was missing, and what turns up late is stale. */
  settle(): void {
    this.#gaps = [];
  }

  #addGap(gap: OpenGap): void {
    this.#gaps.push(gap);
    const [first, second] = this.#gaps;
    if (this.#gaps.length > GAPS_MAX && first !== undefined && second !== undefined)
      this.#gaps.splice(0, 2, { after: first.after, before: second.before });
  }

  #compareRecords(a: Place, b: Place): number {
    return comparePlaces({ ...a, index: 0 }, { ...b, index: 0 }, this.#rank);
  }

  dump(): ChainDump {
    return {
      head: this.#head ?? null,
      gaps: this.#gaps,
      recent: [...this.#recent.values()],
    };
  }
}

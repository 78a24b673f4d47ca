/**
 * Order inside one log. The signing key comes first: what a key says that operators put in the place of another stands
 * above all that the old one ever said, whatever epochs the old one claims.
 */

export interface Place {
  /** Id of the key that signed the record. */
  readonly key: string;
  readonly epoch: number;
  readonly seq: number;
  /** Of the event in its record. */
  readonly index: number;
}

/** Rank of a key among those of its source: later keys are higher. */
export type Rank = (keyId: string) => number;

export function comparePlaces(a: Place, b: Place, rank: Rank): number {
  if (a.key !== b.key) {
    const byKey = rank(a.key) - rank(b.key);
    if (byKey !== 0) return byKey;
  }
  return a.epoch - b.epoch || a.seq - b.seq || a.index - b.index;
}

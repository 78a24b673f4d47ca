/** The fold as it was at an archive position: nearest snapshot, then the archived records and given-up gaps after it. */
import { HansaError } from "@hansa/core";
import { Federation, type FederationOptions } from "@hansa/model";
import { ArchiveFold } from "./archive-fold.ts";
import type { Queryable } from "./db.ts";
import { type LostGap, readLostGaps } from "./heads.ts";
import { nearestSnapshot, readRecords } from "./history.ts";

export async function foldAt(
  db: Queryable,
  position: number,
  options: FederationOptions,
): Promise<ArchiveFold> {
  const snapshot = await nearestSnapshot(db, position);
  if (snapshot === null) return followTo(db, ArchiveFold.empty(options), 0, position);
  const fed = Federation.restore(snapshot.dump, options);
  if (fed === undefined)
    throw new HansaError("HSA1011", `snapshot ${snapshot.position}: not a dump of this federation`);
  return followTo(db, new ArchiveFold(fed), snapshot.position, position);
}

/** Brings a fold from one position to a later one. */
export async function followTo(
  db: Queryable,
  fold: ArchiveFold,
  after: number,
  through: number,
): Promise<ArchiveFold> {
  const lost = await readLostGaps(db, after, through);
  const giveUpBefore = (position: number): void => {
    for (
      let gap: LostGap | undefined = lost[0];
      gap !== undefined && gap.position < position;
      gap = lost[0]
    ) {
      fold.giveUp(gap.source, gap.lane);
      lost.shift();
    }
  };
  for await (const stored of readRecords(db, after, through)) {
    giveUpBefore(stored.position);
    const { header } = stored.record;
    fold.feed({ record: stored.record, account: header.source, lane: header.lane }, stored.trusted);
  }
  giveUpBefore(Number.POSITIVE_INFINITY);
  return fold;
}

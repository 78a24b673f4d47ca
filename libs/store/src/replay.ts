/** The fold as it was at an archive position: nearest snapshot, then the archived records and given-up gaps after it. */
import { HansaError } from "@hansa/core";
import { Federation, type FederationOptions } from "@hansa/model";
import type { History } from "./archive.ts";
import { ArchiveFold } from "./archive-fold.ts";
import type { LostGap } from "./chain.ts";

export async function foldAt(
  history: History,
  position: number,
  options: FederationOptions,
): Promise<ArchiveFold> {
  const snapshot = await history.nearestSnapshot(position);
  if (snapshot === null) return followTo(history, ArchiveFold.empty(options), 0, position);
  const fed = Federation.restore(snapshot.dump, options);
  if (fed === undefined)
    throw new HansaError("HSA1011", `snapshot ${snapshot.position}: not a dump of this federation`);
  return followTo(history, new ArchiveFold(fed), snapshot.position, position);
}

/** Brings a fold from one position to a later one. */
export async function followTo(
  history: History,
  fold: ArchiveFold,
  after: number,
  through: number,
): Promise<ArchiveFold> {
  const lost = await history.lostGaps(after, through);
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
  for await (const stored of history.records(after, through)) {
    giveUpBefore(stored.position);
    const { header } = stored.record;
    fold.feed({ record: stored.record, account: header.source, lane: header.lane }, stored.trusted);
  }
  giveUpBefore(Number.POSITIVE_INFINITY);
  return fold;
}

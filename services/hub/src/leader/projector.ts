/**
 * Turns records into commits: fold, then one transaction of the store. Owns the leader's fold, which is never ahead of
 * the archive for longer than one commit: where a commit fails, the fold is thrown away and read again from the archive.
 */
import { type AccountKey, assert, type Crypto } from "@hansa/core";
import { type BusRecord, decodeBody, type Event, isRecordHeader, recordHash } from "@hansa/events";
import type { Federation, RegisterRef } from "@hansa/model";
import {
  type ArchiveFold,
  type ArchiveRecord,
  type CommitOutcome,
  type FeedResult,
  foldAt,
  Projection,
  type ProjectionChanges,
  type Quarantined,
  SNAPSHOT_EVERY_MAX,
} from "@hansa/store";
import type { LeaderContext } from "../context.ts";
import { Serial } from "../serial.ts";

export type Via = ArchiveRecord["via"];

export interface Committed extends CommitOutcome {
  readonly changed: readonly RegisterRef[];
  readonly fed: Federation;
}

export class Projector {
  readonly #hub: LeaderContext;
  readonly #leaderEpoch: number;
  readonly #onCommit: (committed: Committed) => void;
  readonly #serial = new Serial();
  #fold: ArchiveFold | null = null;
  #projection: Projection | null = null;
  #snapshotAt = 0;

  constructor(hub: LeaderContext, leaderEpoch: number, onCommit: (committed: Committed) => void) {
    this.#hub = hub;
    this.#leaderEpoch = leaderEpoch;
    this.#onCommit = onCommit;
  }

  /** The committed fold; null until the archive was read, and after a failure until it was read again. */
  get fed(): Federation | null {
    return this.#fold?.fed ?? null;
  }

  /** Where the bus feed begins for this incarnation of the stream. */
  async start(incarnation: string): Promise<number> {
    const checkpoint = await this.#hub.store.checkpoint();
    return checkpoint?.incarnation === incarnation ? checkpoint.streamSeq + 1 : 1;
  }

  handle(batch: readonly BusRecord[], incarnation: string): Promise<CommitOutcome> {
    const last = batch.at(-1);
    const checkpoint = last === undefined ? null : { incarnation, streamSeq: last.streamSeq };
    return this.#commit(batch, "bus", checkpoint);
  }

  /** Records that reach the archive beside the stream: late ones over HTTPS, own ones after a restore. */
  add(records: readonly BusRecord[], via: Via): Promise<CommitOutcome> {
    return this.#commit(records, via, null);
  }

  /** The fold at its committed position, read from the archive where needed. */
  ready(): Promise<Federation> {
    return this.#serial.run(async () => (await this.#loaded()).fed);
  }

  /** Declares holes lost that stayed open for longer than the configured time. */
  giveUpGaps(): Promise<void> {
    return this.#serial.run(async () => {
      const fold = await this.#loaded();
      const { store, config } = this.#hub;
      try {
        const lost = await store.giveUpGaps(this.#leaderEpoch, config.gapHoldMs);
        const changed = lost.flatMap(({ source, lane }) => [...fold.giveUp(source, lane)]);
        if (lost.length === 0) return;
        this.#hub.log.warn("archive: records are lost for good", { gaps: lost.length, code: "HSA2005" });
        const sources = clustersOf(
          fold.fed,
          lost.map(({ source }) => source),
        );
        const outcome = await store.commit({
          ...this.#empty(),
          projections: this.#rows(changed, sources),
        });
        this.#onCommit({ ...outcome, changed, fed: fold.fed });
      } catch (error) {
        this.#fold = null;
        throw error;
      }
    });
  }

  #empty() {
    const leaderEpoch = this.#leaderEpoch;
    return { leaderEpoch, records: [], quarantine: [], projections: {}, sources: [], checkpoint: null };
  }

  async #loaded(): Promise<ArchiveFold> {
    if (this.#fold !== null) return this.#fold;
    const { store, keys, crypto } = this.#hub;
    const now = await store.now();
    const options = { genesis: keys.genesis, crypto };
    const fold = await foldAt(store, now.position, options);
    this.#projection = new Projection(fold.fed);
    this.#fold = fold;
    return fold;
  }

  #rows(changed: readonly RegisterRef[], sources: readonly string[]): ProjectionChanges {
    assert(this.#projection !== null, "the projection follows the fold");
    return this.#projection.changes(changed, sources);
  }

  #commit(
    batch: readonly BusRecord[],
    via: Via,
    checkpoint: { incarnation: string; streamSeq: number } | null,
  ): Promise<CommitOutcome> {
    const spans = batch.map(({ record, lane }) =>
      this.#hub.tracer?.below(record.header.traceparent, "commit", { lane }),
    );
    return this.#serial.run(async () => {
      const { clock, crypto, metrics, store } = this.#hub;
      const startedMs = clock.monotonicMs();
      const fold = await this.#loaded();
      try {
        const judged = judge(fold, batch, via, crypto);
        const accounts = [...new Set(batch.map(({ account }) => account))];
        const clusters = clustersOf(fold.fed, accounts);
        const outcome = await store.commit({
          leaderEpoch: this.#leaderEpoch,
          records: judged.records,
          quarantine: judged.quarantine,
          projections: this.#rows(judged.changed, clusters),
          sources: accounts.flatMap((account) => {
            const cluster = fold.fed.source(account)?.cluster;
            return cluster === undefined ? [] : [{ account, cluster }];
          }),
          checkpoint,
        });
        for (const span of spans) span?.end();
        metrics.observe("hansa_hub_commit_seconds", (clock.monotonicMs() - startedMs) / 1000);
        this.#account(judged, outcome, fold.fed);
        this.#onCommit({ ...outcome, changed: judged.changed, fed: fold.fed });
        await this.#snapshot(fold, outcome);
        return outcome;
      } catch (error) {
        this.#fold = null;
        throw error;
      }
    });
  }

  #account(judged: Judged, outcome: CommitOutcome, fed: Federation): void {
    const { metrics, log } = this.#hub;
    metrics.gauge("hansa_hub_position", outcome.position);
    metrics.gauge("hansa_hub_batch_records", judged.records.length);
    for (const { source, code, message, lane, epoch, seq } of [
      ...judged.quarantine,
      ...outcome.equivocations,
    ]) {
      const cluster = fed.source(source)?.cluster ?? source;
      metrics.count("hansa_quarantined_total", { source: cluster, code });
      if (code === "HSA2008") metrics.count("hansa_hub_equivocations_total", { source: cluster });
      log.warn("record quarantined", { source: cluster, code, reason: message, lane, epoch, seq });
    }
  }

  /** A failed snapshot costs a longer replay, nothing else. */
  async #snapshot(fold: ArchiveFold, { position, committedMs }: CommitOutcome): Promise<void> {
    if (position - this.#snapshotAt < SNAPSHOT_EVERY_MAX || fold.holdsAside) return;
    try {
      await this.#hub.store.saveSnapshot({ position, committedMs }, fold.fed.dump());
      this.#snapshotAt = position;
    } catch (error) {
      this.#hub.log.warn("archive: no snapshot", { reason: String(error) });
    }
  }
}

const clustersOf = (fed: Federation, accounts: readonly AccountKey[]): string[] =>
  accounts.flatMap((account) => fed.source(account)?.cluster ?? []);

interface Judged {
  readonly records: ArchiveRecord[];
  readonly quarantine: Quarantined[];
  readonly changed: RegisterRef[];
}

/**
 * A header that names another source or lane than the bus authenticated is kept out: it would take that log's place. One
 * that does not decode has no place at all.
 */
function judge(fold: ArchiveFold, batch: readonly BusRecord[], via: Via, crypto: Crypto): Judged {
  const judged: Judged = { records: [], quarantine: [], changed: [] };
  for (const { record, account, lane, streamSeq } of batch) {
    const { header, body } = record;
    const hash = recordHash(record, crypto);
    const place = { source: account, lane, epoch: header.epoch, seq: header.seq, hash };
    if (header.source !== account || header.lane !== lane) {
      const message = `header names ${header.source}/${header.lane}, the bus says ${account}/${lane}`;
      judged.quarantine.push({ ...place, code: "HSA2004", message });
      continue;
    }
    if (!isRecordHeader(header)) {
      judged.quarantine.push({ ...place, code: "HSA2001", message: "the header is malformed" });
      continue;
    }
    const result = fold.feed({ record, account, lane }, false);
    judged.changed.push(...result.changed);
    if (result.quarantined !== null) judged.quarantine.push({ ...place, ...result.quarantined });
    const events = result.events.length > 0 ? result.events : eventsOf(body, result.quarantined);
    judged.records.push({ record, hash, via, streamSeq: via === "bus" ? streamSeq : null, events });
  }
  return judged;
}

function eventsOf(body: Uint8Array, quarantined: FeedResult["quarantined"]): readonly Event[] {
  const decoded = quarantined === null ? decodeBody(body) : null;
  if (decoded?.kind === "events") return decoded.events;
  return [poisonEvent(quarantined ?? { code: "HSA2001", message: "" })];
}

/** What the archive shows in place of events that nobody may believe. */
const poisonEvent = (data: { readonly code: string; readonly message: string }): Event => ({
  type: "Quarantined",
  v: 1,
  key: "",
  at: 0,
  data,
  unknown: true,
});

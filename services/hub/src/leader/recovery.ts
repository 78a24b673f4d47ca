/**
 * What a new leader does before it takes a command: it looks for its own records wherever they may be known, on the
 * stream and in members' heartbeats. Where the archive is behind them (a restored backup), they are archived again; where
 * some cannot be had, the hub serves read-only with HSA2012, since a decision taken without them could contradict them.
 * A member is believed what the hub's own signature proves: by its mere word it could stop every hub for ever.
 */
import {
  type BusRecord,
  decodeHeartbeat,
  EPOCH_LEAP_MAX,
  epochFloor,
  evidenceHash,
  type Head,
  type Heartbeat,
  type Position,
  verifyEvidence,
  verifyHeartbeat,
} from "@hansa/events";
import type { Federation } from "@hansa/model";
import type { LeaderContext } from "../context.ts";
import type { Projector } from "./projector.ts";

const READ_MAX = 256;
/** Two beats and a bit. */
const BEATS_WAIT_MS = 5000;
const BEATS_POLL_MS = 200;
const LANE = "sum";

export interface Recovered {
  /** Highest epoch of the hub's log that anybody knows of. */
  readonly highestEpoch: number;
  /** Last record of the hub's subject; null where it has none. */
  readonly last: BusRecord | null;
  /** Why commands are refused; null where the archive holds all that is known. */
  readonly missing: string | null;
  readonly imported: number;
}

const isAfter = (a: Position, b: Position): boolean =>
  a.epoch > b.epoch || (a.epoch === b.epoch && a.seq > b.seq);

export async function recover(hub: LeaderContext, projector: Projector): Promise<Recovered> {
  const { bus, keys, log, clock } = hub;
  const account = keys.issuer.hubAccount;
  let fed = await projector.ready();
  const known = headOf(fed, account);
  let imported = 0;
  for (let from = 0; ; ) {
    const records = await bus.read({ account, lane: LANE }, from, READ_MAX);
    const missing = records.filter(({ record }) => isAfter(record.header, known));
    if (missing.length > 0) imported += (await projector.add(missing, "own")).recordsNew;
    const end = records.at(-1);
    if (end === undefined || records.length < READ_MAX) break;
    from = end.streamSeq + 1;
  }
  if (imported > 0) log.info("archive: own records imported again", { records: imported });
  fed = await projector.ready();
  const beats = await beatsOf(hub, fed);
  const proved = provedBy(hub, fed, beats);
  const last = await bus.lastOwn(LANE);
  const epochs = [headOf(fed, account), ...proved, ...(last === null ? [] : [last.record.header])];
  const certain = Math.max(0, ...epochs.map(({ epoch }) => epoch));
  const credibleMax = Math.max(certain, epochFloor(keys.genesis, clock.nowMs())) + EPOCH_LEAP_MAX;
  const told = beats
    .flatMap(({ known }) => known.filter(({ source, lane }) => source === account && lane === LANE))
    .filter(({ epoch }) => epoch <= credibleMax);
  const highestEpoch = Math.max(certain, ...told.map(({ epoch }) => epoch));
  return { highestEpoch, last, imported, missing: await describeMissing(hub, fed, proved) };
}

/** Why the archive's copy of the hub's log is not whole; null where it is. */
async function describeMissing(
  { store, keys }: LeaderContext,
  fed: Federation,
  claims: readonly Head[],
): Promise<string | null> {
  const account = keys.issuer.hubAccount;
  const head = headOf(fed, account);
  const end = `the archive ends at ${head.epoch}/${head.seq}`;
  for (const claim of claims)
    if (isAfter(claim, head) || !(await store.isArchived(claim)))
      return `members hold record ${claim.epoch}/${claim.seq} of the hub's log, ${end}`;
  return fed.source(account)?.degraded === true ? `the hub's log has a hole, ${end}` : null;
}

const headOf = (fed: Federation, account: string): Position =>
  fed.source(account)?.heads.find(({ lane }) => lane === LANE) ?? { epoch: 0, seq: 0 };

/** Records of the hub's log that members hold. */
function provedBy({ keys, crypto }: LeaderContext, fed: Federation, beats: readonly Heartbeat[]): Head[] {
  const account = keys.issuer.hubAccount;
  const key = fed.source(account)?.signingKey;
  if (key === undefined) return [];
  return beats
    .flatMap(({ evidence = [] }) => evidence)
    .filter(({ source, lane }) => source === account && lane === LANE)
    .filter((evidence) => verifyEvidence(evidence, key, keys.fingerprint, crypto))
    .map((evidence) => {
      const { source, lane, epoch, seq } = evidence;
      return { source, lane, epoch, seq, head: evidenceHash(evidence, crypto) };
    });
}

/**
 * Last heartbeats of live members. A bus that was wiped knows none yet: then the members' next ones are awaited, of all
 * of them: the first to speak may be the one who knows nothing.
 */
async function beatsOf(hub: LeaderContext, fed: Federation): Promise<Heartbeat[]> {
  const { bus, keys, timers, clock, crypto } = hub;
  const live = new Set(fed.members().flatMap(({ account }) => (fed.source(account)?.live ? [account] : [])));
  const deadlineMs = clock.monotonicMs() + BEATS_WAIT_MS;
  for (;;) {
    const beats = (await bus.lastBeats()).flatMap(({ account, bytes }) => {
      const source = live.has(account) ? fed.source(account) : undefined;
      const signed = decodeHeartbeat(bytes);
      if (source === undefined || signed?.beat.source !== account) return [];
      return verifyHeartbeat(signed, source.signingKey, keys.fingerprint, crypto) ? [signed.beat] : [];
    });
    if (beats.length >= live.size || clock.monotonicMs() >= deadlineMs) return beats;
    await timers.sleep(BEATS_POLL_MS);
  }
}

/**
 * What a new leader does before it takes a command: it looks for its own records wherever they may be known, on the
 * stream and in members' heartbeats. Where the archive is behind them (a restored backup), they are archived again; where
 * some cannot be had, the hub serves read-only with HSA2012, since a decision taken without them could contradict them.
 */
import { type BusRecord, decodeHeartbeat, type Head, type Position } from "@hansa/events";
import type { Federation } from "@hansa/model";
import type { HubContext } from "../context.ts";
import type { Projector } from "./projector.ts";

const READ_MAX = 256;
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

export async function recover(hub: HubContext, projector: Projector): Promise<Recovered> {
  const { bus, keys, log } = hub;
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
  const claimed = await claimedHead(hub, fed);
  const last = await bus.lastOwn(LANE);
  const head = headOf(fed, account);
  const highestEpoch = Math.max(head.epoch, claimed?.epoch ?? 0, last?.record.header.epoch ?? 0);
  return { highestEpoch, last, imported, missing: describeMissing(fed, account, claimed) };
}

/** Why the archive's copy of the hub's log is not whole; null where it is. */
export function describeMissing(fed: Federation, account: string, claimed: Head | null): string | null {
  const head = headOf(fed, account);
  if (claimed !== null && isAfter(claimed, head))
    return `members hold the hub's log up to ${claimed.epoch}/${claimed.seq}, the archive up to ${head.epoch}/${head.seq}`;
  if (fed.source(account)?.degraded === true)
    return `the archive's copy of the hub's log has a hole before ${head.epoch}/${head.seq}`;
  return null;
}

const headOf = (fed: Federation, account: string): Position =>
  fed.source(account)?.heads.find(({ lane }) => lane === LANE) ?? { epoch: 0, seq: 0 };

/** The highest head of the hub's log in the heartbeats of members that are known. */
async function claimedHead(hub: HubContext, fed: Federation): Promise<Head | null> {
  let highest: Head | null = null;
  for (const { account, bytes } of await hub.bus.lastBeats()) {
    if (fed.source(account)?.live !== true) continue;
    const beat = decodeHeartbeat(bytes)?.beat;
    const head = beat?.known.find(
      ({ source, lane }) => source === hub.keys.issuer.hubAccount && lane === LANE,
    );
    if (head !== undefined && (highest === null || isAfter(head, highest))) highest = head;
  }
  return highest;
}

/**
 * How a head moves along an archived log: pure, the same for every archive. A head follows the hash chain only; where the
 * chain breaks it waits until the missing records arrive, until the source starts a new chain, or until the gap is given up.
 */
import type { AccountKey } from "@hansa/core";
import type { Lane, Position, RecordHeader } from "@hansa/events";

export interface Gap {
  readonly source: AccountKey;
  readonly lane: Lane;
  readonly after: Position;
  readonly before: Position;
  /** `lost`: the archive's explicit hole. */
  readonly closed: "filled" | "lost" | null;
}

/** A hole that was given up: what comes from `before` on is taken without what is missing. */
export interface LostGap {
  readonly source: AccountKey;
  readonly lane: Lane;
  readonly before: Position;
  readonly position: number;
}

export interface Link extends Position {
  readonly hash: string;
}

export type ChainLink = Link & { readonly prev: string };

export interface Candidate {
  readonly record: { readonly header: RecordHeader };
  readonly hash: string;
}

export const CHAIN_START = "0".repeat(64);
/** A source gives up the one record in flight, once for each epoch that it begins. */
export const GIVEN_UP_MAX = 100;

export const isAfter = (a: Position, b: Position): boolean =>
  a.epoch > b.epoch || (a.epoch === b.epoch && a.seq > b.seq);

export interface Walk {
  readonly end: Link;
  /** First record that does not connect. */
  readonly waiting: Position | null;
  /** Left behind where a chain started anew in a higher epoch: the source itself has nothing older. */
  readonly holes: readonly { readonly after: Position; readonly before: Position }[];
}

export const gapsOf = (source: AccountKey, lane: Lane, { end, waiting, holes }: Walk): Gap[] => [
  ...holes.map((hole): Gap => ({ source, lane, ...hole, closed: "lost" })),
  ...(waiting === null ? [] : [{ source, lane, after: place(end), before: waiting, closed: null }]),
];

/**
 * `links` in the order of the log. `archived`: hashes that are behind `start` already. An epoch may follow one of them:
 * its source gave up what it had formed later, since no stream had stored it, but had brought it here before.
 */
export function walkChain(start: Link, links: readonly ChainLink[], archived: ReadonlySet<string>): Walk {
  let end = start;
  const holes: Walk["holes"][number][] = [];
  for (const link of links) {
    if (!isAfter(link, end)) continue;
    const isNewChain = link.prev === CHAIN_START && link.epoch > end.epoch;
    const follows = link.prev === end.hash || (link.epoch > end.epoch && archived.has(link.prev));
    if (!follows && !isNewChain) return { end, waiting: place(link), holes };
    if (!follows) holes.push({ after: place(end), before: place(link) });
    end = { ...place(link), hash: link.hash };
  }
  return { end, waiting: null, holes };
}

export const place = ({ epoch, seq }: Position): Position => ({ epoch, seq });

export function byLog(placed: readonly Candidate[]): Candidate[][] {
  const logs = new Map<string, Candidate[]>();
  for (const item of placed) {
    const id = `${item.record.header.source} ${item.record.header.lane}`;
    const items = logs.get(id);
    if (items === undefined) logs.set(id, [item]);
    else items.push(item);
  }
  const order = (a: Candidate, b: Candidate): number => (isAfter(a.record.header, b.record.header) ? 1 : -1);
  return [...logs.values()].map((items) => items.sort(order));
}

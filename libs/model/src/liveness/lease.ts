/**
 * Evidence A: the control lease. It runs on the receiver's monotonic clock from the moment of a *higher* beat or a
 * *later* verified record; what was seen before, replayed or late, renews nothing.
 */
import type { Lane, Position } from "@hansa/events";

export interface Lease {
  readonly bootMs: number;
  readonly counter: number;
  readonly records: Readonly<Partial<Record<Lane, Position>>>;
  /** Monotonic ms at which it is lost unless renewed. */
  readonly deadlineMs: number;
}

/** A new peer is alive until its first lease runs out: a restart deletes nothing. */
export const newLease = (nowMs: number, expiryMs: number): Lease => ({
  bootMs: 0,
  counter: 0,
  records: {},
  deadlineMs: nowMs + expiryMs,
});

export function renewByBeat(
  lease: Lease,
  beat: { readonly bootMs: number; readonly counter: number },
  nowMs: number,
  expiryMs: number,
): Lease {
  const higher = beat.bootMs > lease.bootMs || (beat.bootMs === lease.bootMs && beat.counter > lease.counter);
  if (!higher) return lease;
  return { ...lease, bootMs: beat.bootMs, counter: beat.counter, deadlineMs: nowMs + expiryMs };
}

export function renewByRecord(
  lease: Lease,
  lane: Lane,
  position: Position,
  nowMs: number,
  expiryMs: number,
): Lease {
  const last = lease.records[lane];
  if (last !== undefined && !isLater(position, last)) return lease;
  return { ...lease, records: { ...lease.records, [lane]: position }, deadlineMs: nowMs + expiryMs };
}

/** Time during which this importer could not have heard anything does not count. */
export const extendLease = (lease: Lease, untilMs: number): Lease =>
  lease.deadlineMs >= untilMs ? lease : { ...lease, deadlineMs: untilMs };

const isLater = (a: Position, b: Position): boolean =>
  a.epoch > b.epoch || (a.epoch === b.epoch && a.seq > b.seq);

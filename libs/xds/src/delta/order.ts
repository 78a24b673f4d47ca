/**
 * Make-before-break between the types of one stream. What is added waits until everything it may refer to was sent;
 * what is removed waits until everything that may refer to it was sent and acknowledged. Revisions decide what
 * belongs together, so an unrelated later change never holds an earlier one back.
 */
import { TYPE_URL } from "../type-urls.ts";
import type { Subscription } from "./subscription.ts";

export type Subscriptions = ReadonlyMap<string, Subscription>;

const { cluster, endpoint, listener, route, secret, extensionConfig } = TYPE_URL;

const REFERS_TO: Readonly<Record<string, readonly string[]>> = {
  [listener]: [cluster, endpoint],
  [route]: [cluster, endpoint, listener],
};

/** Secrets and extension configurations refer to nothing, and a revocation must not wait for anything. */
const REFERRED_BY: Readonly<Record<string, readonly string[]>> = {
  [cluster]: [listener, route],
  [endpoint]: [cluster],
  [route]: [listener],
  [secret]: [cluster, listener],
  [extensionConfig]: [listener],
};

/**
 * The lowest revision of an addition or change that must be sent before listeners and routes; a listener or route of
 * this revision or a later one waits. Infinity = nothing is waiting.
 */
export function additionBarrier(typeUrl: string, subscriptions: Subscriptions): number {
  let barrier = Number.POSITIVE_INFINITY;
  for (const target of REFERS_TO[typeUrl] ?? []) {
    const subscription = subscriptions.get(target);
    if (subscription === undefined) continue;
    for (const [name, { since, parked }] of subscription.dirty)
      if (since < barrier && !parked && subscription.visible(name) !== undefined) barrier = since;
  }
  return barrier;
}

/** Endpoints may name a transport socket match that only the waiting version of their cluster has. */
export function clusterIsWaiting(name: string, subscriptions: Subscriptions): boolean {
  const clusters = subscriptions.get(cluster);
  const waiting = clusters?.dirty.get(name);
  return waiting !== undefined && !waiting.parked && clusters?.visible(name) !== undefined;
}

/** Removals of this revision or a later one wait. Infinity = nothing that might refer to them is on its way. */
export function removalBarrier(typeUrl: string, subscriptions: Subscriptions): number {
  let barrier = Number.POSITIVE_INFINITY;
  for (const referrer of REFERRED_BY[typeUrl] ?? []) {
    const subscription = subscriptions.get(referrer);
    if (subscription === undefined) continue;
    for (const { since, parked } of subscription.dirty.values())
      if (!parked) barrier = Math.min(barrier, since);
    for (const { since } of subscription.inFlight) barrier = Math.min(barrier, since);
  }
  return barrier;
}

/**
 * One delta ADS stream as a pure state machine: requests in, responses out when `pump` is called. Owns nonces, the
 * ACK gate, warming and what a NACK means. Never queues: a response is made from the newest state at the moment it
 * can be sent. Knows no transport and no clock but the one it is given.
 */
import { assert } from "@hansa/core";
import type { DeltaRequest } from "../encode/delta-request.ts";
import { resourceBytesMax } from "../encode/delta-response.ts";
import { type Part, sharedResponse } from "../encode/shared-response.ts";
import { PUSH_ORDER, TYPE_URL } from "../type-urls.ts";
import { type Entry, LayerStack } from "./layer.ts";
import { additionBarrier, clusterIsWaiting, removalBarrier } from "./order.ts";
import { ProxyMemory } from "./rejections.ts";
import {
  type Outcome,
  STREAM_LIMITS,
  type StreamLimits,
  type StreamOptions,
  type TypeStatus,
} from "./stream-types.ts";
import { type Dirty, type InFlight, type Nack, type SentResource, Subscription } from "./subscription.ts";

interface Draft {
  readonly resources: SentResource[];
  since: number;
  changedAt: number;
  sizeBytes: number;
}

export class DeltaStream {
  private readonly stack: LayerStack;
  private readonly memory: ProxyMemory;
  private readonly limits: StreamLimits;
  private readonly options: StreamOptions;
  private readonly subscriptions = new Map<string, Subscription>();
  /** The same in make-before-break order. */
  private ordered: readonly Subscription[] = [];
  private readonly owner: { committed(): void };
  /** New clusters whose endpoints the client has not asked for yet → when to stop waiting. */
  private readonly awaited = new Map<string, { readonly revision: number; readonly untilMs: number }>();
  /** An Envoy that comes back while clusters warm asks for all else first: what refers to clusters waits until then. */
  private resumeUntilMs: number | undefined;
  private nodeId: string | undefined;
  /** A change turned out to be none, so something of an earlier type that waited for it may go. */
  private dropped = false;
  private closed = false;

  constructor(options: StreamOptions) {
    this.options = options;
    this.owner = { committed: options.onWork };
    this.stack = new LayerStack(options.layers);
    this.memory = options.memory ?? new ProxyMemory();
    this.limits = { ...STREAM_LIMITS, ...options.limits };
  }

  /** Takes one request. After "refused" the stream is to be ended with that status; nothing of the request counts. */
  onRequest(request: DeltaRequest): Outcome {
    assert(!this.closed, "no request after close");
    const known = this.subscriptions.get(request.typeUrl);
    const refused = this.refuse(request, known);
    if (refused !== undefined) return refused;
    const subscription = known ?? this.open(request.typeUrl);
    if (isReferrer(request.typeUrl) && request.initialVersions.size > 0)
      this.resumeUntilMs ??= this.options.nowMs() + this.limits.resumeMaxMs;
    const outcome = this.answerTo(subscription, request);
    subscription.request(request.subscribe, request.unsubscribe, request.initialVersions);
    if (request.typeUrl === TYPE_URL.endpoint)
      for (const name of request.subscribe) this.awaited.delete(name);
    return outcome;
  }

  /** The next response that may be sent now, as a gRPC frame; undefined = nothing. Call until undefined, or it blocks. */
  pump(): Uint8Array<ArrayBuffer> | undefined {
    if (this.closed) return undefined;
    do {
      this.dropped = false;
      for (const subscription of this.ordered) {
        const response = this.next(subscription);
        if (response !== undefined) return response;
      }
    } while (this.dropped);
    return undefined;
  }

  /** When `pump` may have something to send although nothing happens before. */
  wakeAtMs(): number | undefined {
    let at = Number.POSITIVE_INFINITY;
    for (const { untilMs } of this.awaited.values()) at = Math.min(at, untilMs);
    for (const { isolation } of this.ordered) at = Math.min(at, isolation.atMs ?? at);
    if (this.awaitsClusters()) at = Math.min(at, this.resumeUntilMs ?? at);
    return at === Number.POSITIVE_INFINITY ? undefined : at;
  }

  status(): TypeStatus[] {
    return this.ordered.map((subscription) => {
      return {
        typeUrl: subscription.typeUrl,
        wildcard: subscription.wildcard,
        named: subscription.named.size,
        sent: subscription.sentRevision(),
        acked: subscription.ackedRevision(),
        inFlight: subscription.inFlight.length,
        nack: openRefusal(subscription),
      };
    });
  }

  close(): void {
    this.closed = true;
    for (const subscription of this.subscriptions.values()) subscription.close();
  }

  private refuse(
    request: DeltaRequest,
    subscription: Subscription | undefined,
  ): Extract<Outcome, { kind: "refused" }> | undefined {
    const { owner } = this.options;
    const known = this.nodeId;
    if (known === undefined || request.nodeId !== undefined) {
      const nodeId = request.nodeId ?? "";
      if ((owner !== undefined && nodeId !== owner) || (known !== undefined && nodeId !== known)) {
        const message = `node.id: ${JSON.stringify(nodeId)} does not own this stream; a proxy may only use the socket made for it`;
        return { kind: "refused", status: "PERMISSION_DENIED", code: "HSA5003", message };
      }
      this.nodeId = nodeId;
    }
    if (request.typeUrl === "") {
      const message = "type_url: missing; an aggregated stream needs it in every request";
      return { kind: "refused", status: "INVALID_ARGUMENT", code: "HSA1004", message };
    }
    if (subscription === undefined && this.subscriptions.size >= this.limits.typesMax)
      return tooLarge(`type_url: more than ${this.limits.typesMax} types on one stream`);
    let wanted = subscription?.named.size ?? 0;
    for (const name of request.subscribe) if (!subscription?.named.has(name)) wanted += 1;
    if (wanted > this.limits.subscriptionsMax)
      return tooLarge(
        `resource_names_subscribe: more than ${this.limits.subscriptionsMax} names of one type`,
      );
    return undefined;
  }

  private open(typeUrl: string): Subscription {
    const subscription = new Subscription(typeUrl, this.stack, this.memory, this.owner);
    this.subscriptions.set(typeUrl, subscription);
    this.ordered = [...this.subscriptions.values()].sort((a, b) => rank(a.typeUrl) - rank(b.typeUrl));
    return subscription;
  }

  /** ACK and NACK. An unknown nonce is none of them, but never a reason to ignore the rest of the request. */
  private answerTo(subscription: Subscription, request: DeltaRequest): Outcome {
    const { typeUrl } = subscription;
    const { inFlight } = subscription;
    const index = inFlight.findIndex(({ nonce }) => nonce === request.nonce);
    if (index === -1) return { kind: request.nonce === "" ? "none" : "stale", typeUrl };
    // A stream keeps its order: who answers this response has seen the earlier ones.
    for (let earlier = 0; earlier < index; earlier += 1)
      this.accept(subscription, inFlight.shift() as InFlight);
    const answered = inFlight.shift() as InFlight;
    if (request.error !== undefined) return this.onNack(subscription, answered, request.error);
    this.accept(subscription, answered);
    const revision = subscription.ackedRevision();
    let streamRevision = revision;
    for (const other of this.ordered)
      if (other !== subscription) streamRevision = Math.min(streamRevision, other.ackedRevision());
    return { kind: "ack", typeUrl, revision, streamRevision };
  }

  private accept(subscription: Subscription, response: InFlight): void {
    for (const { name, entry } of response.resources)
      this.memory.accept(subscription.typeUrl, name, entry?.version);
    subscription.isolation.settle();
  }

  /** The client keeps what it had. One refused resource is not sent to it again in that version; several are isolated. */
  private onNack(
    subscription: Subscription,
    response: InFlight,
    error: { readonly code: number; readonly message: string },
  ): Outcome {
    const { typeUrl } = subscription;
    const atMs = this.options.nowMs();
    const names = response.resources.map(({ name }) => name);
    const nack: Nack = { status: error.code, message: error.message, names, atMs };
    subscription.nack = nack;
    const sent = response.resources.filter(({ entry }) => entry !== undefined);
    const suspects = sent.map(({ name }) => name);
    for (const name of suspects) if (typeUrl === TYPE_URL.cluster) this.awaited.delete(name);
    const isolate =
      suspects.length > 1 && subscription.isolation.split(suspects, atMs + this.limits.isolationDelayMs);
    for (const { name, held, entry } of sent as readonly (SentResource & { entry: Entry })[]) {
      const waiting = subscription.dirty.get(name);
      if (waiting !== undefined) subscription.mark(name, { ...waiting, held });
      else if (isolate && subscription.wants(name)) {
        const { revision } = entry;
        const at = { since: revision, latest: revision, changedAt: revision };
        subscription.mark(name, { held, ...at, asked: false, parked: true });
      }
      if (!isolate) {
        const good = held?.message === undefined ? undefined : (held as Entry);
        const { version, revision } = entry;
        const { code: status, message } = error;
        this.memory.reject({ typeUrl, name, version, revision, good, status, message, atMs });
      }
    }
    return { kind: "nack", typeUrl, nack, blamed: isolate ? [] : suspects };
  }

  private next(subscription: Subscription): Uint8Array<ArrayBuffer> | undefined {
    const open = subscription.inFlight.length === 0;
    const asked = subscription.askedCount > 0 || subscription.owesAnswer;
    if (!open && (!asked || subscription.inFlight.length >= this.limits.answersInFlightMax)) return undefined;
    if (!asked && subscription.dirty.size === 0) return undefined;
    const draft: Draft = {
      resources: [],
      since: Number.POSITIVE_INFINITY,
      changedAt: Number.POSITIVE_INFINITY,
      sizeBytes: 0,
    };
    this.fill(draft, subscription, open);
    if (draft.resources.length === 0 && open) this.fillIsolated(draft, subscription);
    const owes = subscription.owesAnswer && subscription.askedCount === 0;
    if (draft.resources.length === 0 && !owes) return undefined;
    return this.send(draft, subscription);
  }

  private fill(draft: Draft, subscription: Subscription, open: boolean): void {
    const { typeUrl } = subscription;
    const additions = Math.min(additionBarrier(typeUrl, this.subscriptions), this.warmingBarrier(typeUrl));
    const removals = removalBarrier(typeUrl, this.subscriptions);
    for (const [name, dirty] of subscription.dirty) {
      if (dirty.parked || !(open || dirty.asked)) continue;
      const entry = subscription.visible(name);
      if (entry === undefined ? dirty.held === null : dirty.held?.version === entry.version) {
        subscription.forget(name);
        this.dropped = true;
        continue;
      }
      if (entry !== undefined && entry.revision >= additions) continue;
      if (entry !== undefined && typeUrl === TYPE_URL.endpoint && clusterIsWaiting(name, this.subscriptions))
        continue;
      if (entry === undefined && !dirty.asked && dirty.held !== undefined && dirty.latest >= removals)
        continue;
      if (!this.add(draft, name, dirty, entry)) break;
    }
  }

  private fillIsolated(draft: Draft, subscription: Subscription): void {
    const { isolation } = subscription;
    if (isolation.atMs === undefined || isolation.atMs > this.options.nowMs()) return;
    for (const name of isolation.next((one) => subscription.dirty.get(one)?.parked === true)) {
      const dirty = subscription.dirty.get(name) as Dirty;
      const entry = subscription.visible(name);
      if (entry !== undefined) this.add(draft, name, dirty, entry);
    }
  }

  /** False = the response is full; the rest waits for the next one. */
  private add(draft: Draft, name: string, dirty: Dirty, entry: Entry | undefined): boolean {
    const size = entry === undefined ? name.length : resourceBytesMax(entry);
    if (draft.resources.length > 0 && draft.sizeBytes + size > this.limits.responseBytesMax) return false;
    draft.sizeBytes += size;
    draft.resources.push({ name, held: dirty.held, entry });
    draft.since = Math.min(draft.since, dirty.since);
    draft.changedAt = Math.min(draft.changedAt, dirty.changedAt);
    return true;
  }

  private send(draft: Draft, subscription: Subscription): Uint8Array<ArrayBuffer> {
    const { typeUrl } = subscription;
    const { resources, since, changedAt } = draft;
    const parts: Part[] = [];
    for (const { name, held, entry } of resources) {
      subscription.forget(name);
      parts.push(entry ?? name);
      if (typeUrl === TYPE_URL.cluster && entry !== undefined) this.warm(entry, held);
    }
    if (subscription.askedCount === 0) subscription.owesAnswer = false;
    const { nonce, nonceText, frame } = sharedResponse(typeUrl, parts, subscription.lastNonce);
    subscription.lastNonce = nonce;
    subscription.inFlight.push({ nonce: nonceText, resources, since, changedAt });
    return frame;
  }

  /**
   * A cluster that is added or changed warms until it gets a *new* load assignment, even an equal one (envoy #13009);
   * the client asks only for those it never asked for. So the one of this cluster, and no other, is sent after it.
   */
  private warm(entry: Entry, held: Dirty["held"]): void {
    const endpoints = this.subscriptions.get(TYPE_URL.endpoint);
    if (endpoints === undefined) return;
    if (endpoints.wants(entry.name)) endpoints.force(entry.name, entry.revision);
    else if (held == null && endpoints.visible(entry.name) !== undefined)
      this.awaited.set(entry.name, {
        revision: entry.revision,
        untilMs: this.options.nowMs() + this.limits.warmingMaxMs,
      });
  }

  private awaitsClusters(): boolean {
    const untilMs = this.resumeUntilMs;
    return (
      untilMs !== undefined && !this.subscriptions.has(TYPE_URL.cluster) && this.options.nowMs() < untilMs
    );
  }

  private warmingBarrier(typeUrl: string): number {
    let barrier = Number.POSITIVE_INFINITY;
    if (!isReferrer(typeUrl)) return barrier;
    if (this.awaitsClusters()) return Number.NEGATIVE_INFINITY;
    const nowMs = this.options.nowMs();
    for (const [name, { revision, untilMs }] of this.awaited) {
      if (untilMs <= nowMs) this.awaited.delete(name);
      else barrier = Math.min(barrier, revision);
    }
    return barrier;
  }
}

const isReferrer = (typeUrl: string): boolean => typeUrl === TYPE_URL.listener || typeUrl === TYPE_URL.route;

const tooLarge = (message: string): Extract<Outcome, { kind: "refused" }> => ({
  kind: "refused",
  status: "RESOURCE_EXHAUSTED",
  code: "HSA1006",
  message,
});

/** What the proxy still refuses, on an earlier stream perhaps; undefined once it is mended or withdrawn. */
function openRefusal(subscription: Subscription): Nack | undefined {
  const rejections = subscription.rejections();
  const last = rejections.at(-1);
  if (last === undefined) return subscription.isolation.atMs === undefined ? undefined : subscription.nack;
  const { status, message, atMs } = last;
  return { status, message, names: rejections.map(({ name }) => name), atMs };
}

/** Types that are not served come last: they are only told that there is nothing. */
function rank(typeUrl: string): number {
  const index = (PUSH_ORDER as readonly string[]).indexOf(typeUrl);
  return index === -1 ? PUSH_ORDER.length : index;
}

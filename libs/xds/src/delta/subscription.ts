/**
 * What one stream wants of one type, and what of it the client does not have yet. Only deviations are kept: a wanted
 * name that is not `dirty` is held by the client in the visible version (or it knows that there is none), so an idle
 * stream costs nothing per resource. Owns subscription rules (xDS protocol, "Subscribing to Resources"); order between
 * types, encoding and nonces are stream.ts's.
 */
import { Isolation } from "./isolation.ts";
import type { Entry, LayerStack, ResourceLayer, Watcher } from "./layer.ts";
import type { ProxyMemory, Rejection } from "./rejections.ts";

/** What the client has: a version; null = it knows there is none; undefined = unknown, so it must be told either way. */
export type Held = { readonly version: string; readonly message?: Uint8Array } | null | undefined;

export interface Dirty {
  readonly held: Held;
  /** Revision of the oldest change that has not been sent; 0 for what a subscription asks for. */
  readonly since: number;
  /** Revision of the newest change: a removal waits for what was committed with it, not with what it replaced. */
  readonly latest: number;
  /** Revision that is not acknowledged before this is. */
  readonly changedAt: number;
  /** A request waits for the answer: not held back by an unacknowledged push. */
  readonly asked: boolean;
  /** Part of a refused response: sent again only by itself (isolation.ts). */
  readonly parked: boolean;
}

export interface SentResource {
  readonly name: string;
  readonly held: Held;
  /** Undefined = removed. */
  readonly entry: Entry | undefined;
}

/** One response that the client has not answered. */
export interface InFlight {
  readonly nonce: string;
  readonly resources: readonly SentResource[];
  readonly since: number;
  readonly changedAt: number;
}

export interface Nack {
  /** gRPC status code in error_detail. */
  readonly status: number;
  readonly message: string;
  /** Resources of the refused response; which of them is at fault is known when there is one. */
  readonly names: readonly string[];
  readonly atMs: number;
}

export const WILDCARD = "*";
const NO_REJECTIONS: readonly Rejection[] = [];
const NO_VERSIONS: ReadonlyMap<string, string> = new Map();

export class Subscription implements Watcher {
  readonly typeUrl: string;
  readonly owner: { committed(): void };
  readonly dirty = new Map<string, Dirty>();
  /** Oldest first; never more than StreamLimits.answersInFlightMax. */
  readonly inFlight: InFlight[] = [];
  lastNonce = 0;
  readonly named = new Set<string>();
  wildcard = false;
  /** Count of `dirty` with `asked`, so that a closed gate is recognised without a look at the names. */
  askedCount = 0;
  /** A wildcard request is answered even if there is nothing: Envoy waits for the first answer. */
  owesAnswer = false;
  /** The latest refusal on this stream. */
  nack: Nack | undefined;
  readonly isolation = new Isolation();
  private readonly stack: LayerStack;
  private readonly memory: ProxyMemory;
  private fresh = true;

  constructor(typeUrl: string, stack: LayerStack, memory: ProxyMemory, owner: { committed(): void }) {
    this.typeUrl = typeUrl;
    this.stack = stack;
    this.memory = memory;
    this.owner = owner;
  }

  wants(name: string): boolean {
    return this.wildcard || this.named.has(name);
  }

  /** The version this client is to have: the current one, or the last good one where it refused the current. */
  visible(name: string): Entry | undefined {
    const entry = this.stack.get(this.typeUrl, name);
    return entry === undefined ? undefined : (this.lastGood(entry) ?? entry);
  }

  /**
   * Takes the names of one request. `versions` counts in the first request of the type on a stream only.
   * A first request without names is the legacy wildcard; later ones are mere ACKs.
   */
  request(
    subscribe: readonly string[],
    unsubscribe: readonly string[],
    versions: ReadonlyMap<string, string>,
  ): void {
    if (!this.fresh && subscribe.length + unsubscribe.length === 0) return;
    const known = this.fresh ? versions : NO_VERSIONS;
    const wildcard = subscribe.includes(WILDCARD) || (this.fresh && subscribe.length === 0);
    this.fresh = false;
    for (const name of subscribe) if (name !== WILDCARD) this.subscribeName(name, known.get(name));
    if (wildcard) this.subscribeAll(known);
    for (const name of unsubscribe) {
      if (name === WILDCARD) this.unsubscribeAll();
      else this.unsubscribeName(name);
    }
  }

  changed(name: string, layer: ResourceLayer, previous: Entry | undefined, revision: number): void {
    const before = this.stack.before(this.typeUrl, name, layer, previous);
    if (before === "hidden") return;
    const waiting = this.dirty.get(name);
    if (waiting === undefined) {
      const held = before === undefined ? null : this.heldOf(before);
      this.mark(name, { held, ...at(revision), asked: false, parked: false });
    } else {
      // Another version than the refused one is not suspect any more.
      const since = waiting.parked ? revision : waiting.since;
      this.mark(name, { ...waiting, since, latest: revision, parked: false });
    }
  }

  /** Sends the name again although the client may hold it: after its cluster was sent it warms until it is told. */
  force(name: string, revision: number): void {
    const waiting = this.dirty.get(name);
    this.mark(name, { ...at(revision), asked: false, ...waiting, held: undefined, parked: false });
  }

  mark(name: string, dirty: Dirty): void {
    if (this.dirty.size > 0) this.forget(name);
    this.dirty.set(name, dirty);
    if (dirty.asked) this.askedCount += 1;
  }

  forget(name: string): void {
    if (this.dirty.get(name)?.asked) this.askedCount -= 1;
    this.dirty.delete(name);
  }

  /** Every change of this type up to here was sent. */
  sentRevision(): number {
    let lowest = this.stack.revision + 1;
    for (const { changedAt } of this.dirty.values()) lowest = Math.min(lowest, changedAt);
    return lowest - 1;
  }

  /** Every change of this type up to here was acknowledged by the client; a refused one holds it back. */
  ackedRevision(): number {
    let lowest = this.sentRevision() + 1;
    for (const { changedAt } of this.inFlight) lowest = Math.min(lowest, changedAt);
    for (const { revision } of this.rejections()) lowest = Math.min(lowest, revision);
    return lowest - 1;
  }

  /** What this proxy refuses of what is current and wanted. */
  rejections(): readonly Rejection[] {
    const rejections = this.memory.ofType(this.typeUrl);
    if (rejections === undefined) return NO_REJECTIONS;
    return [...rejections].filter(
      ({ name, version }) => this.wants(name) && this.stack.get(this.typeUrl, name)?.version === version,
    );
  }

  close(): void {
    for (const layer of this.stack.layers) {
      layer.unwatch(this.typeUrl, undefined, this);
      for (const name of this.named) layer.unwatch(this.typeUrl, name, this);
    }
  }

  private lastGood(entry: Entry): Entry | undefined {
    const rejection = this.memory.get(this.typeUrl, entry.name);
    return rejection?.version === entry.version ? rejection.good : undefined;
  }

  private heldOf(entry: Entry): Held {
    const rejection = this.memory.get(this.typeUrl, entry.name);
    return rejection?.version === entry.version ? rejection.good : entry;
  }

  private subscribeName(name: string, version: string | undefined): void {
    if (!this.named.has(name)) {
      this.named.add(name);
      for (const layer of this.stack.layers) layer.watch(this.typeUrl, name, this);
    }
    this.ask(name, version === undefined ? undefined : { version });
  }

  private subscribeAll(known: ReadonlyMap<string, string>): void {
    const again = this.wildcard;
    this.wildcard = true;
    this.owesAnswer = true;
    for (const layer of this.stack.layers) layer.watch(this.typeUrl, undefined, this);
    for (const name of this.stack.names(this.typeUrl)) {
      if (this.named.has(name) && !again) continue;
      const version = known.get(name);
      const none = again ? undefined : null;
      this.ask(name, version === undefined ? none : { version });
    }
    // What the client still has from another stream and what is gone now.
    for (const [name, version] of known) if (this.visible(name) === undefined) this.ask(name, { version });
  }

  private unsubscribeAll(): void {
    if (!this.wildcard) return;
    this.wildcard = false;
    this.owesAnswer = false;
    for (const layer of this.stack.layers) layer.unwatch(this.typeUrl, undefined, this);
    for (const name of [...this.dirty.keys()]) if (!this.named.has(name)) this.forget(name);
  }

  private unsubscribeName(name: string): void {
    if (!this.named.delete(name)) return;
    for (const layer of this.stack.layers) layer.unwatch(this.typeUrl, name, this);
    // Under a wildcard the client cannot know whether it keeps the resource: it must be told.
    if (this.wildcard) this.ask(name, undefined);
    else this.forget(name);
  }

  private ask(name: string, held: Held): void {
    const visible = this.visible(name);
    if (held != null && held.version === visible?.version) return;
    const changedAt = this.dirty.get(name)?.changedAt ?? visible?.revision ?? this.stack.revision;
    this.mark(name, { held, since: 0, latest: 0, changedAt, asked: true, parked: false });
  }
}

const at = (revision: number) => ({ since: revision, latest: revision, changedAt: revision });

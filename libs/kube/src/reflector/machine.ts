/**
 * List and watch of one kind of object as a state machine (KEP-365 paging, KEP-956 bookmarks). Pure: an input and the time give actions;
 * the adapter does them and hears nothing of a request that it was told to close.
 *
 *   idle ─start→ listing ─last page→ watching ─ended, failed, silent→ checking ─ok→ watching
 *                  ▲                    │ gone                           │ version too large, gone, long outage
 *                  └────────────────────┴────────────────────────────────┘     resting = waits, then lists or checks
 *
 * A watch from a version that the server never had answers 200 and stays silent for ever (etcd restored from a backup), so each
 * reconnect first asks whether the server has our version (`NotOlderThan`), and silence is asked about too.
 */
import { assert, type Random } from "@hansa/core";
import { backoffMs } from "../backoff.ts";
import type { Problem } from "../client/problem.ts";
import { Cache, type Change, type Item, isMuchSmaller, type Listing, type Same } from "./cache.ts";
import type { ReflectorSettings } from "./settings.ts";

export type WatchEvent<T> =
  | { readonly kind: "put"; readonly item: Item<T>; readonly version: string }
  | { readonly kind: "removed"; readonly key: string; readonly version: string }
  | { readonly kind: "bookmark"; readonly version: string };

export interface Page<T> {
  readonly items: readonly Item<T>[];
  readonly version: string;
  /** Continue token of the next page. */
  readonly more: string | undefined;
}

export type Input<T> =
  | { readonly kind: "start" }
  | { readonly kind: "page"; readonly page: Page<T> }
  | { readonly kind: "checked" }
  | { readonly kind: "events"; readonly events: readonly WatchEvent<T>[] }
  /** The request under way failed, or an ERROR line came. */
  | { readonly kind: "failed"; readonly problem: Problem }
  /** The server ended the watch in order. */
  | { readonly kind: "ended" }
  /** Somebody else's request was answered by an API server that was away: there is nothing to rest for. */
  | { readonly kind: "reached" }
  | { readonly kind: "timer" };

/** Why everything is listed anew. */
export type RelistReason = "gone" | "restored" | "outage" | "garbage";

export type Action<T> =
  | { readonly kind: "list"; readonly limit: number; readonly more: string | undefined }
  | { readonly kind: "check"; readonly version: string }
  | { readonly kind: "watch"; readonly version: string }
  /** The request under way is over, whatever it would still say. */
  | { readonly kind: "close" }
  /** Replaces the timer before it. */
  | { readonly kind: "timer"; readonly afterMs: number }
  | { readonly kind: "changes"; readonly changes: readonly Change<T>[] }
  | { readonly kind: "synced" }
  | { readonly kind: "relist"; readonly reason: RelistReason }
  | { readonly kind: "doubt"; readonly missingCount: number; readonly knownCount: number };

type State<T> =
  | { readonly at: "idle" }
  | { readonly at: "listing"; readonly listing: Listing<T> }
  | { readonly at: "checking" }
  | {
      readonly at: "watching";
      readonly sinceMs: number;
      readonly heardMs: number;
      readonly hasHeard: boolean;
    }
  | { readonly at: "resting"; readonly then: "list" | "check" };

/** Watches in a row that failed before a line came; then even our version is doubted. */
const FRUITLESS_WATCHES_MAX = 3;

export interface MachineOptions<T> {
  readonly settings: ReflectorSettings;
  readonly random: Random;
  readonly same: Same<T>;
  /** Objects that were known before this process began: the first list is held to the same rule as a later one. */
  readonly expectedCount: number;
}

export class ReflectorMachine<T> {
  readonly cache: Cache<T>;
  readonly #options: MachineOptions<T>;
  #state: State<T> = { at: "idle" };
  #version = "";
  #synced = false;
  #pageObjects: number;
  /** Since a watch last worked: a list that works is no sign that the watch after it will. */
  #failures = 0;
  #fruitlessWatches = 0;
  /** When the API server was last heard. */
  #reachedMs = 0;
  /** A first list that is much smaller than expected was seen once. */
  #wasSmall = false;

  constructor(options: MachineOptions<T>) {
    this.#options = options;
    this.#pageObjects = options.settings.pageObjects;
    this.cache = new Cache(options.same);
  }

  get at(): State<T>["at"] {
    return this.#state.at;
  }

  /** A whole list has been taken, once. Stays true: what was read stays in force while the server is away. */
  get synced(): boolean {
    return this.#synced;
  }

  step(input: Input<T>, nowMs: number): Action<T>[] {
    if (input.kind === "failed") return this.#failed(input.problem, nowMs);
    if (input.kind === "timer") return this.#timer(nowMs);
    if (input.kind === "reached") return this.#reached(nowMs);
    this.#reachedMs = nowMs;
    const state = this.#state;
    switch (input.kind) {
      case "start":
        assert(state.at === "idle", "a reflector starts once");
        return this.#list();
      case "page":
        assert(state.at === "listing", `a page came while ${state.at}`);
        return this.#page(state.listing, input.page, nowMs);
      case "checked":
        assert(state.at === "checking", `a check was answered while ${state.at}`);
        return this.#watch(nowMs);
      case "events":
        assert(state.at === "watching", `events came while ${state.at}`);
        return this.#events(state.sinceMs, input.events, nowMs);
      case "ended":
        assert(state.at === "watching", `a watch ended while ${state.at}`);
        if (!this.#wasOfUse(state, nowMs)) return this.#fruitless();
        this.#worked();
        return this.#check();
    }
  }

  #list(): Action<T>[] {
    this.#state = { at: "listing", listing: this.cache.listing() };
    return [{ kind: "list", limit: this.#pageObjects, more: undefined }];
  }

  #relist(reason: RelistReason): Action<T>[] {
    return [{ kind: "relist", reason }, ...this.#list()];
  }

  #check(): Action<T>[] {
    this.#state = { at: "checking" };
    return [{ kind: "check", version: this.#version }];
  }

  #watch(nowMs: number): Action<T>[] {
    this.#state = { at: "watching", sinceMs: nowMs, heardMs: nowMs, hasHeard: false };
    return [
      { kind: "watch", version: this.#version },
      { kind: "timer", afterMs: this.#options.settings.silenceMs },
    ];
  }

  #rest(then: "list" | "check", afterMs: number): Action<T>[] {
    this.#state = { at: "resting", then };
    return [{ kind: "timer", afterMs }];
  }

  #retry(then: "list" | "check", atLeastMs = 0): Action<T>[] {
    this.#failures += 1;
    const { settings, random } = this.#options;
    return this.#rest(then, Math.max(atLeastMs, backoffMs(settings.backoff, this.#failures, random)));
  }

  #page(listing: Listing<T>, page: Page<T>, nowMs: number): Action<T>[] {
    for (const item of page.items) listing.add(item);
    if (page.more !== undefined) return [{ kind: "list", limit: this.#pageObjects, more: page.more }];
    if (!this.#synced && !this.#wasSmall && this.#isBelowExpected(listing.values.size)) {
      this.#wasSmall = true;
      return this.#doubt(this.#options.expectedCount - listing.values.size, this.#options.expectedCount);
    }
    const knownCount = this.cache.values.size;
    const { changes, isDoubtful } = this.cache.take(listing);
    const told: Action<T>[] = changes.length === 0 ? [] : [{ kind: "changes", changes }];
    if (isDoubtful) return [...told, ...this.#doubt(this.cache.doubtfulCount, knownCount)];
    this.#version = page.version;
    if (!this.#synced) told.push({ kind: "synced" });
    this.#synced = true;
    return [...told, ...this.#watch(nowMs)];
  }

  #isBelowExpected(listedCount: number): boolean {
    const { expectedCount } = this.#options;
    return isMuchSmaller(expectedCount - listedCount, expectedCount);
  }

  #doubt(missingCount: number, knownCount: number): Action<T>[] {
    return [
      { kind: "doubt", missingCount, knownCount },
      ...this.#rest("list", this.#options.settings.confirmAfterMs),
    ];
  }

  #events(sinceMs: number, events: readonly WatchEvent<T>[], nowMs: number): Action<T>[] {
    const changes: Change<T>[] = [];
    for (const event of events) {
      this.#version = event.version;
      if (event.kind === "bookmark") continue;
      const change = event.kind === "put" ? this.cache.put(event.item) : this.cache.remove(event.key);
      if (change !== undefined) changes.push(change);
    }
    this.#worked();
    this.#state = { at: "watching", sinceMs, heardMs: nowMs, hasHeard: true };
    return changes.length === 0 ? [] : [{ kind: "changes", changes }];
  }

  #worked(): void {
    this.#failures = 0;
    this.#fruitlessWatches = 0;
  }

  #wasOfUse(watch: Extract<State<T>, { readonly at: "watching" }>, nowMs: number): boolean {
    return watch.hasHeard || nowMs - watch.sinceMs >= this.#options.settings.shortWatchMs;
  }

  /** A watch brought nothing. Where that repeats, the version or the object after it is at fault: a list passes over both. */
  #fruitless(atLeastMs = 0): Action<T>[] {
    this.#fruitlessWatches += 1;
    if (this.#fruitlessWatches < FRUITLESS_WATCHES_MAX) return this.#retry("check", atLeastMs);
    this.#fruitlessWatches = 0;
    return [{ kind: "relist", reason: "garbage" }, ...this.#retry("list", atLeastMs)];
  }

  #failed(problem: Problem, nowMs: number): Action<T>[] {
    const state = this.#state;
    assert(state.at !== "idle" && state.at !== "resting", `a request failed while ${state.at}`);
    // A watch that breaks was there until now.
    if (problem.status !== 0 || state.at === "watching") this.#reachedMs = nowMs;
    const wasOfUse = state.at === "watching" && this.#wasOfUse(state, nowMs);
    if (wasOfUse) this.#worked();
    const close: Action<T>[] = state.at === "watching" ? [{ kind: "close" }] : [];
    if (state.at === "listing") return this.#listFailed(state.listing, problem);
    if (problem.kind === "gone") return [...close, ...this.#again("gone")];
    if (problem.kind === "version-too-large") return [...close, ...this.#again("restored")];
    if (state.at === "checking" || wasOfUse) return [...close, ...this.#retry("check", problem.retryAfterMs)];
    return [...close, ...this.#fruitless(problem.retryAfterMs)];
  }

  /** The first list at once; where no good has come of it, later ones after a rest. */
  #again(reason: RelistReason): Action<T>[] {
    if (this.#failures === 0) {
      this.#failures = 1;
      return this.#relist(reason);
    }
    return [{ kind: "relist", reason }, ...this.#retry("list")];
  }

  #listFailed(listing: Listing<T>, problem: Problem): Action<T>[] {
    if (problem.kind === "too-large" && this.#pageObjects > 1) {
      this.#pageObjects = Math.ceil(this.#pageObjects / 4);
      return this.#list();
    }
    // The continue token of a list that took too long is compacted: begin it anew.
    if (problem.kind === "gone" && listing.seenCount > 0) return this.#again("gone");
    return this.#retry("list", problem.retryAfterMs);
  }

  #reached(nowMs: number): Action<T>[] {
    if (this.#state.at !== "resting") return [];
    this.#failures = 0;
    return this.#timer(nowMs);
  }

  #timer(nowMs: number): Action<T>[] {
    const state = this.#state;
    const { silenceMs, outageMs } = this.#options.settings;
    if (state.at === "watching") {
      const leftMs = state.heardMs + silenceMs - nowMs;
      return leftMs > 0 ? [{ kind: "timer", afterMs: leftMs }] : [{ kind: "close" }, ...this.#check()];
    }
    // Fired while the request that made it needless was answered.
    if (state.at !== "resting") return [];
    if (state.then === "list") return this.#list();
    return nowMs - this.#reachedMs >= outageMs ? this.#relist("outage") : this.#check();
  }
}

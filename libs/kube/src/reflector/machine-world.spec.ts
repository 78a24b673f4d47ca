/**
 * The machine against a model of an API server, in virtual time: outages, compaction, restored backups, lists that lie once, lines that
 * cannot be read. Whatever happens: nothing that is there is withdrawn, requests stay few, and soon after the faults the cache is right.
 */
import type { Random } from "@hansa/core";
import { describe, expect, it } from "vitest";
import { type ProblemKind, problem } from "../client/problem.ts";
import { type Action, type Input, ReflectorMachine, type WatchEvent } from "./machine.ts";
import { item } from "./rig.ts";
import { REFLECTOR_SETTINGS } from "./settings.ts";

const SEEDS = 100;
const FAULTS_MS = 1_800_000;
const CALM_MS = 60_000;
/** One step of the world. */
const TICK_MS = 50;
const BOOKMARK_MS = 60_000;

function random(seed: number): Random {
  let state = seed >>> 0;
  const float = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return { float, bytes: (count) => new Uint8Array(count) };
}

interface Entry {
  readonly version: number;
  readonly key: string;
  /** undefined = deleted. */
  readonly value: string | undefined;
}

class World {
  readonly #random: Random;
  readonly machine: ReflectorMachine<string>;
  nowMs = 0;
  requests = 0;
  /** Withdrawn while it was there, by name and time. */
  readonly wrong: string[] = [];
  #objects = new Map<string, string>();
  #history: Entry[] = [];
  #version = 100;
  #compacted = 0;
  #upAtMs = 0;
  #backup:
    | { readonly objects: Map<string, string>; readonly history: Entry[]; readonly version: number }
    | undefined;
  /** The next list is empty, as from a server that is not ready yet. */
  #liesOnce = false;
  #garbageNext = false;
  #answer: { readonly atMs: number; readonly give: () => Input<string> } | undefined;
  #watch: { version: number; bookmarkMs: number } | undefined;
  #timerMs: number | undefined;
  #pages: [string, string][] = [];
  #listVersion = "";

  constructor(seed: number) {
    this.#random = random(seed);
    this.machine = new ReflectorMachine({
      settings: { ...REFLECTOR_SETTINGS, pageObjects: 4 },
      random: this.#random,
      same: (a, b) => a === b,
      expectedCount: 0,
    });
    for (let index = 0; index < 10; index += 1) this.#write(`o${index}`, "0");
    this.#do(this.machine.step({ kind: "start" }, 0));
  }

  get truth(): ReadonlyMap<string, string> {
    return this.#objects;
  }

  tick(isCalm: boolean): void {
    this.nowMs += TICK_MS;
    if (!isCalm) this.#misfortune();
    if (this.#isUp() && this.#chance(0.02)) this.#change();
    this.#feedWatch();
    const answer = this.#answer;
    if (answer !== undefined && answer.atMs <= this.nowMs) {
      this.#answer = undefined;
      this.#hear(answer.give());
    }
    if (this.#timerMs !== undefined && this.#timerMs <= this.nowMs) {
      this.#timerMs = undefined;
      this.#hear({ kind: "timer" });
    }
  }

  #misfortune(): void {
    if (this.#chance(0.0004)) this.#down(this.#random.float() < 0.5 ? 3000 : 120_000);
    if (this.#chance(0.0004)) this.#compacted = this.#version;
    if (this.#chance(0.0004)) this.#garbageNext = true;
    if (this.#chance(0.0004)) this.#liesOnce = true;
    if (this.#chance(0.001))
      this.#backup = { objects: new Map(this.#objects), history: [...this.#history], version: this.#version };
    if (this.#chance(0.0002)) this.#restore();
  }

  /** A restored etcd is away for longer than `outageMs`: a version that was used twice is found by that alone. */
  #restore(): void {
    if (this.#backup === undefined) return;
    this.#down(REFLECTOR_SETTINGS.outageMs + 3000);
    this.#objects = new Map(this.#backup.objects);
    this.#history = [...this.#backup.history];
    this.#version = this.#backup.version;
    this.#compacted = Math.min(this.#compacted, this.#version);
  }

  #down(forMs: number): void {
    this.#upAtMs = Math.max(this.#upAtMs, this.nowMs + forMs);
    if (this.#watch !== undefined) this.#fail("unreachable");
  }

  #change(): void {
    const key = `o${Math.floor(this.#random.float() * 14)}`;
    this.#write(key, this.#chance(0.4) ? undefined : String(this.#version));
  }

  #write(key: string, value: string | undefined): void {
    if (value === undefined && !this.#objects.has(key)) return;
    this.#version += 1;
    this.#history.push({ version: this.#version, key, value });
    if (value === undefined) this.#objects.delete(key);
    else this.#objects.set(key, value);
  }

  /** As a watch does: what is newer than the version asked for, and nothing at all while that is in the future. */
  #feedWatch(): void {
    const watch = this.#watch;
    if (watch === undefined || !this.#isUp()) return;
    const newer = this.#newerThan(watch.version);
    if (newer.length > 0) {
      watch.version = this.#version;
      watch.bookmarkMs = this.nowMs + BOOKMARK_MS;
      if (this.#garbageNext) {
        this.#garbageNext = false;
        this.#fail("unreadable");
        return;
      }
      this.#hear({ kind: "events", events: newer.map(eventOf) });
    } else if (watch.version <= this.#version && this.nowMs >= watch.bookmarkMs) {
      watch.bookmarkMs = this.nowMs + BOOKMARK_MS;
      this.#hear({ kind: "events", events: [{ kind: "bookmark", version: String(this.#version) }] });
    }
  }

  #newerThan(known: number): Entry[] {
    let from = this.#history.length;
    while ((this.#history[from - 1]?.version ?? 0) > known) from -= 1;
    return this.#history.slice(from);
  }

  #fail(kind: ProblemKind): void {
    this.#watch = undefined;
    this.#hear({ kind: "failed", problem: problem(kind, kind) });
  }

  #hear(input: Input<string>): void {
    this.#do(this.machine.step(input, this.nowMs));
  }

  #do(actions: readonly Action<string>[]): void {
    for (const action of actions) {
      if (action.kind === "list") this.#list(action.limit, action.more);
      else if (action.kind === "check") this.#reply(() => this.#checked(Number(action.version)));
      else if (action.kind === "watch") this.#open(Number(action.version));
      else if (action.kind === "close") this.#watch = undefined;
      else if (action.kind === "timer") this.#timerMs = this.nowMs + action.afterMs;
      else if (action.kind === "changes")
        for (const change of action.changes)
          if (change.kind === "removed" && this.#objects.has(change.key) && !this.#wasDeleted(change.key))
            this.wrong.push(`${change.key} at ${this.nowMs}`);
    }
  }

  /** A line that is under way may tell of a deletion after which the object was made again. */
  #wasDeleted(key: string): boolean {
    return this.#history.some((entry) => entry.key === key && entry.value === undefined);
  }

  #reply(give: () => Input<string>): void {
    this.requests += 1;
    const isSlow = this.#chance(0.1);
    this.#answer = {
      atMs: this.nowMs + (isSlow ? 3000 : TICK_MS),
      give: () => (this.#isUp() ? give() : { kind: "failed", problem: problem("unreachable", "away") }),
    };
  }

  #list(limit: number, more: string | undefined): void {
    this.#reply(() => {
      if (more === undefined) {
        const lies = this.#liesOnce && this.machine.cache.doubtfulCount === 0;
        this.#pages = lies ? [] : [...this.#objects];
        this.#listVersion = String(this.#version);
        this.#liesOnce = false;
      } else if (this.#chance(0.05)) return { kind: "failed", problem: problem("gone", "too slow", 410) };
      const items = this.#pages.splice(0, limit).map(([key, value]) => item(key, value));
      const next = this.#pages.length === 0 ? undefined : "more";
      return { kind: "page", page: { items, version: this.#listVersion, more: next } };
    });
  }

  #checked(version: number): Input<string> {
    return version > this.#version
      ? { kind: "failed", problem: problem("version-too-large", "from the future", 504) }
      : { kind: "checked" };
  }

  #open(version: number): void {
    this.requests += 1;
    this.#watch = { version, bookmarkMs: this.nowMs + BOOKMARK_MS };
    if (this.#isUp() && version >= this.#compacted) return;
    const kind = this.#isUp() ? "gone" : "unreachable";
    this.#watch = undefined;
    this.#answer = {
      atMs: this.nowMs + TICK_MS,
      give: () => ({ kind: "failed", problem: problem(kind, kind) }),
    };
  }

  #isUp(): boolean {
    return this.nowMs >= this.#upAtMs;
  }

  #chance(probability: number): boolean {
    return this.#random.float() < probability;
  }
}

const eventOf = ({ version, key, value }: Entry): WatchEvent<string> =>
  value === undefined
    ? { kind: "removed", key, version: String(version) }
    : { kind: "put", item: item(key, value), version: String(version) };

describe("a reflector over half an hour of faults", () => {
  it(`is right soon after, with few requests, and withdraws nothing that is there (${SEEDS} seeds)`, () => {
    const broken: string[] = [];
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const world = new World(seed);
      while (world.nowMs < FAULTS_MS) world.tick(false);
      while (world.nowMs < FAULTS_MS + 120_000 + CALM_MS) world.tick(true);
      if (world.wrong.length > 0) broken.push(`seed ${seed}: withdrew ${world.wrong.join(", ")}`);
      if (!isSame(world.machine.cache.values, world.truth)) broken.push(`seed ${seed}: differs at the end`);
      if (world.requests > 2000) broken.push(`seed ${seed}: ${world.requests} requests`);
    }
    expect(broken).toEqual([]);
  });
});

const isSame = (a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean =>
  a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);

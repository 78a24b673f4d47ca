/** For specs: a machine in virtual time, and short ways to say its inputs. */
import type { Random } from "@hansa/core";
import { type Problem, type ProblemKind, problem } from "../client/problem.ts";
import type { Item } from "./cache.ts";
import { type Action, type Input, ReflectorMachine, type WatchEvent } from "./machine.ts";
import { REFLECTOR_SETTINGS } from "./settings.ts";

/** Jitter at its middle: back-off is three quarters of the step. */
export const halfway: Random = { float: () => 0.5, bytes: (count) => new Uint8Array(count) };

export const item = (key: string, value = "1"): Item<string> => ({ key, kind: "value", value });

export const page = (keys: readonly string[], version: string, more?: string): Input<string> => ({
  kind: "page",
  page: { items: keys.map((key) => item(key)), version, more },
});

export const put = (key: string, version: string, value = version): WatchEvent<string> => ({
  kind: "put",
  item: item(key, value),
  version,
});

export const failed = (kind: ProblemKind, more: Partial<Problem> = {}): Input<string> => ({
  kind: "failed",
  problem: { ...problem(kind, kind, kind === "unreachable" ? 0 : 500), ...more },
});

export class Driven {
  readonly machine: ReflectorMachine<string>;
  nowMs = 0;

  constructor(expectedCount = 0) {
    this.machine = new ReflectorMachine({
      settings: REFLECTOR_SETTINGS,
      random: halfway,
      same: (a, b) => a === b,
      expectedCount,
    });
  }

  step(input: Input<string>, afterMs = 0): Action<string>[] {
    this.nowMs += afterMs;
    return this.machine.step(input, this.nowMs);
  }

  /** Listed `keys` at version 10 and watching. */
  watching(keys: readonly string[] = ["a", "b", "c", "d", "e"]): this {
    this.step({ kind: "start" });
    this.step(page(keys, "10"));
    return this;
  }

  checking(): this {
    this.watching();
    this.step({ kind: "ended" }, 60_000);
    return this;
  }

  resting(): this {
    this.checking();
    this.step(failed("unreachable"));
    return this;
  }

  keys(): string[] {
    return [...this.machine.cache.values.keys()];
  }
}

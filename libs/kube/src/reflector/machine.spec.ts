import { describe, expect, it } from "vitest";
import type { Action, Input } from "./machine.ts";
import { Driven, failed, page, put } from "./rig.ts";
import { REFLECTOR_SETTINGS } from "./settings.ts";

const { silenceMs, confirmAfterMs, outageMs, pageObjects } = REFLECTOR_SETTINGS;
const FIRST_REST = { kind: "timer", afterMs: 75 };
const LIST = { kind: "list", limit: pageObjects, more: undefined };
const CHECK = { kind: "check", version: "10" };
const WATCH = { kind: "watch", version: "10" };
const SILENCE = { kind: "timer", afterMs: silenceMs };
const relist = (reason: string): object => ({ kind: "relist", reason });

const set = (key: string, value = "1"): object => ({ kind: "set", key, value, before: undefined });

const inputs: Readonly<Record<string, Input<string>>> = {
  start: { kind: "start" },
  "last page": page(["a", "b", "c", "d", "f"], "20"),
  "page of more": page(["a"], "20", "next"),
  checked: { kind: "checked" },
  event: { kind: "events", events: [put("a", "11")] },
  bookmark: { kind: "events", events: [{ kind: "bookmark", version: "12" }] },
  ended: { kind: "ended" },
  reached: { kind: "reached" },
  timer: { kind: "timer" },
  gone: failed("gone"),
  "version too large": failed("version-too-large"),
  "too large": failed("too-large"),
  unreachable: failed("unreachable"),
  forbidden: failed("forbidden"),
  unreadable: failed("unreadable"),
  throttled: failed("throttled", { retryAfterMs: 5000 }),
};

/** State → input → the state after it and what is to be done; every other input breaks an invariant. */
const table: Readonly<
  Record<string, readonly [() => Driven, Readonly<Record<string, readonly [string, readonly object[]]>>]>
> = {
  idle: [() => new Driven(), { start: ["listing", [LIST]], reached: ["idle", []], timer: ["idle", []] }],
  listing: [
    () => {
      const driven = new Driven();
      driven.step({ kind: "start" });
      return driven;
    },
    {
      "last page": [
        "watching",
        [
          { kind: "changes", changes: ["a", "b", "c", "d", "f"].map((key) => set(key)) },
          { kind: "synced" },
          { kind: "watch", version: "20" },
          SILENCE,
        ],
      ],
      "page of more": ["listing", [{ kind: "list", limit: pageObjects, more: "next" }]],
      reached: ["listing", []],
      timer: ["listing", []],
      gone: ["resting", [FIRST_REST]],
      "version too large": ["resting", [FIRST_REST]],
      "too large": ["listing", [{ ...LIST, limit: pageObjects / 4 }]],
      unreachable: ["resting", [FIRST_REST]],
      forbidden: ["resting", [FIRST_REST]],
      unreadable: ["resting", [FIRST_REST]],
      throttled: ["resting", [{ kind: "timer", afterMs: 5000 }]],
    },
  ],
  watching: [
    () => new Driven().watching(),
    {
      event: [
        "watching",
        [{ kind: "changes", changes: [{ kind: "set", key: "a", value: "11", before: "1" }] }],
      ],
      bookmark: ["watching", []],
      // It lived for no time: a failure.
      ended: ["resting", [FIRST_REST]],
      reached: ["watching", []],
      timer: ["watching", [SILENCE]],
      gone: ["listing", [{ kind: "close" }, relist("gone"), LIST]],
      "version too large": ["listing", [{ kind: "close" }, relist("restored"), LIST]],
      "too large": ["resting", [{ kind: "close" }, FIRST_REST]],
      unreachable: ["resting", [{ kind: "close" }, FIRST_REST]],
      forbidden: ["resting", [{ kind: "close" }, FIRST_REST]],
      unreadable: ["resting", [{ kind: "close" }, FIRST_REST]],
      throttled: ["resting", [{ kind: "close" }, { kind: "timer", afterMs: 5000 }]],
    },
  ],
  checking: [
    () => new Driven().checking(),
    {
      checked: ["watching", [WATCH, SILENCE]],
      reached: ["checking", []],
      timer: ["checking", []],
      gone: ["listing", [relist("gone"), LIST]],
      "version too large": ["listing", [relist("restored"), LIST]],
      "too large": ["resting", [FIRST_REST]],
      unreachable: ["resting", [FIRST_REST]],
      forbidden: ["resting", [FIRST_REST]],
      unreadable: ["resting", [FIRST_REST]],
      throttled: ["resting", [{ kind: "timer", afterMs: 5000 }]],
    },
  ],
  resting: [() => new Driven().resting(), { reached: ["checking", [CHECK]], timer: ["checking", [CHECK]] }],
};

describe.each(Object.entries(table))("a reflector that is %s", (state, [reach, expected]) => {
  it("is reached", () => {
    expect(reach().machine.at).toBe(state);
  });

  it.each(Object.entries(inputs))("does what is said on %s", (name, input) => {
    const driven = reach();
    const row = expected[name];
    if (row === undefined) expect(() => driven.step(input)).toThrow("invariant broken");
    else expect([driven.step(input), driven.machine.at]).toEqual([row[1], row[0]]);
  });
});

describe("a reflector", () => {
  it("watches from the last event, and from the last bookmark", () => {
    const driven = new Driven().watching();
    driven.step({ kind: "events", events: [put("a", "11"), put("b", "12")] });
    expect(driven.step({ kind: "ended" })).toEqual([{ kind: "check", version: "12" }]);
    driven.step({ kind: "checked" });
    driven.step({ kind: "events", events: [{ kind: "bookmark", version: "40" }] });
    expect(driven.step({ kind: "ended" })).toEqual([{ kind: "check", version: "40" }]);
  });

  it("asks after silence, which every line puts off", () => {
    const driven = new Driven().watching();
    driven.step({ kind: "events", events: [{ kind: "bookmark", version: "11" }] }, 60_000);
    expect(driven.step({ kind: "timer" }, silenceMs - 60_000)).toEqual([{ kind: "timer", afterMs: 60_000 }]);
    const asked = driven.step({ kind: "timer" }, 60_000);
    expect(asked).toEqual([{ kind: "close" }, { kind: "check", version: "11" }]);
  });

  it("lists everything after a long outage, and only then", () => {
    const short = new Driven().watching();
    short.step(failed("unreachable"), 60_000);
    expect(short.step({ kind: "timer" }, outageMs - 1)).toEqual([CHECK]);
    const long = new Driven().watching();
    long.step(failed("unreachable"), 60_000);
    expect(long.step({ kind: "timer" }, outageMs)).toEqual([relist("outage"), LIST]);
  });

  it("passes over what it cannot read: after three watches without a line it lists", () => {
    const driven = new Driven().watching();
    for (let turn = 0; turn < 2; turn += 1) {
      expect(driven.step(failed("unreadable")).map(({ kind }) => kind)).toEqual(["close", "timer"]);
      expect(driven.step({ kind: "timer" })).toEqual([CHECK]);
      driven.step({ kind: "checked" });
    }
    expect(driven.step(failed("unreadable")).map(({ kind }) => kind)).toEqual(["close", "relist", "timer"]);
    expect(driven.step({ kind: "timer" })).toEqual([LIST]);
  });

  it("rests ever longer, with jitter, up to a bound, until something goes well", () => {
    const driven = new Driven().checking();
    const rests: number[] = [];
    for (let turn = 0; turn < 12; turn += 1) {
      rests.push(restOf(driven.step(failed("server"))));
      driven.step({ kind: "timer" });
    }
    expect(rests).toEqual([75, 150, 300, 600, 1200, 2400, 4800, ...Array(5).fill(7500)]);
    driven.step({ kind: "checked" });
    driven.step({ kind: "events", events: [put("a", "11")] });
    expect(restOf(driven.step(failed("unreachable")))).toBe(75);
  });

  it("rests no longer once the API server is back, and then begins with short rests again", () => {
    const driven = new Driven().checking();
    for (let turn = 0; turn < 12; turn += 1) {
      driven.step(failed("unreachable"));
      driven.step({ kind: "timer" });
    }
    driven.step(failed("unreachable"));
    expect(driven.step({ kind: "reached" }, 1)).toEqual([CHECK]);
    expect(restOf(driven.step(failed("server")))).toBe(75);
  });

  it("rests between lists where each watch is refused as too old", () => {
    const driven = new Driven().watching();
    const kinds: string[] = [];
    for (let turn = 0; turn < 4; turn += 1) {
      kinds.push(driven.step(failed("gone")).at(-1)!.kind);
      if (driven.machine.at === "resting") driven.step({ kind: "timer" });
      driven.step(page(driven.keys(), "10"));
    }
    expect(kinds).toEqual(["list", "timer", "timer", "timer"]);
  });

  it("asks for smaller pages until they fit, down to single objects", () => {
    const driven = new Driven();
    driven.step({ kind: "start" });
    const limits: number[] = [];
    for (let turn = 0; turn < 5; turn += 1) {
      const [action] = driven.step(failed("too-large"));
      if (action?.kind === "list") limits.push(action.limit);
    }
    expect(limits).toEqual([125, 32, 8, 2, 1]);
    expect(driven.step(failed("too-large"))[0]?.kind).toBe("timer");
  });

  it("begins a list anew whose continue token is too old", () => {
    const driven = new Driven();
    driven.step({ kind: "start" });
    driven.step(page(["a"], "20", "next"));
    expect(driven.step(failed("gone"))).toEqual([relist("gone"), LIST]);
    driven.step(page(["b"], "30"));
    expect(driven.keys()).toEqual(["b"]);
  });

  it("does not tell a change that is none to the caller", () => {
    const driven = new Driven().watching();
    expect(driven.step({ kind: "events", events: [put("a", "11", "1")] })).toEqual([]);
  });
});

describe("a list that lacks much", () => {
  const relisted = (
    known: readonly string[],
    ...lists: readonly (readonly string[])[]
  ): [Driven, Action<string>[][]] => {
    const driven = new Driven().watching(known);
    driven.step(failed("gone"));
    const told = lists.map((keys) => {
      if (driven.machine.at === "resting") driven.step({ kind: "timer" }, confirmAfterMs);
      return driven.step(page(keys, "20"));
    });
    return [driven, told];
  };
  const five = ["a", "b", "c", "d", "e"];

  it("withdraws at once what is less than half", () => {
    const [driven, [actions]] = relisted(five, ["a", "b", "c"]);
    expect(actions?.[0]).toEqual({
      kind: "changes",
      changes: ["d", "e"].map((key) => ({ kind: "removed", key, before: "1" })),
    });
    expect(driven.machine.at).toBe("watching");
  });

  it.each([
    ["half", ["a", "b", "c", "d"], ["a", "b"]],
    ["all", five, []],
    ["the only one", ["a"], []],
  ])("withdraws %s only after a second list", (_what, known, left) => {
    const [driven, [first, second]] = relisted(known, left, left);
    const missing = known.filter((key) => !left.includes(key));
    expect(first).toEqual([
      { kind: "doubt", missingCount: missing.length, knownCount: known.length },
      { kind: "timer", afterMs: confirmAfterMs },
    ]);
    expect(second?.[0]).toMatchObject({
      kind: "changes",
      changes: missing.map((key) => ({ kind: "removed", key })),
    });
    expect(driven.keys()).toEqual(left);
  });

  it("withdraws nothing where the second list has it all", () => {
    const [driven, [, second]] = relisted(five, [], five);
    expect(second?.map(({ kind }) => kind)).toEqual(["watch", "timer"]);
    expect(driven.keys()).toEqual(five);
  });

  it("takes effect at once with what it adds", () => {
    const [driven, [first]] = relisted(five, ["x"]);
    expect(first?.[0]).toEqual({ kind: "changes", changes: [set("x")] });
    expect(driven.keys()).toEqual([...five, "x"]);
  });

  it("is asked a third time where the second lacks half or more that the first had", () => {
    const [driven, [, second, third]] = relisted(["a", "b", "c", "d", "e", "f"], ["a", "b", "c"], [], []);
    expect(second?.[0]?.kind).toBe("doubt");
    expect(third?.[0]).toMatchObject({ kind: "changes", changes: { length: 6 } });
    expect(driven.keys()).toEqual([]);
  });

  it("stays in doubt while the API server is away", () => {
    const [driven] = relisted(five, []);
    driven.step({ kind: "timer" }, confirmAfterMs);
    driven.step(failed("unreachable"));
    driven.step({ kind: "timer" }, 600_000);
    expect(driven.keys()).toEqual(five);
    driven.step(page([], "20"));
    expect(driven.keys()).toEqual([]);
  });

  it("is confirmed too where it is the first and more was expected; until then nothing is synced", () => {
    const driven = new Driven(4);
    driven.step({ kind: "start" });
    expect(driven.step(page(["a", "b"], "20"))).toEqual([
      { kind: "doubt", missingCount: 2, knownCount: 4 },
      { kind: "timer", afterMs: confirmAfterMs },
    ]);
    expect(driven.machine.synced).toBe(false);
    driven.step({ kind: "timer" }, confirmAfterMs);
    expect(driven.step(page(["a", "b"], "20")).map(({ kind }) => kind)).toEqual([
      "changes",
      "synced",
      "watch",
      "timer",
    ]);
  });
});

const restOf = (actions: readonly Action<string>[]): number =>
  actions.flatMap((action) => (action.kind === "timer" ? [action.afterMs] : []))[0] ?? -1;

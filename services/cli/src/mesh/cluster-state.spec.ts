/** STATE is the worst of what was measured; nothing measured is not health. */
import { describe, expect, it } from "vitest";
import { type Evidence, evidenceOf, type Measured, rttsOf, stateOf } from "./cluster-state.ts";

const link = (from: string, to: string, more: Partial<Evidence> = {}): Evidence => ({
  from,
  to,
  state: "normal",
  lease: "ok",
  probe: "ok",
  stage: "",
  rttMs: 1,
  sinceMs: 0,
  selfDoubt: false,
  ...more,
});
const all = [
  link("eu", "us"),
  link("ap", "us"),
  link("us", "eu"),
  link("ap", "eu"),
  link("us", "ap"),
  link("eu", "ap"),
];
const to = (cluster: string, more: Partial<Evidence>, only?: string) =>
  all.map((one) =>
    one.to === cluster && (only === undefined || one.from === only) ? { ...one, ...more } : one,
  );

const us = (more: Partial<Measured> = {}): Measured => ({
  cluster: "us",
  membership: "active",
  degraded: false,
  links: all,
  agent: { answers: true, ready: true, message: "" },
  onlyMember: false,
  ...more,
});

describe("stateOf", () => {
  it.each<[string, Partial<Measured>, string, string | null, RegExp]>([
    ["all well", {}, "Healthy", null, /^$/],
    ["all well, in the past", { agent: null }, "Healthy", null, /^$/],
    ["nobody probed", { links: to("us", { probe: "unknown" }) }, "Unmeasured", null, /no importer/],
    ["no links at all", { links: [] }, "Unmeasured", null, /no importer/],
    ["the only member", { links: [], onlyMember: true }, "Healthy", null, /^$/],
    [
      "all lost it",
      { links: to("us", { state: "lost", lease: "lost", probe: "fail" }) },
      "Lost",
      "HSA4008",
      /to everybody/,
    ],
    [
      "one lost it",
      { links: to("us", { state: "lost", lease: "lost", probe: "fail" }, "eu") },
      "Lost",
      "HSA4008",
      /to eu/,
    ],
    [
      "one cannot reach it",
      { links: to("us", { state: "unreachable", probe: "fail", stage: "san" }, "eu") },
      "Unreachable",
      "HSA4001",
      /from eu \(fails at SAN\)/,
    ],
    [
      "its agent fell silent",
      { links: to("us", { state: "stale", lease: "lost" }) },
      "Stale",
      "HSA4002",
      /everybody/,
    ],
    ["a gap", { degraded: true }, "Degraded", "HSA2005", /missing/],
    [
      "its agent does not answer us",
      { agent: { answers: false, ready: false, message: "refused" } },
      "AgentSilent",
      "HSA1012",
      /refused/,
    ],
    [
      "its agent is not ready",
      { agent: { answers: true, ready: false, message: "source" } },
      "NotReady",
      "HSA1012",
      /source/,
    ],
    [
      "it doubts itself",
      { links: all.map((one) => (one.from === "us" ? { ...one, selfDoubt: true } : one)) },
      "SelfDoubt",
      "HSA4003",
      /distrusts/,
    ],
    ["draining", { membership: "draining" }, "Draining", null, /^$/],
    ["evicted", { membership: "evicted", links: [] }, "Evicted", "HSA3010", /^$/],
    ["left", { membership: "left", links: [] }, "Left", "HSA3010", /^$/],
  ])("%s", (_what, change, state, code, detail) => {
    const judged = stateOf(us(change));
    expect(judged).toMatchObject({ state, code });
    expect(judged.detail).toMatch(detail);
  });

  it("does not believe the last words of an importer that is lost itself", () => {
    const links = to("ap", { state: "lost", lease: "lost", probe: "fail" }).map((one) =>
      one.from === "ap" && one.to === "us" ? { ...one, state: "lost", lease: "lost", probe: "fail" } : one,
    );
    expect(stateOf(us({ links })).state).toBe("Healthy");
    expect(evidenceOf("us", links).map(({ from }) => from)).toEqual(["eu"]);
  });

  it("believes an accuser that doubts itself no more than it does", () => {
    const links = to("ap", { state: "normal", lease: "lost", probe: "fail", selfDoubt: true });
    expect(evidenceOf("us", links).map(({ from }) => from)).toEqual(["eu", "ap"]);
  });
});

it("sums up round trips", () => {
  expect(
    rttsOf([
      link("a", "x", { rttMs: 5 }),
      link("b", "x", { rttMs: null }),
      link("c", "x", { rttMs: 1 }),
      link("d", "x", { rttMs: 9 }),
    ]),
  ).toEqual({ minMs: 1, medianMs: 5, maxMs: 9 });
  expect(rttsOf([])).toBeNull();
});

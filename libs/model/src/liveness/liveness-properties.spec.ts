/** What liveness promises whatever comes in. */
import type { LinkState } from "@hansa/events";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Liveness, type LivenessInput } from "./liveness.ts";
import { Importer } from "./liveness-rig.ts";
import { LIVENESS_DEFAULT } from "./settings.ts";
import { isWorse } from "./verdict.ts";

const THREE = ["ap", "sa", "us"];
const peer = fc.constantFrom(...THREE);
const silence: fc.Arbitrary<LivenessInput> = fc.oneof(
  fc.record({ kind: fc.constant("bus" as const), up: fc.boolean() }),
  fc.record({ kind: fc.constant("lag" as const), lagMs: fc.nat(5000) }),
  fc.record({ kind: fc.constant("traffic" as const), peer }),
  fc.record({ kind: fc.constant("beat" as const), peer, bootMs: fc.nat(2), counter: fc.nat(50) }),
  fc.record({
    kind: fc.constant("probe" as const),
    peer,
    result: fc.constant({ ok: true as const, rttMs: 1 }),
  }),
  fc.constant({ kind: "tick" as const }),
);
const failure: fc.Arbitrary<LivenessInput> = fc.record({
  kind: fc.constant("probe" as const),
  peer,
  result: fc.constant({ ok: false as const, stage: "tls" }),
});
const steps = (input: fc.Arbitrary<LivenessInput>) =>
  fc.array(fc.tuple(fc.nat(15_000), input), { maxLength: 120 });

function play(eu: Importer, inputs: readonly (readonly [number, LivenessInput])[]): void {
  for (const [waitMs, input] of inputs) {
    eu.nowMs += waitMs;
    eu.step(input);
  }
}

describe("whatever happens", () => {
  it("silence of the control plane alone takes no endpoint away", () => {
    fc.assert(
      fc.property(steps(silence), (inputs) => {
        const eu = new Importer(...THREE);
        play(eu, inputs);
        for (const { value } of eu.transitions) expect(["normal", "stale"]).toContain(value.state);
      }),
    );
  });

  it("an importer in doubt makes no verdict worse", () => {
    fc.assert(
      fc.property(steps(fc.oneof(silence, failure)), (inputs) => {
        const eu = new Importer(...THREE);
        play(eu, inputs);
        for (const { before, value } of eu.transitions)
          if (value.selfDoubt && before !== undefined && isWorse(value.state, before.state))
            expect(value).toMatchObject({ state: "lost", lease: "lost", probe: "fail" });
      }),
    );
  });

  it("a sick importer, bus down or late all the time, withdraws nothing", () => {
    fc.assert(
      fc.property(steps(fc.oneof(silence, failure)), fc.boolean(), (inputs, bus) => {
        const eu = new Importer(...THREE);
        for (const [waitMs, input] of inputs) {
          if (input.kind === "bus" && bus) continue;
          eu.nowMs += waitMs;
          eu.step(bus ? { kind: "bus", up: false } : { kind: "lag", lagMs: 2000 });
          eu.step(input);
        }
        for (const { value } of eu.transitions) expect(value.state).toBe("normal");
      }),
    );
  });

  it("the clock of the wall has no say", () => {
    fc.assert(
      fc.property(
        steps(fc.oneof(silence, failure)),
        fc.integer({ min: -1e9, max: 1e9 }),
        (inputs, skewMs) => {
          const states = (shift: number): (LinkState | undefined)[] => {
            const liveness = new Liveness(LIVENESS_DEFAULT);
            for (const name of THREE)
              liveness.step({ kind: "follow", peer: name }, { monotonicMs: 0, wallMs: 0 });
            let nowMs = 0;
            for (const [waitMs, input] of inputs) {
              nowMs += waitMs;
              liveness.step(input, { monotonicMs: nowMs, wallMs: nowMs * shift + shift });
            }
            return THREE.map((name) => liveness.link(name)?.state);
          };
          expect(states(skewMs)).toEqual(states(1));
        },
      ),
    );
  });
});

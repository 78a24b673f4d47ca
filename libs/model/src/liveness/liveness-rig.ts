/** One importer for the specs of liveness. */
import type { LinkState } from "@hansa/events";
import { Liveness, type LivenessInput, type Transition } from "./liveness.ts";

/** Drives one importer in virtual time; wall time = monotonic + 1 000 000. */
export class Importer {
  readonly liveness = new Liveness();
  readonly transitions: Transition[] = [];
  nowMs = 0;
  #counter = 0;

  constructor(...peers: readonly string[]) {
    for (const peer of peers) this.step({ kind: "follow", peer });
  }

  step(input: LivenessInput): Transition[] {
    const made = this.liveness.step(input, this.moment);
    this.transitions.push(...made);
    return made;
  }

  get moment() {
    return { monotonicMs: this.nowMs, wallMs: this.nowMs + 1_000_000 };
  }

  beat(peer: string): void {
    this.#counter += 1;
    this.step({ kind: "beat", peer, bootMs: 1, counter: this.#counter });
  }

  probe(peer: string, ok: boolean): void {
    this.step({ kind: "probe", peer, result: ok ? { ok, rttMs: 2 } : { ok, stage: "tcp" } });
  }

  /** Seconds in which these peers beat and these answer probes; the others are silent or refuse. */
  run(seconds: number, beating: readonly string[], answering: readonly string[]): this {
    for (let second = 0; second < seconds; second += 1) {
      this.nowMs += 1000;
      for (const peer of beating) this.beat(peer);
      for (const peer of this.liveness.peers()) this.probe(peer, answering.includes(peer));
      this.step({ kind: "tick" });
    }
    return this;
  }

  state(peer: string): LinkState | undefined {
    return this.liveness.link(peer)?.state;
  }
}

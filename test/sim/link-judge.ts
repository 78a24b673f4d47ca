/** Judges what one agent says of its peers: no endpoint is taken away unless a gateway really was away. */
import type { LinkValue } from "@hansa/events";
import type { Cluster } from "./cluster.ts";

/** A gateway that flapped is held down for up to a minute, and an agent may have stood still for half of one. */
const MEMORY_MS = 100_000;

const takesAway = (state: LinkValue["state"] | undefined): boolean =>
  state === "unreachable" || state === "lost";

export class LinkJudge {
  readonly #states = new Map<string, LinkValue["state"]>();

  /** `peers`: how many the observer follows. */
  judge(observer: Cluster, peer: Cluster, { state, probe }: LinkValue, nowMs: number, peers: number): void {
    const before = this.#states.get(peer.name);
    this.#states.set(peer.name, state);
    // What a start finds is what the last run had told, which may be old.
    if (before === undefined || !takesAway(state) || takesAway(before)) return;
    if (probe !== "fail")
      throw new Error(`${observer.name} calls ${peer.name} ${state} although its gateway answers`);
    // With one peer alone nobody can tell whose way is cut.
    const away = !peer.gatewayUp || nowMs - peer.gatewayUpMs <= MEMORY_MS || (peers < 2 && !observer.netUp);
    if (!away)
      throw new Error(`${observer.name} calls ${peer.name} ${state} although its gateway has long been up`);
  }
}

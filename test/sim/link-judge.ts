/** Judges what one agent says of its peers: no endpoint is taken away unless a gateway really was away. */
import type { LinkValue } from "@hansa/events";
import type { Cluster } from "./cluster.ts";

/** A gateway that flapped is held down for up to a minute, and an agent may have stood still for half of one. */
const MEMORY_MS = 100_000;

const takesAway = (state: LinkValue["state"] | undefined): boolean =>
  state === "unreachable" || state === "lost";

export class LinkJudge {
  readonly #states = new Map<string, LinkValue["state"]>();

  judge(observer: string, peer: Cluster, { state, probe }: LinkValue, nowMs: number): void {
    const before = this.#states.get(peer.name);
    this.#states.set(peer.name, state);
    if (!takesAway(state) || takesAway(before)) return;
    if (probe !== "fail")
      throw new Error(`${observer} calls ${peer.name} ${state} although its gateway answers`);
    if (peer.gatewayUp && nowMs - peer.gatewayUpMs > MEMORY_MS)
      throw new Error(`${observer} calls ${peer.name} ${state} although its gateway has long been up`);
  }
}

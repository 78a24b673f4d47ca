/**
 * Is a cluster that joined really linked? Both ways through the data plane: its agent's mTLS probe of every peer's gateway,
 * and every peer's probe of its own, which the peers publish as links. Pure.
 */
import type { Evidence } from "../mesh/cluster-state.ts";

export interface RoundTrip {
  readonly peer: string;
  /** It reaches the peer's gateway. */
  readonly there: boolean;
  /** The peer reaches its gateway. */
  readonly back: boolean;
  readonly rttMs: number | null;
  /** What is missing; "" = verified. */
  readonly missing: string;
}

/** `peers`: active members beside itself that have a gateway. */
export function roundTrips(
  cluster: string,
  peers: readonly string[],
  links: readonly Evidence[],
): RoundTrip[] {
  return peers.map((peer) => {
    const out = links.find(({ from, to }) => from === cluster && to === peer);
    const back = links.find(({ from, to }) => from === peer && to === cluster);
    const reach = (link: Evidence | undefined) => link?.probe === "ok";
    const why = (link: Evidence | undefined, from: string, to: string) =>
      reach(link)
        ? ""
        : link === undefined || link.probe === "unknown"
          ? `${from} has not probed ${to}`
          : `${from} cannot reach ${to}${link.stage === "" ? "" : ` (fails at ${link.stage.toUpperCase()})`}`;
    const missing = [why(out, cluster, peer), why(back, peer, cluster)]
      .filter((text) => text !== "")
      .join(", ");
    return { peer, there: reach(out), back: reach(back), rttMs: out?.rttMs ?? null, missing };
  });
}

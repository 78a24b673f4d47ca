/** What a view is computed from: the fold, where the importer stands, its evidence and its memory. */
import type { LinkState, LinkValue } from "@hansa/events";
import type { CandidateCache } from "./candidate-cache.ts";
import type { FailbackMemory } from "./failback.ts";
import { type FederationReader, read, registerName, type Sight } from "./reader.ts";
import type { Vantage } from "./types.ts";

export interface ViewInput {
  readonly fed: FederationReader;
  readonly self: Vantage;
  /** This importer's evidence of a peer; default: its own `link/<peer>` registers. Nothing known = normal. */
  readonly evidence?: (peer: string) => LinkValue | undefined;
  /** Read and brought forward by each computation; `explain` works on a copy. */
  readonly memory: FailbackMemory;
  /** Kept from view to view by an owner that tells it of changes; without one everything is read again. */
  readonly candidates?: CandidateCache;
  /** The importer's monotonic clock, for the hysteresis only. */
  readonly monotonicMs: number;
}

export const sightOf = ({ fed, self }: Pick<ViewInput, "fed" | "self">): Sight => ({
  fed,
  observer: self.cluster,
});

/** Verdict on a peer, with the register that holds it. */
export interface PeerEvidence {
  readonly state: LinkState | "self";
  readonly value: LinkValue | undefined;
  readonly because: readonly string[];
}

export function evidenceOf(input: ViewInput, peer: string): PeerEvidence {
  if (peer === input.self.cluster) return { state: "self", value: undefined, because: [] };
  const own = read(sightOf(input), input.self.cluster, "link", peer);
  const value = input.evidence === undefined ? own?.value : input.evidence(peer);
  return {
    state: value?.state ?? "normal",
    value,
    because: own === undefined ? [] : [registerName(input.self.cluster, own)],
  };
}

/** What `hansa check` looks at, gathered before anything is judged. Plain data; null = the answer does not tell. */
import type { Code } from "@hansa/core";

export type Reach =
  | { readonly kind: "answers" }
  /** It answered and said no: credentials, role. */
  | { readonly kind: "refuses"; readonly code: Code; readonly message: string }
  | { readonly kind: "silent"; readonly message: string };

/** Its own account of its readiness. */
export interface Readiness {
  readonly ok: boolean;
  readonly problems: readonly string[];
}

export interface LanePlace {
  readonly cluster: string;
  readonly lane: string;
  readonly epoch: number;
  readonly seq: number;
}

/** One fold: the hub's, or an agent's. */
export interface FoldFacts {
  readonly digest: string | null;
  readonly heads: readonly LanePlace[];
  /** `<cluster>/<lane>` → digest, where told. */
  readonly laneDigests: Readonly<Record<string, string>>;
  readonly findings: readonly {
    readonly code: Code;
    readonly cluster: string;
    readonly key: string;
    readonly message: string;
  }[];
  /** Clusters with a gap or poison since their last snapshot. */
  readonly degraded: readonly string[];
  readonly frozen: readonly string[];
}

export interface HubFacts {
  readonly reach: Reach;
  readonly live: boolean;
  readonly ready: Readiness | null;
  /** Its clock minus ours; round trip halved. */
  readonly clockOffsetMs: number | null;
  readonly fingerprint: string | null;
  readonly operators: { readonly count: number; readonly threshold: number } | null;
  readonly isLab: boolean;
  readonly busUp: boolean | null;
  readonly gaps: readonly string[];
  /** Holes of the archive that will not be filled: history only. */
  readonly lost: readonly string[];
  readonly quarantined: readonly string[];
  /** Trust domains in the bundle map. */
  readonly bundles: readonly string[] | null;
  readonly fold: FoldFacts | null;
}

export interface ProxyFacts {
  readonly id: string;
  readonly connected: boolean;
  readonly types: readonly {
    readonly type: string;
    readonly sent: string;
    readonly acked: string;
    readonly synced: boolean;
    readonly nack: string | null;
  }[];
}

/** Where an agent reads its cluster's services, by its own account. */
export interface SourceFacts {
  readonly problems: readonly string[];
  /** From when on what it knows may be old; null = it is up to date. */
  readonly staleSinceMs: number | null;
}

export interface AgentFacts {
  readonly cluster: string;
  readonly reach: Reach;
  readonly ready: Readiness | null;
  readonly clockOffsetMs: number | null;
  readonly fingerprint: string | null;
  readonly busUp: boolean | null;
  /** Why NATS does not let it in; "" where it does, or does not answer. */
  readonly busRefusal: string;
  readonly writer: string | null;
  readonly outbox: { readonly depth: number; readonly max: number } | null;
  readonly selfDoubt: boolean;
  readonly source: SourceFacts | null;
  readonly svids:
    | { readonly name: string; readonly notAfterMs: number; readonly notBeforeMs: number | null }[]
    | null;
  readonly fold: FoldFacts | null;
  readonly proxies: readonly ProxyFacts[] | null;
  readonly paths: readonly PathFacts[] | null;
}

/** A way that an agent has looked at. */
export interface PathFacts {
  /** `hub`, `nats`, or a cluster. */
  readonly to: string;
  readonly address: string;
  /** Packets of full size are lost on it. */
  readonly isNarrow: boolean;
}

export interface Member {
  readonly cluster: string;
  readonly state: string;
  readonly trustDomain: string;
}

export interface Link {
  readonly from: string;
  readonly to: string;
  readonly state: string;
  readonly lease: string;
  readonly probe: string;
  readonly stage: string;
  readonly selfDoubt: boolean;
}

export interface ExportFacts {
  readonly service: string;
  readonly cluster: string;
  /** null where nothing tells. */
  readonly healthy: number | null;
  readonly total: number | null;
}

export interface Facts {
  readonly contextFile: string;
  /** The context is this checkout's lab: `hansa lab status` tells of its processes. */
  readonly isLab: boolean;
  readonly nowMs: number;
  readonly hub: HubFacts;
  readonly agents: readonly AgentFacts[];
  /** null where neither hub nor agent told. */
  readonly members: readonly Member[] | null;
  readonly links: readonly Link[] | null;
  readonly exports: readonly ExportFacts[] | null;
  readonly conflicts: readonly { readonly service: string; readonly message: string }[];
}

/** Members that ought to work: neither left nor evicted. */
export const present = (members: readonly Member[]): readonly Member[] =>
  members.filter(({ state }) => state === "active" || state === "draining");

export const answering = (agents: readonly AgentFacts[]): readonly AgentFacts[] =>
  agents.filter(({ reach }) => reach.kind === "answers");

/** What the fold takes and answers. Types only. */
import type { AccountKey, ClusterName, Code, Crypto, TrustDomain } from "@hansa/core";
import type {
  BusRecord,
  CommandValue,
  Event,
  Genesis,
  Head,
  Lane,
  MembershipValue,
  OperatorPayload,
  Position,
  RegisterType,
  RegisterValues,
} from "@hansa/events";

export interface FederationOptions {
  readonly genesis: Genesis;
  readonly crypto: Crypto;
  readonly limits?: Partial<FoldLimits>;
}

export interface FoldLimits {
  /** Records of unknown sources or keys that are held, in all and per source. */
  readonly parkedMax: number;
  readonly parkedPerSourceMax: number;
  readonly parkedBytesMax: number;
  /** Registers with tombstones of one lane; a record that would exceed it is quarantined. */
  readonly registersPerLaneMax: number;
  readonly clustersMax: number;
  readonly commandsMax: number;
  /** Entries kept of the quarantine and answered by `findings`. */
  readonly findingsMax: number;
}

export const FOLD_LIMITS: FoldLimits = {
  parkedMax: 4096,
  parkedPerSourceMax: 512,
  parkedBytesMax: 64 * 1024 * 1024,
  registersPerLaneMax: 400_000,
  clustersMax: 5000,
  commandsMax: 10_000,
  findingsMax: 1000,
};

/** `hub` for the hub's own source. */
export type SourceName = ClusterName | "hub";

/** A register whose value or effect changed. */
export interface RegisterRef {
  readonly cluster: SourceName;
  readonly lane: Lane;
  readonly key: string;
  /** Event type; of a newer version it may be one that this build does not know. */
  readonly type: string;
}

/** A live register. */
export type RegisterView = {
  readonly [Type in RegisterType]: {
    readonly type: Type;
    readonly key: string;
    readonly lane: Lane;
    readonly value: RegisterValues[Type];
    readonly position: Position;
    /** The source's clock, ms: for people. */
    readonly at: number;
  };
}[RegisterType];

export type RegisterOf<Type extends RegisterType> = Extract<RegisterView, { type: Type }>;

/** The record, and the account that the bus authenticated. A BusRecord fits. */
export type FoldInput = Pick<BusRecord, "record" | "account" | "lane">;

export interface ApplyOptions {
  /** The signature was verified before (own disk, archive): skip it. Everything else is still checked. */
  readonly trusted?: boolean;
  /** What lies before this record cannot be had: take it anyway; the log is degraded until its next snapshot. */
  readonly acceptGap?: boolean;
}

export interface LogGap {
  readonly source: AccountKey;
  readonly lane: Lane;
  /** Last position held; {0, 0} where none. */
  readonly after: Position;
}

export type ApplyOutcome =
  | {
      readonly kind: "applied";
      readonly changed: readonly RegisterRef[];
      /** Holes that showed among parked records which this one released. */
      readonly gaps: readonly LogGap[];
      /** What the record says; empty where nothing of it counts but an operator's command. */
      readonly events: readonly Event[];
    }
  /** This very record is held. */
  | { readonly kind: "duplicate" }
  /** Behind the head and in no gap, or of a replaced key: no effect. */
  | { readonly kind: "stale" }
  /** Records before this one are missing: fetch what comes after `after`, or apply with `acceptGap`. */
  | ({ readonly kind: "gap" } & LogGap)
  /** Its source or key is not known yet. `held` false: beyond the bound, it must be fetched again later. */
  | { readonly kind: "parked"; readonly held: boolean }
  | {
      readonly kind: "quarantined";
      readonly code: Code;
      readonly message: string;
      /** Effects of records that the chain released are possible even so. */
      readonly changed: readonly RegisterRef[];
    };

export type MemberState = "active" | "draining" | "left" | "evicted";

export interface Member {
  readonly cluster: ClusterName;
  readonly account: AccountKey;
  readonly trustDomain: TrustDomain;
  readonly membership: MembershipValue;
  readonly state: MemberState;
  /** base64 raw key that its records must be signed with now. */
  readonly signingKey: string;
  /** A gap or poison since its last complete snapshot: what is held may be old, nothing was swept. */
  readonly degraded: boolean;
  /** HSA3009: an equivocation was seen; its bundle stays as it was. */
  readonly frozen: boolean;
}

export interface SourceInfo {
  readonly cluster: SourceName;
  readonly account: AccountKey;
  /** Raw 32 bytes, for heartbeats. */
  readonly signingKey: Uint8Array;
  readonly heads: readonly Head[];
  readonly degraded: boolean;
  readonly frozen: boolean;
  /** False for accounts of members that left or were evicted, and for replaced accounts. */
  readonly live: boolean;
}

export interface Finding {
  readonly code: Code;
  readonly cluster: string;
  /** Register key, `lane@epoch.seq` of a record, or "". */
  readonly key: string;
  readonly message: string;
}

/** What a verified heartbeat says against what is held. */
export interface BeatFindings {
  /** Logs of which the beat knows more than this fold. */
  readonly behind: readonly LogGap[];
  /** Same head, other digest: this fold's copy of the lane is wrong; ask for a snapshot. */
  readonly mismatched: readonly { readonly source: AccountKey; readonly lane: Lane }[];
  /** Proved by this beat: the source is frozen now. */
  readonly equivocations: readonly Finding[];
  /** Claimed by it, new, and not proved: nothing is frozen. */
  readonly disputes: readonly Finding[];
}

export interface AcceptedCommand {
  readonly hash: string;
  readonly payload: OperatorPayload;
  /** As signed: whoever carries it on, for those who join later, writes this. */
  readonly value: CommandValue;
}

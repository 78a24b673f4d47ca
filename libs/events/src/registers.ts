/**
 * The values that registers hold (design §3). A register is set as a whole; `null` is its tombstone.
 * Types only: decoding and limits are in decode.ts.
 */
import type { AccountKey, ClusterName } from "@hansa/core";

/** `sum`: what every importer needs. `ep`: single endpoints. */
export type Lane = "sum" | "ep";
export const LANES: readonly Lane[] = ["sum", "ep"];

export type Protocol = "http" | "http2" | "grpc" | "tcp";
export type Transport = "TCP" | "UDP" | "SCTP";
export type IpFamily = "IPv4" | "IPv6";

export interface ServicePort {
  /** RFC 1123 label without `--`, or "" where the port has none. */
  readonly name: string;
  readonly port: number;
  readonly protocol: Protocol;
  /** Absent: TCP. Other ports are imported (KEP-1645) and have endpoints; the mesh carries TCP alone. */
  readonly transport?: "UDP" | "SCTP";
  /** As the Service gives it, for its ServiceImport; `protocol` is what the mesh makes of it. */
  readonly appProtocol?: string;
}

/** One requirement on a cluster's properties (KEP-5939 PropertySelector, in one list). All of a selector hold together. */
export interface PropertyRequirement {
  readonly key: string;
  readonly operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
  /** Empty exactly with Exists and DoesNotExist. `@SameAsImporter@` stands for the importing cluster's own value. */
  readonly values: readonly string[];
}
export type PropertySelector = readonly PropertyRequirement[];

export interface ServiceExportValue {
  /** Creation time of the export, ms: input of the conflict rule, capped by the membership's time. */
  readonly sinceMs: number;
  /** "all" members, or the named clusters only. */
  readonly to: "all" | readonly string[];
  /** Further importers, by their granted properties. `to` is a list beside it: a build that cannot read this sees less. */
  readonly toSelector?: PropertySelector;
  /** KEP-1645 exportedLabels and exportedAnnotations: the only metadata that travels. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** KEP-5939: clusters that importers shall prefer, in order. */
  readonly clusterSelectors?: readonly PropertySelector[];
  /** What serves when no selected cluster can; absent: All. */
  readonly selectorsFallback?: "None";
}

/**
 * `service/ns/name`. Identities are `sa` names in the service's own namespace and the source's trust domain. Optional
 * fields came with the MCS API (KEP-1645): an older build ignores them, and hashes cover data as it was sent.
 */
export interface ServiceValue {
  readonly type: "ClusterSetIP" | "Headless";
  readonly ports: readonly ServicePort[];
  readonly serviceAccounts: readonly string[];
  /** Creation time of the object, ms since the epoch. */
  readonly createdMs: number;
  readonly export: null | ServiceExportValue;
  /** Absent: None. */
  readonly sessionAffinity?: "ClientIP";
  /** Only beside ClientIP. */
  readonly clientIpTimeoutSeconds?: number;
  readonly internalTrafficPolicy?: "Cluster" | "Local";
  readonly trafficDistribution?: string;
  /** In the Service's order, one or two; absent: unknown (a source without families). */
  readonly ipFamilies?: readonly IpFamily[];
}

/** `load/ns/name/port/region/zone`: sums of one service port (name, or `p--<number>`) in one locality. */
export interface LoadValue {
  readonly healthy: number;
  /** Ready and unready endpoints and those desired but absent (federation §1.4). */
  readonly total: number;
  readonly desired: number;
  readonly weight: number;
}

/** `gateway/name`. */
export interface GatewayValue {
  readonly address: string;
  readonly port: number;
  readonly region: string;
  readonly ready: boolean;
}

/** `identity/ns/sa`. */
export interface IdentityValue {
  readonly spiffeId: string;
}

/** `bundle`: the source's own trust domain. Roots are base64 DER, self-signed. */
export interface BundleValue {
  readonly trustDomain: string;
  readonly sequence: number;
  readonly roots: readonly string[];
}

export type LeaseState = "ok" | "lost";
export type ProbeState = "unknown" | "ok" | "fail";
/** Verdict of the two-evidence rule (federation §1.6). */
export type LinkState = "normal" | "unreachable" | "stale" | "lost";

/** `link/<peer cluster>`: what this source, as an importer, holds of a peer. Written at each change of evidence. */
export interface LinkValue {
  readonly lease: LeaseState;
  readonly probe: ProbeState;
  readonly state: LinkState;
  /** Probe stage that failed, "" where none did: tcp, tls, san, http. */
  readonly stage: string;
  readonly sinceMs: number;
  /** Round trip of the last good probe, ms; null before the first. */
  readonly rttMs: number | null;
  /** True while the importer distrusts its own evidence and withdraws nothing. */
  readonly selfDoubt: boolean;
}

/** Who may call: exact names; `*` matches any label in its place. A cluster is never a suffix or pattern. */
export interface Caller {
  readonly cluster: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** `policy/allow/ns/name`: callers admitted to a service of this source. */
export interface AllowPolicy {
  readonly service: string;
  readonly from: readonly Caller[];
}

/**
 * `policy/failover/ns/name`: for service `name` in `ns`, or for all where both are `-`. The importer's own holds;
 * else the hub's. Fields as in federation §1.5.
 */
export interface FailoverPolicy {
  /** Ordered cluster lists, at most 16; clusters not named come after all tiers. */
  readonly tiers: readonly (readonly string[])[];
  /** region → regions to prefer when it fails, in order. */
  readonly regions: Readonly<Record<string, readonly string[]>>;
  /** Percent, 1..100. */
  readonly threshold: number;
  readonly hysteresisPercent: number;
  readonly hysteresisMs: number;
}

export type PolicyValue = AllowPolicy | FailoverPolicy;

/** `want/<source cluster>`: asks that source for a snapshot. `nonce` makes each ask a new value. */
export interface WantValue {
  readonly nonce: string;
}

/** `endpoint/ns/name/id` on lane `ep`. */
export interface EndpointValue {
  readonly address: string;
  /** Service port name (or `p--<number>`) → port to dial with mTLS. Empty: the mesh does not dial it. */
  readonly ports: Readonly<Record<string, number>>;
  /** The same → the application's own port, for EndpointSlices and SRV; absent: unknown. */
  readonly appPorts?: Readonly<Record<string, number>>;
  /** Host name in a headless service. */
  readonly hostname?: string;
  /** Answers although it is not ready (EndpointSlice condition); absent: as `ready`. */
  readonly serving?: boolean;
  readonly terminating?: true;
  readonly ready: boolean;
  readonly region: string;
  readonly zone: string;
  readonly weight: number;
  readonly serviceAccount: string;
  readonly workload: string;
}

// === signed by more than the source ===

export interface Quotas {
  readonly services: number;
  readonly endpoints: number;
  readonly identities: number;
  readonly bytesPerSecond: number;
  readonly recordsPerSecond: number;
}

/** What a cluster asks for and, countersigned, what it was granted. */
export interface Grant {
  /** Namespaces it may export; `*` alone means any but the system namespace. */
  readonly namespaces: readonly string[];
  /** CIDRs in which its gateways and endpoints must lie. */
  readonly cidrs: readonly string[];
  readonly region: string;
  readonly zones: readonly string[];
  readonly network: string;
  readonly claims: readonly string[];
  readonly quotas: Quotas;
}

/** Signed by the cluster's own key: proof that it asked for this name with this key. */
export interface MembershipRequest {
  readonly fingerprint: string;
  readonly cluster: ClusterName;
  /** base64 raw Ed25519 key that signs this cluster's records. */
  readonly signingKey: string;
  readonly accountKey: AccountKey;
  readonly userKey: string;
  /** base64 DER of the cluster's root at join; later roots travel in its own `bundle`. */
  readonly root: string;
  /** What the cluster wants; the hub grants at most this. */
  readonly wanted: Grant;
  /** Random, base64. */
  readonly nonce: string;
}

export type MembershipState = "active" | "left";

/**
 * `membership/<cluster>`, hub only. `request` is canonical JSON as the cluster signed it; `hubSignature` covers
 * canonical JSON of all other fields but itself (membership.ts).
 */
export interface MembershipValue {
  readonly cluster: ClusterName;
  /** +1 at each join of the name; operator commands name it, so that a replay does nothing. */
  readonly incarnation: number;
  readonly state: MembershipState;
  readonly admittedMs: number;
  readonly grant: Grant;
  readonly request: string;
  readonly requestSignature: string;
  readonly hubSignature: string;
}

export interface SignatureOf {
  /** Key id: first 16 hex characters of sha256(raw public key). */
  readonly key: string;
  /** base64. */
  readonly sig: string;
}

/** What operators may say. `incarnation` is that of the named cluster's membership. */
export type OperatorOrder =
  | {
      readonly do: "drain" | "undrain" | "evict" | "admit";
      readonly cluster: string;
      readonly incarnation: number;
    }
  | {
      readonly do: "rekey";
      readonly cluster: string;
      readonly incarnation: number;
      readonly signingKey: string;
    }
  | { readonly do: "hubkey"; readonly key: string }
  | {
      readonly do: "operators";
      /** base64 raw Ed25519. */
      readonly keys: readonly string[];
      readonly threshold: number;
      /**
       * Hashes (command.ts) of earlier commands that stay in force. All others signed by the replaced operators lose
       * their effect, so that keys stolen after a rotation cannot back-date a command.
       */
      readonly keeps: readonly string[];
    };

/** Canonical JSON of this is what operators sign. */
export interface OperatorPayload {
  readonly fingerprint: string;
  readonly id: string;
  readonly atMs: number;
  readonly order: OperatorOrder;
}

/** `command/<id>`: may be carried by any member's log. */
export interface CommandValue {
  readonly payload: string;
  readonly signatures: readonly SignatureOf[];
}

/** `hubkey`, `operators`: announcements by the hub, valid only with k operator signatures over the same command. */
export type HubKeyValue = CommandValue;
export type OperatorsValue = CommandValue;

/** `foreign/<domain>`: operator-signed bundle of an outside trust domain (later issue; the place is kept). */
export interface ForeignValue {
  readonly trustDomain: string;
  readonly roots: readonly string[];
  readonly signatures: readonly SignatureOf[];
}

export interface SnapshotBegin {
  readonly id: string;
}

export interface SnapshotComplete {
  readonly id: string;
  /** Lane digest after the snapshot (digest.ts), hex. */
  readonly digest: string;
  readonly count: number;
}

/** Event type → its value. The one list of types. */
export interface RegisterValues {
  readonly ServiceSet: ServiceValue;
  readonly LoadSet: LoadValue;
  readonly GatewaySet: GatewayValue;
  readonly IdentitySet: IdentityValue;
  readonly BundleSet: BundleValue;
  readonly LinkSet: LinkValue;
  readonly PolicySet: PolicyValue;
  readonly CommandSet: CommandValue;
  readonly WantSet: WantValue;
  readonly EndpointSet: EndpointValue;
  readonly MembershipSet: MembershipValue;
  readonly HubkeySet: HubKeyValue;
  readonly OperatorsSet: OperatorsValue;
  readonly ForeignSet: ForeignValue;
}

export type RegisterType = keyof RegisterValues;

/**
 * How the view reads the fold. `FederationReader` is what it needs of it, and `Federation` (src/fold) has it; `Sight`
 * is the fold as one observer sees it: only registers that have effect (inside the grant, by their right writer, of a
 * member that is active or draining).
 */
import type { AccountKey, ClusterName, FederationName, TrustDomain } from "@hansa/core";
import type {
  EndpointValue,
  GatewayValue,
  IdentityValue,
  Lane,
  LinkValue,
  LoadValue,
  MembershipValue,
  PolicyValue,
  Position,
  RegisterType,
  ServiceValue,
} from "@hansa/events";
import type { MemberState, RegisterOf, RegisterView } from "../fold/types.ts";

export interface FederationReader {
  readonly options: { readonly genesis: { readonly federation: FederationName } };
  members(): readonly Participant[];
  member(cluster: string): Participant | undefined;
  /** `hub` is a cluster here: federation-wide policy is read from it. */
  effective(cluster: string, key: string, observer?: string): RegisterView | undefined;
  effect<View extends RegisterView>(cluster: string, view: View, observer?: string): View | undefined;
  ofType<Type extends RegisterType>(cluster: string, type: Type): Iterable<RegisterOf<Type>>;
  ofService(cluster: string, namespace: string, name: string): Iterable<RegisterView>;
  serviceNames(cluster: string): Iterable<{ readonly namespace: string; readonly name: string }>;
}

/** A cluster that was ever admitted. */
export interface Participant {
  readonly cluster: ClusterName;
  readonly account: AccountKey;
  readonly trustDomain: TrustDomain;
  readonly membership: Pick<MembershipValue, "admittedMs" | "grant">;
  readonly state: MemberState;
}

/** First segment of a key → the register's value. */
export interface ValueOf {
  readonly service: ServiceValue;
  readonly load: LoadValue;
  readonly gateway: GatewayValue;
  readonly identity: IdentityValue;
  readonly link: LinkValue;
  readonly policy: PolicyValue;
  readonly endpoint: EndpointValue;
}

const TYPES: Readonly<Record<keyof ValueOf, RegisterType>> = {
  service: "ServiceSet",
  load: "LoadSet",
  gateway: "GatewaySet",
  identity: "IdentitySet",
  link: "LinkSet",
  policy: "PolicySet",
  endpoint: "EndpointSet",
};

export interface Register<Value = unknown> {
  readonly key: string;
  readonly lane: Lane;
  readonly value: Value;
  readonly position: Position;
  /** The source's clock, ms: shown, never used. */
  readonly at: number;
}

/** The fold as `observer` sees it. */
export interface Sight {
  readonly fed: FederationReader;
  readonly observer: string;
}

export const federationOf = (sight: Sight): string => sight.fed.options.genesis.federation;

export function read<K extends keyof ValueOf>(
  { fed, observer }: Sight,
  cluster: string,
  kind: K,
  rest: string,
): Register<ValueOf[K]> | undefined {
  const view = fed.effective(cluster, `${kind}/${rest}`, observer);
  return view?.type === TYPES[kind] ? (view as Register as Register<ValueOf[K]>) : undefined;
}

/** All of one kind, in order of keys. */
export const readAll = <K extends keyof ValueOf>(
  sight: Sight,
  cluster: string,
  kind: K,
): Register<ValueOf[K]>[] => effectiveOf(sight, cluster, kind, sight.fed.ofType(cluster, TYPES[kind]));

/** Loads or endpoints of one service, in order of keys; costs no more than that service is large. */
export const readOfService = <K extends "load" | "endpoint">(
  sight: Sight,
  cluster: string,
  kind: K,
  namespace: string,
  name: string,
): Register<ValueOf[K]>[] => effectiveOf(sight, cluster, kind, sight.fed.ofService(cluster, namespace, name));

function effectiveOf<K extends keyof ValueOf>(
  { fed, observer }: Sight,
  cluster: string,
  kind: K,
  views: Iterable<RegisterView>,
): Register<ValueOf[K]>[] {
  const found: Register<ValueOf[K]>[] = [];
  for (const view of views) {
    const effect = view.type === TYPES[kind] ? fed.effect(cluster, view, observer) : undefined;
    if (effect !== undefined) found.push(effect as Register as Register<ValueOf[K]>);
  }
  return found.sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** Name of a register for people: `<cluster>/<lane>/<key>`. */
export const registerName = (cluster: string, register: Pick<Register, "key" | "lane">): string =>
  `${cluster}/${register.lane}/${register.key}`;

/** Members whose facts count for the observer: those present; after it has left or was evicted, itself alone. */
export function membersInSight({ fed, observer }: Sight): Participant[] {
  const self = fed.member(observer);
  return self === undefined || isPresent(self) ? fed.members().filter(isPresent) : [self];
}

export const isPresent = (member: Participant | undefined): member is Participant =>
  member !== undefined && (member.state === "active" || member.state === "draining");

/** Both in the same granted, named network: endpoints are dialled directly, not through a gateway. */
export function isFlat(fed: Pick<FederationReader, "member">, self: string, peer: string): boolean {
  const network = fed.member(self)?.membership.grant.network ?? "";
  return network !== "" && network === fed.member(peer)?.membership.grant.network;
}

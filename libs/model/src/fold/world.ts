/** What the parts of the fold share. Created and owned by Federation; nothing outside this folder sees it. */
import type { AccountKey, Crypto } from "@hansa/core";
import {
  type CommandValue,
  fingerprintOf,
  type Genesis,
  type MembershipValue,
  membershipKey,
  type RecordEvidence,
} from "@hansa/events";
import type { Standing } from "./effect.ts";
import { Members } from "./members.ts";
import { OperatorBook } from "./operators.ts";
import { Parking } from "./parking.ts";
import type { QuotaIndex } from "./quota.ts";
import type { StoredRegister } from "./registers.ts";
import { Source } from "./source.ts";
import {
  type FederationOptions,
  type Finding,
  FOLD_LIMITS,
  type FoldLimits,
  type RegisterRef,
  type SourceName,
} from "./types.ts";

/** Register types that a quota counts. */
export const QUOTA_OF = {
  ServiceSet: "services",
  EndpointSet: "endpoints",
  IdentitySet: "identities",
} as const;
export type CountedType = keyof typeof QUOTA_OF;
export const isCounted = (type: string): type is CountedType => Object.hasOwn(QUOTA_OF, type);

/** A member names another record for a position than the one that is held. */
export interface Dispute {
  readonly finding: Finding;
  readonly held: RecordEvidence;
}

/** A signed command and the register that carries it. */
export interface CarriedCommand {
  readonly source: Source;
  readonly key: string;
  readonly value: CommandValue;
}

/** undefined for what is no command that this source may carry. */
export function carriedBy(
  world: World,
  source: Source,
  register: StoredRegister | undefined,
): CarriedCommand | undefined {
  const view = register?.view;
  const announcement = view?.type === "HubkeySet" || view?.type === "OperatorsSet";
  if (view?.type !== "CommandSet" && !(announcement && source === world.hub)) return undefined;
  return { source, key: view.key, value: view.value };
}

export class World {
  readonly genesis: Genesis;
  readonly crypto: Crypto;
  readonly limits: FoldLimits;
  readonly fingerprint: string;
  readonly hub: Source;
  readonly sources = new Map<AccountKey, Source>();
  readonly book: OperatorBook;
  readonly members: Members;
  readonly parking: Parking;
  /** Refused records, newest last, bounded. */
  readonly quarantine: Finding[] = [];
  /** What heartbeats claim of others' logs and nobody has proved: by the log's account, then the speaker's. */
  readonly disputes = new Map<AccountKey, Map<AccountKey, Dispute>>();
  /** Indexes of types that are over their quota, by account and type. */
  readonly quotas = new Map<string, QuotaIndex>();

  // What changed since the last settling.
  changes = new Map<string, RegisterRef>();
  readonly dirtyCommands = new Map<string, CarriedCommand>();
  readonly dirtyMemberships = new Set<string>();
  readonly touchedQuotas = new Set<string>();
  /** Derived per cluster; dropped when trust changes. null = no effect at all. */
  readonly standings = new Map<string, Standing | null>();
  /** What a cluster is to itself, by the membership that it was derived from. */
  readonly ownStandings = new Map<
    string,
    { readonly membership: MembershipValue; readonly standing: Standing }
  >();

  constructor({ genesis, crypto, limits }: FederationOptions) {
    this.genesis = genesis;
    this.crypto = crypto;
    this.limits = { ...FOLD_LIMITS, ...limits };
    this.fingerprint = fingerprintOf(genesis, crypto);
    this.book = new OperatorBook(genesis.operators, this.fingerprint, crypto, this.limits.commandsMax);
    this.members = new Members(genesis, this.fingerprint, crypto, this.book, this.limits.clustersMax);
    this.parking = new Parking(this.limits);
    this.hub = this.addSource(genesis.hubAccount as AccountKey, "hub");
    this.hub.keys.set(this.members.hubKeys());
  }

  addSource(account: AccountKey, cluster: SourceName): Source {
    const known = this.sources.get(account);
    if (known !== undefined) return known;
    const source: Source = new Source(account, cluster, this.crypto, (before, after) =>
      this.#onChange(source, before, after),
    );
    this.sources.set(account, source);
    return source;
  }

  /** The source in force for a cluster. */
  sourceOf(cluster: string): Source | undefined {
    if (cluster === "hub") return this.hub;
    const account = this.members.get(cluster)?.account;
    return account === undefined ? undefined : this.sources.get(account);
  }

  note(finding: Finding): void {
    this.quarantine.push(finding);
    if (this.quarantine.length > this.limits.findingsMax) this.quarantine.shift();
  }

  /** Reports that the standing of a member changed, by whatever way. */
  changeMember(cluster: string): void {
    this.standings.delete(cluster);
    this.change({ cluster: "hub", lane: "sum", key: membershipKey(cluster), type: "MembershipSet" });
  }

  change(ref: RegisterRef): void {
    this.changes.set(`${ref.cluster} ${ref.lane} ${ref.key}`, ref);
  }

  #onChange(source: Source, before: StoredRegister | undefined, after: StoredRegister | undefined): void {
    const register = after ?? before;
    if (register === undefined) return;
    const { key, type } = register;
    this.change({ cluster: source.cluster, lane: key.startsWith("endpoint/") ? "ep" : "sum", key, type });
    if (isCounted(type)) this.#onCounted(source, type, key, after?.view !== undefined);
    if (type === "MembershipSet" && source === this.hub)
      this.dirtyMemberships.add(key.slice("membership/".length));
    const carried = carriedBy(this, source, after);
    if (carried !== undefined) this.dirtyCommands.set(`${source.account} ${key}`, carried);
  }

  #onCounted(source: Source, type: CountedType, key: string, live: boolean): void {
    const name = `${source.account} ${type}`;
    this.touchedQuotas.add(name);
    const index = this.quotas.get(name);
    if (live) index?.add(key);
    else index?.delete(key);
  }
}

/**
 * Who is a member, with which key and account, in which state (design §4). Pins names to keys and accounts for ever;
 * everything is derived from the hub's membership registers and the operators' orders in force, so it does not matter
 * which of them came first.
 */
import {
  type AccountKey,
  type ClusterName,
  type Crypto,
  fromBase64,
  type TrustDomain,
  trustDomainOf,
} from "@hansa/core";
import { type Genesis, type MembershipRequest, type MembershipValue, verifyMembership } from "@hansa/events";
import type { OperatorBook } from "./operators.ts";
import type { MemberState } from "./types.ts";

interface Entry {
  /** base64; the key of the first membership that was seen. */
  readonly pinnedKey: string;
  readonly value: MembershipValue;
  readonly request: MembershipRequest;
  /** The hub took the register back. */
  readonly withdrawn: boolean;
}

export interface MembersDump {
  readonly entries: readonly Entry[];
  readonly accounts: readonly (readonly [AccountKey, ClusterName])[];
}

export interface MemberRecord {
  readonly cluster: ClusterName;
  readonly account: AccountKey;
  readonly trustDomain: TrustDomain;
  readonly membership: MembershipValue;
  readonly state: MemberState;
}

export type Admission =
  | { readonly kind: "admitted"; readonly account: AccountKey; readonly request: MembershipRequest }
  | {
      readonly kind: "refused";
      readonly code: "HSA2002" | "HSA3004" | "HSA3005" | "HSA3007";
      readonly message: string;
    };

const refused = (code: "HSA2002" | "HSA3004" | "HSA3005" | "HSA3007", message: string): Admission => ({
  kind: "refused",
  code,
  message,
});

export class Members {
  readonly #genesis: Genesis;
  readonly #fingerprint: string;
  readonly #crypto: Crypto;
  readonly #book: OperatorBook;
  readonly #clustersMax: number;
  readonly #entries = new Map<string, Entry>();
  readonly #accounts = new Map<AccountKey, ClusterName>();
  /** Derived; asked for with every register, so kept until an entry or the orders in force are others. */
  readonly #records = new Map<
    string,
    { readonly entry: Entry; readonly orders: unknown; readonly record: MemberRecord }
  >();

  constructor(
    genesis: Genesis,
    fingerprint: string,
    crypto: Crypto,
    book: OperatorBook,
    clustersMax: number,
  ) {
    this.#genesis = genesis;
    this.#fingerprint = fingerprint;
    this.#crypto = crypto;
    this.#book = book;
    this.#clustersMax = clustersMax;
  }

  /** Keys of the hub's log, the latest last. */
  hubKeys(): readonly string[] {
    return [this.#genesis.hubKey, ...this.#book.orders("hubkey").map(({ order }) => order.key)];
  }

  /** Keys of a member's logs, the latest last. */
  keysOf(cluster: string): readonly string[] {
    const entry = this.#entries.get(cluster);
    return entry === undefined ? [] : this.#keys(cluster, entry.pinnedKey, entry.value.incarnation);
  }

  clusterOf(account: AccountKey): ClusterName | undefined {
    return this.#accounts.get(account);
  }

  accounts(): Iterable<readonly [AccountKey, ClusterName]> {
    return this.#accounts;
  }

  get(cluster: string): MemberRecord | undefined {
    const entry = this.#entries.get(cluster);
    if (entry === undefined) return undefined;
    const orders = this.#book.accepted();
    const known = this.#records.get(cluster);
    if (known?.entry === entry && known.orders === orders) return known.record;
    const { value, request } = entry;
    const record = {
      cluster: value.cluster,
      account: request.accountKey,
      trustDomain: trustDomainOf(value.cluster, this.#genesis.federation),
      membership: value,
      state: this.#stateOf(entry),
    };
    this.#records.set(cluster, { entry, orders, record });
    return record;
  }

  clusters(): readonly string[] {
    return [...this.#entries.keys()].sort();
  }

  /** Takes the hub's register for a cluster. A refused value leaves what held before. */
  consider(cluster: string, value: MembershipValue): Admission {
    const verdict = this.judge(cluster, value);
    if (verdict.kind === "refused") return verdict;
    const { request } = verdict;
    const pinnedKey = this.#entries.get(cluster)?.pinnedKey ?? request.signingKey;
    this.#entries.set(cluster, { pinnedKey, value, request, withdrawn: false });
    this.#accounts.set(request.accountKey, value.cluster);
    return { kind: "admitted", account: request.accountKey, request };
  }

  /** What `consider` would say, without effect. */
  judge(cluster: string, value: MembershipValue): Admission {
    const checked = this.#verify(value);
    if (checked.kind === "problem") return refused(narrow(checked.code), checked.message);
    const { request } = checked;
    if (value.cluster !== cluster) return refused("HSA3004", `membership/${cluster} names ${value.cluster}`);
    const entry = this.#entries.get(cluster);
    if (entry === undefined && this.#entries.size >= this.#clustersMax)
      return refused("HSA2002", `membership/${cluster}: ${this.#clustersMax} clusters are known already`);
    const problem = this.#problem(cluster, entry, value, request);
    return problem ?? { kind: "admitted", account: request.accountKey, request };
  }

  #problem(
    cluster: string,
    entry: Entry | undefined,
    value: MembershipValue,
    request: MembershipRequest,
  ): Admission | undefined {
    const owner = this.#accounts.get(request.accountKey);
    if (request.accountKey === this.#genesis.hubAccount || (owner !== undefined && owner !== cluster))
      return refused("HSA3004", `membership/${cluster}: its account belongs to ${owner ?? "the hub"}`);
    if (entry === undefined) return undefined;
    if (!this.#keys(cluster, entry.pinnedKey, value.incarnation).includes(request.signingKey))
      return refused("HSA3004", `membership/${cluster}: the name is pinned to another key`);
    if (value.incarnation < entry.value.incarnation)
      return refused("HSA3004", `membership/${cluster}: incarnation ${value.incarnation} is of the past`);
    if (value.incarnation === entry.value.incarnation && request.accountKey !== entry.request.accountKey)
      return refused("HSA3004", `membership/${cluster}: another account needs another incarnation`);
    return undefined;
  }

  /** The hub's register is gone: the cluster has left; name, key and account stay pinned. */
  withdraw(cluster: string): void {
    const entry = this.#entries.get(cluster);
    if (entry !== undefined) this.#entries.set(cluster, { ...entry, withdrawn: true });
  }

  /** Under any key that the hub's log ever had: who carries it now vouches for it again. */
  #verify(value: MembershipValue): ReturnType<typeof verifyMembership> {
    let checked: ReturnType<typeof verifyMembership> | undefined;
    for (const key of [...this.hubKeys()].reverse()) {
      const raw = fromBase64(key);
      if (raw === undefined) continue;
      checked = verifyMembership(value, raw, this.#fingerprint, this.#crypto);
      if (checked.kind === "ok") return checked;
    }
    return checked ?? { kind: "problem", code: "HSA3007", message: "the hub has no usable key" };
  }

  #keys(cluster: string, pinnedKey: string, incarnation: number): readonly string[] {
    const rekeys = this.#book
      .orders("rekey")
      .filter(({ order }) => order.cluster === cluster && order.incarnation <= incarnation);
    return [pinnedKey, ...rekeys.map(({ order }) => order.signingKey)];
  }

  #stateOf({ value, withdrawn }: Entry): MemberState {
    if (this.#isEvicted(value.cluster, value.incarnation)) return "evicted";
    if (withdrawn || value.state === "left") return "left";
    const drains = (["drain", "undrain"] as const)
      .flatMap((kind) => this.#book.orders<"drain" | "undrain">(kind))
      .filter(({ order }) => order.cluster === value.cluster && order.incarnation === value.incarnation)
      .sort((a, b) => a.atMs - b.atMs || (a.order.do === "drain" ? 1 : -1));
    return drains.at(-1)?.order.do === "drain" ? "draining" : "active";
  }

  /** An eviction ends its incarnation for ever, and later ones until operators admit one. */
  #isEvicted(cluster: string, incarnation: number): boolean {
    const admitted = this.#book.orders("admit").filter(({ order }) => order.cluster === cluster);
    return this.#book
      .orders("evict")
      .some(
        ({ order }) =>
          order.cluster === cluster &&
          order.incarnation <= incarnation &&
          !admitted.some(
            (admit) => admit.order.incarnation > order.incarnation && admit.order.incarnation <= incarnation,
          ),
      );
  }

  dump(): MembersDump {
    return { entries: [...this.#entries.values()], accounts: [...this.#accounts] };
  }

  restore(dump: MembersDump): void {
    for (const entry of dump.entries) this.#entries.set(entry.value.cluster, entry);
    for (const [account, cluster] of dump.accounts) this.#accounts.set(account, cluster);
  }
}

function narrow(code: string): "HSA3004" | "HSA3005" | "HSA3007" {
  return code === "HSA3005" || code === "HSA3004" ? code : "HSA3007";
}

/**
 * Projection rows from the fold: which row of which table shows a register, and what it says. Pure. Rows have the
 * columns of the tables; `effective` false marks what the fold holds but does not let act.
 */

import { parseKey, type RegisterKey } from "@hansa/events";
import type { Federation, Member, RegisterRef, RegisterView } from "@hansa/model";
import type { ProjectionChanges, ProjectionRow, ProjectionTable } from "./upsert.ts";

interface Shown {
  readonly table: ProjectionTable;
  readonly key: ProjectionRow;
  /** null: the register is gone. */
  readonly row: ProjectionRow | null;
}

/** Key columns of the row that shows a register; undefined for registers without a projection. */
function placeOf(cluster: string, key: RegisterKey): Pick<Shown, "table" | "key"> | undefined {
  switch (key.type) {
    case "ServiceSet":
      return { table: "service", key: { cluster, namespace: key.namespace, name: key.name } };
    case "LoadSet": {
      const { type: _, ...place } = key;
      return { table: "load", key: { cluster, ...place } };
    }
    case "GatewaySet":
      return { table: "gateway", key: { cluster, name: key.name } };
    case "EndpointSet":
      return {
        table: "endpoint",
        key: { cluster, namespace: key.namespace, service: key.name, id: key.id },
      };
    case "IdentitySet":
      return {
        table: "identity",
        key: { cluster, namespace: key.namespace, service_account: key.serviceAccount },
      };
    case "BundleSet":
      return { table: "trust_bundle", key: { cluster } };
    case "LinkSet":
      return { table: "link", key: { cluster, peer: key.peer } };
    case "PolicySet":
      return { table: "policy", key: { cluster, kind: key.kind, namespace: key.namespace, name: key.name } };
    default:
      return undefined;
  }
}

function columnsOf(view: RegisterView, effective: RegisterView | undefined): ProjectionRow {
  const common = { effective: effective !== undefined };
  switch (view.type) {
    case "ServiceSet":
      return {
        ...common,
        exported: effective?.type === "ServiceSet" && effective.value.export !== null,
        value: view.value,
      };
    case "LoadSet":
      return { ...common, ...view.value };
    case "EndpointSet":
      return { ...common, ready: view.value.ready, address: view.value.address, value: view.value };
    case "IdentitySet":
      return { ...common, spiffe_id: view.value.spiffeId };
    case "BundleSet":
      return {
        ...common,
        trust_domain: view.value.trustDomain,
        sequence: view.value.sequence,
        value: view.value,
      };
    case "LinkSet":
      return { ...common, state: view.value.state, value: view.value };
    default:
      return { ...common, value: view.value };
  }
}

function shown(fed: Federation, cluster: string, key: string): Shown | undefined {
  const parsed = parseKey(key);
  const place = parsed === undefined ? undefined : placeOf(cluster, parsed);
  if (place === undefined) return undefined;
  const view = fed.get(cluster, key);
  if (view === undefined) return { ...place, row: null };
  const { epoch, seq } = view.position;
  const columns = columnsOf(view, fed.effective(cluster, key));
  return { ...place, row: { ...place.key, ...columns, epoch, seq, at_ms: view.at } };
}

const memberRow = ({
  cluster,
  account,
  trustDomain,
  membership,
  state,
  degraded,
}: Member): ProjectionRow => ({
  name: cluster,
  account,
  trust_domain: trustDomain,
  region: membership.grant.region,
  network: membership.grant.network,
  state,
  incarnation: membership.incarnation,
  degraded,
  value: membership,
});

const TRUST_TYPES = new Set(["MembershipSet", "CommandSet", "HubkeySet", "OperatorsSet"]);

/** What the effect of all of a member's registers depends on. */
const standingOf = ({ account, state, membership }: Member): string =>
  JSON.stringify([account, state, membership.grant]);

/**
 * Follows one fold and says which rows to write. A member that is evicted, leaves, comes back or is granted something
 * else has all its rows written again: none of its registers changed, but what they effect did.
 */
export class Projection {
  readonly #fed: Federation;
  readonly #standings = new Map<string, { readonly standing: string; readonly account: string }>();

  /** `fed` as the projections show it now. */
  constructor(fed: Federation) {
    this.#fed = fed;
    this.#moved();
  }

  /** `sources`: clusters whose own state (degraded, …) may have changed. */
  changes(changed: readonly RegisterRef[], sources: readonly string[]): ProjectionChanges {
    const fed = this.#fed;
    const rows = new Map<string, Shown>();
    const show = (cluster: string, key: string): void => {
      const found = shown(fed, cluster, key);
      if (found !== undefined) rows.set(`${cluster} ${key}`, found);
    };
    for (const { cluster, key } of changed) show(cluster, key);
    const isTrust = changed.some(({ type }) => TRUST_TYPES.has(type));
    const members = isTrust ? fed.members() : sources.flatMap((name) => fed.member(name) ?? []);
    for (const member of members) rows.set(`member ${member.cluster}`, memberShown(member));
    if (!isTrust) return grouped(rows.values());
    const moved = this.#moved();
    for (const { cluster } of moved) for (const { key } of fed.registers(cluster)) show(cluster, key);
    const purge = moved.filter(({ isReplaced }) => isReplaced).map(({ cluster }) => cluster);
    return { ...grouped(rows.values()), ...(purge.length > 0 ? { purge } : {}) };
  }

  /** Members whose standing changed since the last call; `isReplaced`: they write under another account now. */
  #moved(): { readonly cluster: string; readonly isReplaced: boolean }[] {
    const moved: { readonly cluster: string; readonly isReplaced: boolean }[] = [];
    for (const member of this.#fed.members()) {
      const { cluster, account } = member;
      const before = this.#standings.get(cluster);
      const standing = standingOf(member);
      if (before?.standing === standing) continue;
      this.#standings.set(cluster, { standing, account });
      moved.push({ cluster, isReplaced: before !== undefined && before.account !== account });
    }
    return moved;
  }
}

const memberShown = (member: Member): Shown => ({
  table: "cluster",
  key: { name: member.cluster },
  row: memberRow(member),
});

/** Every row, for a rebuild and for questions about the past. */
export function allRows(fed: Federation): ProjectionChanges {
  const rows: Shown[] = fed.members().map(memberShown);
  for (const cluster of ["hub", ...fed.members().map((member) => member.cluster)])
    for (const { key } of fed.registers(cluster)) {
      const found = shown(fed, cluster, key);
      if (found !== undefined) rows.push(found);
    }
  return grouped(rows);
}

function grouped(rows: Iterable<Shown>): ProjectionChanges {
  const tables: Partial<Record<ProjectionTable, { upserts: ProjectionRow[]; deletes: ProjectionRow[] }>> = {};
  for (const { table, key, row } of rows) {
    tables[table] ??= { upserts: [], deletes: [] };
    if (row === null) tables[table].deletes.push(key);
    else tables[table].upserts.push(row);
  }
  return tables;
}

const camel = (name: string): string =>
  name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** The rows of one table as reads answer them. */
export const itemsOf = (changes: ProjectionChanges, table: ProjectionTable): Record<string, unknown>[] =>
  (changes[table]?.upserts ?? []).map((row) =>
    Object.fromEntries(Object.entries(row).map(([name, value]) => [camel(name), value])),
  );

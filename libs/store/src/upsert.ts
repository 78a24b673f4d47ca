/** Writes projection rows in bulk: one upsert and one delete per table, from JSON record sets (events §2.2). */
import type { Queryable, Tx } from "./db.ts";
import { jsonText } from "./json-text.ts";

/** Table → key columns, then the others, with their SQL types. `position` is added by the commit. */
const TABLES = {
  cluster: {
    key: { name: "text" },
    rest: {
      account: "text",
      trust_domain: "text",
      region: "text",
      network: "text",
      state: "text",
      incarnation: "bigint",
      degraded: "boolean",
      value: "jsonb",
    },
  },
  service: {
    key: { cluster: "text", namespace: "text", name: "text" },
    rest: { exported: "boolean", effective: "boolean", value: "jsonb" },
  },
  load: {
    key: { cluster: "text", namespace: "text", name: "text", port: "text", region: "text", zone: "text" },
    rest: {
      effective: "boolean",
      healthy: "integer",
      total: "integer",
      desired: "integer",
      weight: "double precision",
    },
  },
  gateway: { key: { cluster: "text", name: "text" }, rest: { effective: "boolean", value: "jsonb" } },
  endpoint: {
    key: { cluster: "text", namespace: "text", service: "text", id: "text" },
    rest: { effective: "boolean", ready: "boolean", address: "text", value: "jsonb" },
  },
  identity: {
    key: { cluster: "text", namespace: "text", service_account: "text" },
    rest: { effective: "boolean", spiffe_id: "text" },
  },
  trust_bundle: {
    key: { cluster: "text" },
    rest: { trust_domain: "text", effective: "boolean", sequence: "bigint", value: "jsonb" },
  },
  link: {
    key: { cluster: "text", peer: "text" },
    rest: { effective: "boolean", state: "text", value: "jsonb" },
  },
  policy: {
    key: { cluster: "text", kind: "text", namespace: "text", name: "text" },
    rest: { effective: "boolean", value: "jsonb" },
  },
} as const;

const SET = { epoch: "bigint", seq: "bigint", at_ms: "bigint" } as const;

export type ProjectionTable = keyof typeof TABLES;
export const PROJECTION_TABLES = Object.keys(TABLES) as ProjectionTable[];

export type ProjectionRow = Readonly<Record<string, unknown>>;

export interface TableChanges {
  /** Whole rows. */
  readonly upserts: readonly ProjectionRow[];
  /** Key columns of rows that are gone. */
  readonly deletes: readonly ProjectionRow[];
}

export type ProjectionChanges = Partial<Readonly<Record<ProjectionTable, TableChanges>>> & {
  /** Clusters whose rows go before the upserts: they write under another account now. */
  readonly purge?: readonly string[];
};

export const keyColumns = (table: ProjectionTable): string[] => Object.keys(TABLES[table].key);

const restColumns = (table: ProjectionTable): Record<string, string> =>
  table === "cluster" ? TABLES[table].rest : { ...TABLES[table].rest, ...SET };

const recordset = (columns: Record<string, string>): string =>
  Object.entries(columns)
    .map(([name, type]) => `${name} ${type}`)
    .join(", ");

function upsertSql(table: ProjectionTable): string {
  const rest = restColumns(table);
  const all = { ...TABLES[table].key, ...rest };
  const names = Object.keys(all).join(", ");
  const sets = Object.keys(rest).map((name) => `${name} = excluded.${name}`);
  const before = Object.keys(rest).map((name) => `${table}.${name}`);
  const after = Object.keys(rest).map((name) => `excluded.${name}`);
  return `insert into ${table} (${names}, position)
    select ${names}, $2 from jsonb_to_recordset($1) as r(${recordset(all)})
    on conflict (${keyColumns(table).join(", ")}) do update set ${sets.join(", ")}, position = excluded.position
    where (${before.join(", ")}) is distinct from (${after.join(", ")})`;
}

function deleteSql(table: ProjectionTable): string {
  const key = TABLES[table].key;
  const on = keyColumns(table).map((name) => `${table}.${name} = r.${name}`);
  return `delete from ${table} using jsonb_to_recordset($1) as r(${recordset(key)}) where ${on.join(" and ")}`;
}

const SQL = Object.fromEntries(
  PROJECTION_TABLES.map((table) => [table, { upsert: upsertSql(table), remove: deleteSql(table) }]),
) as Record<ProjectionTable, { upsert: string; remove: string }>;

export async function writeProjections(tx: Tx, changes: ProjectionChanges, position: number): Promise<void> {
  if (changes.purge !== undefined)
    for (const table of PROJECTION_TABLES)
      if (table !== "cluster")
        await tx.query(`delete from ${table} where cluster = any($1)`, [changes.purge]);
  for (const table of PROJECTION_TABLES) {
    const { upserts = [], deletes = [] } = changes[table] ?? {};
    if (deletes.length > 0) await tx.prepared(SQL[table].remove, [jsonText(deletes)]);
    if (upserts.length > 0) await tx.prepared(SQL[table].upsert, [jsonText(upserts), position]);
  }
}

/** Empties all projections, for a rebuild in the same transaction. */
export async function clearProjections(tx: Queryable): Promise<void> {
  for (const table of PROJECTION_TABLES) await tx.query(`delete from ${table}`);
}

/**
 * Reads of the projections, page by page. The same rows can be made from a past fold (`pageOf`), so that a question
 * with `at=` has the same answer shape and order as one without.
 */
import { fromUtf8, HansaError, utf8 } from "@hansa/core";
import { and, asc, eq, gt, type SQL, sql } from "drizzle-orm";
import type { NodePgDatabase } from "drizzle-orm/node-postgres";
import type { PgColumn, PgTable } from "drizzle-orm/pg-core";
import * as schema from "./schema.ts";
import type { ProjectionTable } from "./upsert.ts";

export const PAGE_ITEMS_MAX = 1000;

/** One row, names in camel case. */
export type Item = Readonly<Record<string, unknown>>;

export interface Page {
  readonly items: readonly Item[];
  /** Opaque; null at the end. */
  readonly next: string | null;
}

export interface PageRequest {
  /** Column (camel case) → exact value. */
  readonly filter: Readonly<Record<string, string>>;
  readonly limit: number;
  readonly cursor: string | null;
}

interface Listing {
  readonly table: PgTable;
  /** Order and cursor: the primary key. */
  readonly key: readonly string[];
}

/** What can be listed. Keys are in the order of the table's primary key. */
export const LISTINGS = {
  cluster: { table: schema.cluster, key: ["name"] },
  service: { table: schema.service, key: ["cluster", "namespace", "name"] },
  load: { table: schema.load, key: ["cluster", "namespace", "name", "port", "region", "zone"] },
  gateway: { table: schema.gateway, key: ["cluster", "name"] },
  endpoint: { table: schema.endpoint, key: ["cluster", "namespace", "service", "id"] },
  identity: { table: schema.identity, key: ["cluster", "namespace", "serviceAccount"] },
  trust_bundle: { table: schema.trustBundle, key: ["cluster"] },
  link: { table: schema.link, key: ["cluster", "peer"] },
  policy: { table: schema.policy, key: ["cluster", "kind", "namespace", "name"] },
} as const satisfies Record<ProjectionTable, Listing>;

const columnOf = (table: PgTable, name: string): PgColumn => {
  const column = (table as unknown as Record<string, PgColumn>)[name];
  if (column === undefined) throw new HansaError("HSA1004", `filter ${name}: not a field of this list`);
  return column;
};

export async function listRows(
  orm: NodePgDatabase,
  kind: ProjectionTable,
  { filter, limit, cursor }: PageRequest,
): Promise<Page> {
  const { table, key }: Listing = LISTINGS[kind];
  const keys = key.map((name) => columnOf(table, name));
  const conditions: (SQL | undefined)[] = Object.entries(filter).map(([name, value]) =>
    eq(columnOf(table, name), value),
  );
  const after = readCursor(cursor, key.length);
  if (after !== null) {
    const columns = sql.join(keys, sql`, `);
    const values = sql.join(
      after.map((value) => sql`${value}`),
      sql`, `,
    );
    conditions.push(keys.length === 1 ? gt(keys[0]!, after[0]) : sql`(${columns}) > (${values})`);
  }
  const rows = await orm
    .select()
    .from(table)
    .where(and(...conditions))
    .orderBy(...keys.map((column) => asc(column)))
    .limit(limit + 1);
  return cut(rows.map(withoutPosition), key, limit);
}

/** The same page from rows held in memory. */
export function pageOf(
  rows: readonly Item[],
  kind: ProjectionTable,
  { filter, limit, cursor }: PageRequest,
): Page {
  const { table, key }: Listing = LISTINGS[kind];
  for (const name of Object.keys(filter)) columnOf(table, name);
  const after = readCursor(cursor, key.length);
  const keyOf = (row: Item): string[] => key.map((name) => String(row[name]));
  const found = rows
    .filter((row) => Object.entries(filter).every(([name, value]) => String(row[name]) === value))
    .filter((row) => after === null || compare(keyOf(row), after) > 0)
    .sort((a, b) => compare(keyOf(a), keyOf(b)));
  return cut(found.slice(0, limit + 1), key, limit);
}

function compare(a: readonly string[], b: readonly string[]): number {
  for (const [index, text] of a.entries()) {
    const other = b[index] ?? "";
    if (text !== other) return text < other ? -1 : 1;
  }
  return 0;
}

/** The archive position of a row belongs to the commit, not to the fact: answers carry their own position. */
const withoutPosition = (row: Record<string, unknown>): Item => {
  const { position: _, ...rest } = row;
  return rest;
};

function cut(rows: readonly Item[], key: readonly string[], limit: number): Page {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  if (rows.length <= limit || last === undefined) return { items, next: null };
  return { items, next: writeCursor(key.map((name) => String(last[name]))) };
}

export const writeCursor = (values: readonly string[]): string =>
  Buffer.from(utf8(JSON.stringify(values))).toString("base64url");

/** Throws HSA1004 for a cursor that no answer ever carried. */
export function readCursor(cursor: string | null, length: number): string[] | null {
  if (cursor === null) return null;
  const text = fromUtf8(Buffer.from(cursor, "base64url"));
  try {
    const values: unknown = JSON.parse(text ?? "");
    if (
      Array.isArray(values) &&
      values.length === length &&
      values.every((value) => typeof value === "string")
    )
      return values;
  } catch {
    // falls through to the refusal
  }
  throw new HansaError("HSA1004", "cursor: use the value of `next` as it came");
}

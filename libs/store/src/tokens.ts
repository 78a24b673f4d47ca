/**
 * Join tokens and API tokens. Only hashes of secrets are stored: a secret has 256 random bits, so one SHA-256 is
 * enough and a look-up by hash leaks nothing by its timing.
 */
import { createHash } from "node:crypto";
import { HansaError } from "@hansa/core";
import type { Grant } from "@hansa/events";
import type { Queryable } from "./db.ts";

export type Role = "agent" | "viewer" | "operator" | "admin";

export const hashSecret = (secret: string): string => createHash("sha256").update(secret).digest("hex");

export interface JoinToken {
  readonly id: string;
  readonly cluster: string;
  readonly granted: Grant;
  readonly createdBy: string;
  readonly createdMs: number;
  readonly expiresMs: number;
  readonly usedMs: number | null;
  readonly revokedMs: number | null;
}

export interface ApiToken {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  /** Set for a member's agent: what it may do is bound to that cluster. */
  readonly cluster: string | null;
  readonly createdBy: string;
  readonly createdMs: number;
  readonly expiresMs: number | null;
  readonly revokedMs: number | null;
}

const iso = (ms: number): string => new Date(ms).toISOString();
const msOf = (date: Date | null): number | null => (date === null ? null : date.getTime());

interface JoinRow {
  id: string;
  cluster: string;
  granted: Grant;
  created_by: string;
  created_at: Date;
  expires_at: Date;
  used_at: Date | null;
  revoked_at: Date | null;
}

const joinOf = (row: JoinRow): JoinToken => ({
  id: row.id,
  cluster: row.cluster,
  granted: row.granted,
  createdBy: row.created_by,
  createdMs: row.created_at.getTime(),
  expiresMs: row.expires_at.getTime(),
  usedMs: msOf(row.used_at),
  revokedMs: msOf(row.revoked_at),
});

/** Tokens of each kind that may be open at once; beyond it revoke some. */
export const TOKENS_MAX = 1000;

async function refuseMore(tx: Queryable, kind: "join" | "api"): Promise<void> {
  const open = kind === "join" ? "used_at is null and expires_at > clock_timestamp()" : "role <> 'agent'";
  const rows = await tx.query<{ n: number }>(
    `select count(*) as n from ${kind}_token where revoked_at is null and ${open}`,
  );
  if ((rows[0]?.n ?? 0) >= TOKENS_MAX)
    throw new HansaError("HSA1006", `tokens: ${TOKENS_MAX} ${kind} tokens are open; revoke some first`);
}

export async function insertJoinToken(
  tx: Queryable,
  token: Omit<JoinToken, "usedMs" | "revokedMs">,
  secret: string,
): Promise<void> {
  await refuseMore(tx, "join");
  await tx.query(
    `insert into join_token (id, secret_hash, cluster, granted, created_by, created_at, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [
      token.id,
      hashSecret(secret),
      token.cluster,
      JSON.stringify(token.granted),
      token.createdBy,
      iso(token.createdMs),
      iso(token.expiresMs),
    ],
  );
}

/** Locks the row until the end of the transaction, so that one token admits once. */
export async function lockJoinToken(tx: Queryable, secret: string): Promise<JoinToken | null> {
  const rows = await tx.query<JoinRow>("select * from join_token where secret_hash = $1 for update", [
    hashSecret(secret),
  ]);
  return rows[0] === undefined ? null : joinOf(rows[0]);
}

export async function markJoinTokenUsed(tx: Queryable, id: string, nowMs: number): Promise<void> {
  await tx.query("update join_token set used_at = $2 where id = $1", [id, iso(nowMs)]);
}

export async function useJoinTokens(
  tx: Queryable,
  cluster: string,
  createdMs: number,
  nowMs: number,
): Promise<void> {
  await tx.query(
    "update join_token set used_at = coalesce(used_at, $2) where cluster = $1 and created_at <= $3",
    [cluster, iso(nowMs), iso(createdMs)],
  );
}

interface ApiRow {
  id: string;
  name: string;
  role: Role;
  cluster: string | null;
  created_by: string;
  created_at: Date;
  expires_at: Date | null;
  revoked_at: Date | null;
}

const apiOf = (row: ApiRow): ApiToken => ({
  id: row.id,
  name: row.name,
  role: row.role,
  cluster: row.cluster,
  createdBy: row.created_by,
  createdMs: row.created_at.getTime(),
  expiresMs: msOf(row.expires_at),
  revokedMs: msOf(row.revoked_at),
});

/** Answers false where that secret is known already. */
export async function insertApiToken(
  tx: Queryable,
  token: Omit<ApiToken, "revokedMs">,
  secret: string,
): Promise<boolean> {
  if (token.role !== "agent") await refuseMore(tx, "api");
  const rows = await tx.query(
    `insert into api_token (id, secret_hash, name, role, cluster, created_by, created_at, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing returning id`,
    [
      token.id,
      hashSecret(secret),
      token.name,
      token.role,
      token.cluster,
      token.createdBy,
      iso(token.createdMs),
      token.expiresMs === null ? null : iso(token.expiresMs),
    ],
  );
  return rows.length === 1;
}

/** null for unknown, expired and revoked secrets alike. */
export async function findApiToken(db: Queryable, secret: string): Promise<ApiToken | null> {
  const rows = await db.query<ApiRow>(
    `select * from api_token where secret_hash = $1 and revoked_at is null
        and (expires_at is null or expires_at > clock_timestamp())`,
    [hashSecret(secret)],
  );
  return rows[0] === undefined ? null : apiOf(rows[0]);
}

export async function listTokens(db: Queryable): Promise<{ join: JoinToken[]; api: ApiToken[] }> {
  const join = await db.query<JoinRow>("select * from join_token order by created_at desc limit $1", [
    TOKENS_MAX,
  ]);
  const api = await db.query<ApiRow>("select * from api_token order by created_at desc limit $1", [
    TOKENS_MAX,
  ]);
  return { join: join.map(joinOf), api: api.map(apiOf) };
}

/** Answers what kind of token was revoked, null where there is none of that id. */
export async function revokeToken(tx: Queryable, id: string, nowMs: number): Promise<"join" | "api" | null> {
  for (const kind of ["join", "api"] as const) {
    const rows = await tx.query(
      `update ${kind}_token set revoked_at = coalesce(revoked_at, $2) where id = $1 returning id`,
      [id, iso(nowMs)],
    );
    if (rows.length > 0) return kind;
  }
  return null;
}

/** Ends all credentials of a member's agent, at leave and evict. */
export async function revokeTokensOfCluster(tx: Queryable, cluster: string, nowMs: number): Promise<void> {
  await tx.query(
    "update api_token set revoked_at = coalesce(revoked_at, $2) where cluster = $1 and role = 'agent'",
    [cluster, iso(nowMs)],
  );
}

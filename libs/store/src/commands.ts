/**
 * The hub's own writes: one transaction per command that fences, decides under row locks, records the decision, queues
 * the events for the hub's lane and leaves an audit entry. All or nothing.
 */
import { HansaError } from "@hansa/core";
import type { MembershipValue, RegisterEvent } from "@hansa/events";
import type { Db, Queryable } from "./db.ts";
import { fence } from "./leader.ts";
import type { ApiToken, JoinToken } from "./tokens.ts";
import * as tokens from "./tokens.ts";

export type MemberState = "active" | "left" | "evicted";

/** Command side of one member. The name stays pinned to `signingKey` for ever. */
export interface Member {
  readonly cluster: string;
  /** base64 raw Ed25519. */
  readonly signingKey: string;
  readonly account: string;
  readonly incarnation: number;
  readonly state: MemberState;
  readonly membership: MembershipValue;
  readonly accountJwt: string;
  readonly userKey: string;
  readonly suspended: boolean;
}

export interface AuditEntry {
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  /** Never a secret. */
  readonly details: Readonly<Record<string, unknown>>;
}

export interface CommandTx {
  /** Commit clock, ms. */
  readonly nowMs: number;
  readonly position: number;
  /** Locks the row. */
  member(cluster: string): Promise<Member | null>;
  memberOfAccount(account: string): Promise<Member | null>;
  /** With its account JWT, to be pushed to the bus. */
  saveMember(member: Member): Promise<void>;
  saveAccount(account: string, jwt: string): Promise<void>;
  /** Answers the row's id. */
  enqueue(event: RegisterEvent): Promise<number>;
  audit(entry: AuditEntry): Promise<void>;
  /** Throws HSA1006 where too many are open. */
  addJoinToken(token: Omit<JoinToken, "usedMs" | "revokedMs">, secret: string): Promise<void>;
  /** Locks the row, so that one token admits once; null for an unknown secret. */
  joinToken(secret: string): Promise<JoinToken | null>;
  useJoinToken(id: string): Promise<void>;
  /** Uses up every token for `cluster` made at or before `createdMs`. */
  useJoinTokens(cluster: string, createdMs: number): Promise<void>;
  addApiToken(token: Omit<ApiToken, "revokedMs">, secret: string): Promise<void>;
  /** Answers what kind of token was revoked, null where there is none of that id. */
  revokeToken(id: string): Promise<"join" | "api" | null>;
  /** Ends all credentials of a member's agent. */
  revokeTokensOfCluster(cluster: string): Promise<void>;
}

interface MemberRow {
  cluster: string;
  signing_key: string;
  account: string;
  incarnation: number;
  state: MemberState;
  membership: MembershipValue;
  account_jwt: string;
  user_key: string;
  suspended: boolean;
}

const memberOf = (row: MemberRow): Member => ({
  cluster: row.cluster,
  signingKey: row.signing_key,
  account: row.account,
  incarnation: row.incarnation,
  state: row.state,
  membership: row.membership,
  accountJwt: row.account_jwt,
  userKey: row.user_key,
  suspended: row.suspended,
});

export function command<Result>(
  db: Db,
  leaderEpoch: number,
  decide: (tx: CommandTx) => Promise<Result>,
): Promise<Result> {
  return db.transaction(async (sql) => {
    const { committedMs, position } = await fence(sql, leaderEpoch);
    return decide(commandTx(sql, committedMs, position));
  });
}

function commandTx(sql: Queryable, nowMs: number, position: number): CommandTx {
  const one = async (column: "cluster" | "account", value: string): Promise<Member | null> => {
    const rows = await sql.query<MemberRow>(`select * from member where ${column} = $1 for update`, [value]);
    return rows[0] === undefined ? null : memberOf(rows[0]);
  };
  const saveAccount = async (account: string, jwt: string): Promise<void> => {
    await sql.query(
      `insert into bus_account (account, jwt) values ($1, $2)
       on conflict (account) do update set jwt = excluded.jwt, pushed = false`,
      [account, jwt],
    );
  };
  return {
    nowMs,
    position,
    saveAccount,
    addJoinToken: (token, secret) => tokens.insertJoinToken(sql, token, secret),
    joinToken: (secret) => tokens.lockJoinToken(sql, secret),
    useJoinToken: (id) => tokens.markJoinTokenUsed(sql, id, nowMs),
    useJoinTokens: (cluster, createdMs) => tokens.useJoinTokens(sql, cluster, createdMs, nowMs),
    addApiToken: async (token, secret) => void (await tokens.insertApiToken(sql, token, secret)),
    revokeToken: (id) => tokens.revokeToken(sql, id, nowMs),
    revokeTokensOfCluster: (cluster) => tokens.revokeTokensOfCluster(sql, cluster, nowMs),
    member: (cluster) => one("cluster", cluster),
    memberOfAccount: (account) => one("account", account),
    async saveMember(member) {
      await saveAccount(member.account, member.accountJwt);
      await sql.query(
        `insert into member (cluster, signing_key, account, incarnation, state, membership, account_jwt, user_key, suspended)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict (cluster) do update set signing_key = excluded.signing_key, account = excluded.account,
           incarnation = excluded.incarnation, state = excluded.state, membership = excluded.membership,
           account_jwt = excluded.account_jwt, user_key = excluded.user_key, suspended = excluded.suspended`,
        [
          member.cluster,
          member.signingKey,
          member.account,
          member.incarnation,
          member.state,
          JSON.stringify(member.membership),
          member.accountJwt,
          member.userKey,
          member.suspended,
        ],
      );
    },
    async enqueue(event) {
      if ((await outboxDepth(sql)) >= OUTBOX_EVENTS_MAX)
        throw new HansaError(
          "HSA2009",
          `hub: ${OUTBOX_EVENTS_MAX} own events wait for the bus; try again later`,
        );
      const rows = await sql.query<{ id: number }>("insert into outbox (event) values ($1) returning id", [
        JSON.stringify(event),
      ]);
      return rows[0]!.id;
    },
    async audit({ actor, action, subject, details }) {
      await sql.query("insert into audit (at, actor, action, subject, details) values ($1, $2, $3, $4, $5)", [
        new Date(nowMs).toISOString(),
        actor,
        action,
        subject,
        JSON.stringify(details),
      ]);
    },
  };
}

export async function readMembers(db: Queryable): Promise<Member[]> {
  return (await db.query<MemberRow>("select * from member order by cluster")).map(memberOf);
}

// === account JWTs ===

export interface BusAccount {
  readonly account: string;
  readonly jwt: string;
}

/** All, or those that no NATS server has taken yet. */
export const readBusAccounts = (db: Queryable, which: "all" | "pending"): Promise<BusAccount[]> =>
  db.query(
    `select account, jwt from bus_account ${which === "all" ? "" : "where not pushed"} order by account`,
  );

/** Unless another one was decided meanwhile. */
export async function markPushed(db: Queryable, { account, jwt }: BusAccount): Promise<void> {
  await db.query("update bus_account set pushed = true where account = $1 and jwt = $2", [account, jwt]);
}

// === outbox and writer state of the hub's lane ===

export interface OutboxRow {
  readonly id: number;
  readonly event: RegisterEvent;
}

export const OUTBOX_READ_MAX = 1000;
export const OUTBOX_EVENTS_MAX = 10_000;

export const readOutbox = (db: Queryable, afterId: number): Promise<OutboxRow[]> =>
  db.query("select id, event from outbox where id > $1 order by id limit $2", [afterId, OUTBOX_READ_MAX]);

export async function outboxDepth(db: Queryable): Promise<number> {
  const rows = await db.query<{ depth: number }>("select count(*) as depth from outbox");
  return rows[0]?.depth ?? 0;
}

/** Forgets events whose record is archived. */
export async function clearOutbox(db: Queryable, throughId: number): Promise<void> {
  await db.query("delete from outbox where id <= $1", [throughId]);
}

export async function saveOwnLane(db: Db, leaderEpoch: number, lane: string, state: unknown): Promise<void> {
  await db.transaction(async (tx) => {
    await fence(tx, leaderEpoch);
    await tx.query(
      "insert into own_lane (lane, state) values ($1, $2) on conflict (lane) do update set state = excluded.state",
      [lane, JSON.stringify(state)],
    );
  });
}

export async function readOwnLane(db: Queryable, lane: string): Promise<unknown> {
  const rows = await db.query<{ state: unknown }>("select state from own_lane where lane = $1", [lane]);
  return rows[0]?.state ?? null;
}

/**
 * An archive in memory behind the hub's port. `Server` is what survives hubs; each hub has a client of its own, whose
 * link decides when a question arrives, and whether its answer does.
 */
import { assert, HansaError } from "@hansa/core";
import type { Head } from "@hansa/events";
import {
  type Archive,
  COMMIT_RECORDS_MAX,
  type CommandTx,
  type CommitInput,
  type Gap,
  type Leadership,
  type Member,
  type Now,
  OUTBOX_EVENTS_MAX,
  OUTBOX_READ_MAX,
  placeName,
  type StoredRecord,
} from "@hansa/store";
import { commit, copyTables, emptyTables, fence, giveUpGaps, lostGaps, type Tables } from "./tables.ts";

interface Session {
  readonly end: () => void;
}

interface Held extends Session {
  readonly epoch: number;
}

export class ArchiveServer {
  readonly nowMs: () => number;
  tables: Tables = emptyTables();
  #leader: Session | undefined;

  constructor(nowMs: () => number) {
    this.nowMs = nowMs;
  }

  /** The session lock: one leader at a time, until its session ends. */
  lead(onEnd: () => void): Held | null {
    if (this.#leader !== undefined) return null;
    this.tables.leaderEpoch += 1;
    const session: Held = {
      epoch: this.tables.leaderEpoch,
      end: () => {
        if (this.#leader === session) this.#leader = undefined;
        onEnd();
      },
    };
    this.#leader = session;
    return session;
  }

  /** The server restarts: it knows no sessions, and each client hears so. */
  endSessions(): void {
    this.#leader?.end();
  }

  /** The lock is free although its holder still believes to have it. */
  forgetLeader(): void {
    this.#leader = undefined;
  }

  backup(): Tables {
    return copyTables(this.tables, "all");
  }

  restore(tables: Tables): void {
    this.tables = copyTables(tables, "all");
  }
}

/** How a client's questions travel. */
export interface ArchiveLink {
  /** `work` runs at the server. */
  read<Result>(work: () => Result): Promise<Result>;
  write<Result>(work: () => Result): Promise<Result>;
  /** Part of a decision: the client's code runs between the server's steps. */
  decide<Result>(work: () => Promise<Result>): Promise<Result>;
  /** News of the server's own. */
  later(run: () => void): void;
}

export const atOnce: ArchiveLink = {
  read: async (work) => work(),
  write: async (work) => work(),
  decide: (work) => work(),
  later: (run) => run(),
};

/** As Postgres gives back what it keeps as jsonb: a copy, keys in an order of its own. */
function jsonb<Value>(value: Value): Value {
  if (Array.isArray(value)) return value.map(jsonb) as Value;
  if (typeof value !== "object" || value === null) return value;
  const keys = Object.keys(value).sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
  const fields = value as Record<string, unknown>;
  return Object.fromEntries(
    keys.flatMap((key) => (fields[key] === undefined ? [] : [[key, jsonb(fields[key])]])),
  ) as Value;
}

export class MemoryArchive implements Archive {
  readonly #server: ArchiveServer;
  readonly #link: ArchiveLink;
  #session: Session | undefined;

  constructor(server: ArchiveServer, link: ArchiveLink = atOnce) {
    this.#server = server;
    this.#link = link;
  }

  get #tables(): Tables {
    return this.#server.tables;
  }

  /** The connection breaks: its session ends with it. */
  disconnect(): void {
    this.#session?.end();
    this.#session = undefined;
  }

  lead(): Promise<Leadership | null> {
    // A session whose client never learned of it would hold the lock for ever: asked as a question, it has no answer to lose.
    return this.#link.read(() => {
      let end = (): void => {};
      const lost = new Promise<void>((resolve) => {
        end = resolve;
      });
      const session = this.#server.lead(() => this.#link.later(end));
      if (session === null) return null;
      this.#session = session;
      return { epoch: session.epoch, lost, resign: async () => session.end() };
    });
  }

  // === reads ===

  now(): Promise<Now> {
    return this.#link.read(() => ({
      position: this.#tables.position,
      committedMs: this.#tables.committedMs,
    }));
  }

  heads(): Promise<Head[]> {
    return this.#link.read(() => [...this.#tables.heads.values()]);
  }

  gaps(): Promise<Gap[]> {
    return this.#link.read(() =>
      [...this.#tables.gaps.values()]
        .filter(({ closed }) => closed !== "filled")
        .map(({ source, lane, after, before, closed }) => ({ source, lane, after, before, closed })),
    );
  }

  checkpoint() {
    return this.#link.read(() => this.#tables.checkpoint);
  }

  isArchived(head: Head): Promise<boolean> {
    return this.#link.read(() => this.#tables.hashes.get(placeName(head)) === head.head);
  }

  contradicted(claims: readonly Head[]): Promise<Head[]> {
    return this.#link.read(() =>
      claims.filter((claim) => {
        const hash = this.#tables.hashes.get(placeName(claim));
        return hash !== undefined && hash !== claim.head;
      }),
    );
  }

  nearestSnapshot(position: number) {
    return this.#link.read(() => {
      const found = this.#tables.snapshots.findLast((snapshot) => snapshot.position <= position);
      return found === undefined
        ? null
        : { position: found.position, dump: JSON.parse(found.dump) as unknown };
    });
  }

  async *records(after: number, through: number): AsyncGenerator<StoredRecord> {
    const rows = await this.#link.read(() => {
      const { records, quarantine } = this.#tables;
      return records
        .filter(({ position }) => position > after && position <= through)
        .map(({ record, hash, lane, streamSeq, position }) => {
          const trusted = !quarantine.has(`${placeName(record.header)} ${hash}`);
          return { record, hash, lane, streamSeq, position, trusted };
        });
    });
    yield* rows;
  }

  lostGaps(after: number, through: number) {
    return this.#link.read(() => lostGaps(this.#tables, after, through));
  }

  // === writes ===

  commit(input: CommitInput) {
    assert(input.records.length <= COMMIT_RECORDS_MAX, "a commit is too large");
    return this.#write(input.leaderEpoch, (tables, nowMs) => commit(tables, input, nowMs));
  }

  giveUpGaps(leaderEpoch: number, heldMs: number) {
    return this.#write(leaderEpoch, (tables, nowMs) => giveUpGaps(tables, heldMs, nowMs));
  }

  saveSnapshot({ position }: Now, dump: unknown): Promise<void> {
    return this.#link.write(() => {
      const { snapshots } = this.#tables;
      if (snapshots.some((snapshot) => snapshot.position === position)) return;
      snapshots.push({ position, dump: JSON.stringify(dump) });
      snapshots.sort((a, b) => a.position - b.position);
    });
  }

  #write<Result>(leaderEpoch: number, work: (tables: Tables, nowMs: number) => Result): Promise<Result> {
    return this.#link.write(() => {
      const nowMs = fence(this.#tables, leaderEpoch, this.#server.nowMs());
      return work(this.#tables, nowMs);
    });
  }

  /** The draft becomes the archive at the end: whatever throws before leaves nothing behind. */
  command<Result>(leaderEpoch: number, decide: (tx: CommandTx) => Promise<Result>): Promise<Result> {
    return this.#link.decide(async () => {
      const server = this.#server;
      const before = server.tables;
      const draft = copyTables(before, "decisions");
      const nowMs = fence(draft, leaderEpoch, server.nowMs());
      const result = await decide(commandTx(draft, nowMs));
      assert(server.tables === before, "no other transaction runs between the steps of a decision");
      server.tables = draft;
      return result;
    });
  }

  // === members, accounts, own lane ===

  members(): Promise<Member[]> {
    return this.#link.read(() =>
      [...this.#tables.members.values()].sort((a, b) => (a.cluster < b.cluster ? -1 : 1)),
    );
  }

  busAccounts(which: "all" | "pending") {
    return this.#link.read(() =>
      [...this.#tables.accounts.values()]
        .filter(({ pushed }) => which === "all" || !pushed)
        .map(({ account, jwt }) => ({ account, jwt }))
        .sort((a, b) => (a.account < b.account ? -1 : 1)),
    );
  }

  markPushed({ account, jwt }: { account: string; jwt: string }): Promise<void> {
    return this.#link.write(() => {
      if (this.#tables.accounts.get(account)?.jwt === jwt)
        this.#tables.accounts.set(account, { account, jwt, pushed: true });
    });
  }

  outbox(afterId: number) {
    return this.#link.read(() =>
      this.#tables.outbox.filter(({ id }) => id > afterId).slice(0, OUTBOX_READ_MAX),
    );
  }

  outboxDepth(): Promise<number> {
    return this.#link.read(() => this.#tables.outbox.length);
  }

  clearOutbox(throughId: number): Promise<void> {
    return this.#link.write(() => {
      this.#tables.outbox = this.#tables.outbox.filter(({ id }) => id > throughId);
    });
  }

  ownLane(lane: string): Promise<unknown> {
    return this.#link.read(() => this.#tables.ownLanes.get(lane) ?? null);
  }

  saveOwnLane(leaderEpoch: number, lane: string, state: unknown): Promise<void> {
    return this.#write(leaderEpoch, (tables) => void tables.ownLanes.set(lane, jsonb(state)));
  }
}

function commandTx(draft: Tables, nowMs: number): CommandTx {
  const saveAccount = async (account: string, jwt: string): Promise<void> => {
    draft.accounts.set(account, { account, jwt, pushed: false });
  };
  return {
    nowMs,
    position: draft.position,
    saveAccount,
    member: async (cluster) => draft.members.get(cluster) ?? null,
    memberOfAccount: async (account) =>
      [...draft.members.values()].find((member) => member.account === account) ?? null,
    async saveMember(member) {
      await saveAccount(member.account, member.accountJwt);
      draft.members.set(member.cluster, { ...member, membership: jsonb(member.membership) });
    },
    async enqueue(event) {
      if (draft.outbox.length >= OUTBOX_EVENTS_MAX)
        throw new HansaError("HSA2009", "sim: the outbox is full");
      draft.outboxId += 1;
      draft.outbox.push({ id: draft.outboxId, event: jsonb(event) });
      return draft.outboxId;
    },
    async audit() {},
    async addJoinToken(token, secret) {
      draft.joinTokens.set(secret, { ...token, usedMs: null, revokedMs: null });
    },
    joinToken: async (secret) => draft.joinTokens.get(secret) ?? null,
    async useJoinToken(id) {
      for (const [secret, token] of draft.joinTokens)
        if (token.id === id) draft.joinTokens.set(secret, { ...token, usedMs: nowMs });
    },
    async useJoinTokens(cluster, createdMs) {
      for (const [secret, token] of draft.joinTokens)
        if (token.cluster === cluster && token.createdMs <= createdMs)
          draft.joinTokens.set(secret, { ...token, usedMs: token.usedMs ?? nowMs });
    },
    async addApiToken(token, secret) {
      draft.apiTokens.set(secret, { ...token, revokedMs: null });
    },
    async revokeToken(id) {
      for (const [kind, tokens] of [
        ["join", draft.joinTokens],
        ["api", draft.apiTokens],
      ] as const)
        for (const [secret, token] of tokens as Map<string, never>)
          if ((token as { id: string }).id === id) {
            tokens.set(secret, { ...(token as object), revokedMs: nowMs } as never);
            return kind;
          }
      return null;
    },
    async revokeTokensOfCluster(cluster) {
      for (const [secret, token] of draft.apiTokens)
        if (token.cluster === cluster && token.role === "agent")
          draft.apiTokens.set(secret, { ...token, revokedMs: token.revokedMs ?? nowMs });
    },
  };
}

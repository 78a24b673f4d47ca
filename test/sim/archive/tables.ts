/**
 * What an archive keeps, in memory, with the meaning that the SQL of @hansa/store gives it. Rows are never changed, only
 * replaced, so that a copy of the maps is a copy of the archive. How heads move along a log is the store's own code.
 */
import { type AccountKey, HansaError } from "@hansa/core";
import type { Head, Lane, WireRecord } from "@hansa/events";
import {
  type ApiToken,
  type BusAccount,
  byLog,
  CHAIN_START,
  type Checkpoint,
  type CommitInput,
  type CommitOutcome,
  type Gap,
  GIVEN_UP_MAX,
  gapsOf,
  isAfter,
  type JoinToken,
  keyColumns,
  type Link,
  type LostGap,
  type Member,
  type OutboxRow,
  PROJECTION_TABLES,
  type ProjectionRow,
  type ProjectionTable,
  place,
  placeName,
  type Quarantined,
  type StoredRecord,
  sortOut,
  type Walk,
  walkChain,
} from "@hansa/store";

export type Archived = Omit<StoredRecord, "trusted"> & Link & { readonly prev: string };

interface GapRow extends Gap {
  readonly notedMs: number;
  readonly closedPosition: number;
}

export interface Tables {
  leaderEpoch: number;
  position: number;
  committedMs: number;
  checkpoint: Checkpoint | null;
  /** In the order of their commit. */
  records: Archived[];
  /** By log, in the order of the log. */
  logs: Map<string, Archived[]>;
  hashes: Map<string, string>;
  quarantine: Map<string, Quarantined>;
  heads: Map<string, Head>;
  gaps: Map<string, GapRow>;
  sources: Map<AccountKey, string>;
  projections: Map<ProjectionTable, Map<string, ProjectionRow>>;
  snapshots: { readonly position: number; readonly dump: string }[];
  members: Map<string, Member>;
  accounts: Map<string, BusAccount & { readonly pushed: boolean }>;
  outbox: OutboxRow[];
  outboxId: number;
  ownLanes: Map<string, unknown>;
  /** By secret. */
  joinTokens: Map<string, JoinToken>;
  apiTokens: Map<string, ApiToken>;
}

export const emptyTables = (): Tables => ({
  leaderEpoch: 0,
  position: 0,
  committedMs: 0,
  checkpoint: null,
  records: [],
  logs: new Map(),
  hashes: new Map(),
  quarantine: new Map(),
  heads: new Map(),
  gaps: new Map(),
  sources: new Map(),
  projections: new Map(),
  snapshots: [],
  members: new Map(),
  accounts: new Map(),
  outbox: [],
  outboxId: 0,
  ownLanes: new Map(),
  joinTokens: new Map(),
  apiTokens: new Map(),
});

/** Of everything, or of what a decision may change. */
export function copyTables(tables: Tables, which: "all" | "decisions"): Tables {
  const { members, accounts, outbox, joinTokens, apiTokens } = tables;
  const decisions: Tables = {
    ...tables,
    members: new Map(members),
    accounts: new Map(accounts),
    outbox: [...outbox],
    joinTokens: new Map(joinTokens),
    apiTokens: new Map(apiTokens),
  };
  if (which === "decisions") return decisions;
  const { records, logs, hashes, quarantine, heads, gaps, sources, projections, snapshots, ownLanes } =
    tables;
  return {
    ...decisions,
    records: [...records],
    logs: new Map([...logs].map(([name, log]) => [name, [...log]])),
    hashes: new Map(hashes),
    quarantine: new Map(quarantine),
    heads: new Map(heads),
    gaps: new Map(gaps),
    sources: new Map(sources),
    projections: new Map([...projections].map(([name, rows]) => [name, new Map(rows)])),
    snapshots: [...snapshots],
    ownLanes: new Map(ownLanes),
  };
}

/** Answers the commit clock. */
export function fence(tables: Tables, leaderEpoch: number, nowMs: number): number {
  if (tables.leaderEpoch !== leaderEpoch)
    throw new HansaError("HSA2003", `leader epoch ${leaderEpoch} was replaced by ${tables.leaderEpoch}`);
  return Math.max(tables.committedMs, nowMs);
}

export function commit(tables: Tables, input: CommitInput, nowMs: number): CommitOutcome {
  tables.committedMs = nowMs;
  const before = tables.position;
  const known = new Map<string, string>();
  for (const { record } of input.records) {
    const name = placeName(record.header);
    const hash = tables.hashes.get(name);
    if (hash !== undefined) known.set(name, hash);
  }
  const { fresh, equivocations } = sortOut(input.records, known);
  for (const { record, hash, streamSeq, events } of fresh) {
    tables.position += events.length;
    archive(tables, { record, hash, streamSeq });
  }
  const moved = advanceHeads(tables, fresh, nowMs);
  for (const item of [...input.quarantine, ...equivocations]) {
    const name = `${placeName(item)} ${item.hash}`;
    if (!tables.quarantine.has(name)) tables.quarantine.set(name, item);
  }
  for (const { account, cluster } of input.sources) tables.sources.set(account, cluster);
  writeProjections(tables, input.projections);
  if (input.checkpoint !== null) saveCheckpoint(tables, input.checkpoint);
  return {
    position: tables.position,
    committedMs: tables.committedMs,
    recordsNew: fresh.length,
    eventsNew: tables.position - before,
    ...moved,
    equivocations,
  };
}

const logName = (source: string, lane: string): string => `${source} ${lane}`;

function archive(
  tables: Tables,
  { record, hash, streamSeq }: { record: WireRecord; hash: string; streamSeq: number | null },
): void {
  const { source, lane, epoch, seq, prev } = record.header;
  const row: Archived = {
    ...{ record, hash, lane, epoch, seq, prev, streamSeq: streamSeq ?? 0, position: tables.position },
  };
  tables.records.push(row);
  tables.hashes.set(placeName(record.header), hash);
  const log = tables.logs.get(logName(source, lane)) ?? [];
  let at = log.length;
  while (at > 0 && isAfter(log[at - 1]!, row)) at -= 1;
  log.splice(at, 0, row);
  tables.logs.set(logName(source, lane), log);
}

// === heads ===

function headOf(tables: Tables, source: string, lane: string): Link {
  const head = tables.heads.get(logName(source, lane));
  return head === undefined ? { epoch: 0, seq: 0, hash: CHAIN_START } : { ...place(head), hash: head.head };
}

function follow(tables: Tables, source: string, lane: string, from: Link): Walk {
  const log = tables.logs.get(logName(source, lane)) ?? [];
  const archived = new Set<string>();
  for (const { epoch, seq, prev } of log)
    if (seq === 1 && prev !== CHAIN_START)
      for (const { hash } of log.filter((row) => row.epoch < epoch).slice(-GIVEN_UP_MAX))
        if (hash === prev) archived.add(prev);
  return walkChain(
    from,
    log.filter((row) => isAfter(row, from)),
    archived,
  );
}

function advanceHeads(
  tables: Tables,
  fresh: readonly { readonly record: WireRecord; readonly hash: string }[],
  nowMs: number,
): { heads: Head[]; gaps: Gap[] } {
  const heads: Head[] = [];
  const gaps: Gap[] = [];
  for (const items of byLog(fresh)) {
    const { source, lane } = items[0]!.record.header;
    const start = headOf(tables, source, lane);
    const links = items.map(({ record: { header }, hash }) => ({
      ...place(header),
      prev: header.prev,
      hash,
    }));
    let walk = walkChain(start, links, new Set());
    const isOpen = [...tables.gaps.values()].some(
      (gap) => gap.source === source && gap.lane === lane && gap.closed === null,
    );
    if (walk.waiting !== null || isOpen) walk = follow(tables, source, lane, start);
    gaps.push(...gapsOf(source, lane, walk));
    if (isAfter(walk.end, start)) heads.push({ source, lane, ...place(walk.end), head: walk.end.hash });
  }
  saveHeads(tables, heads);
  saveGaps(tables, gaps, nowMs);
  return { heads, gaps };
}

function saveHeads(tables: Tables, heads: readonly Head[]): void {
  if (heads.length === 0) return;
  for (const head of heads) tables.heads.set(logName(head.source, head.lane), head);
  for (const [name, gap] of tables.gaps) {
    if (gap.closed === null && !isAfter(gap.before, headOf(tables, gap.source, gap.lane)))
      tables.gaps.set(name, { ...gap, closed: "filled" });
  }
}

function saveGaps(tables: Tables, gaps: readonly Gap[], notedMs: number): void {
  for (const gap of gaps) {
    const name = placeName({ ...gap, ...gap.before });
    if (!tables.gaps.has(name)) tables.gaps.set(name, { ...gap, notedMs, closedPosition: 0 });
  }
}

export function giveUpGaps(tables: Tables, heldMs: number, nowMs: number): LostGap[] {
  const due = [...tables.gaps].filter(
    ([, { closed, notedMs }]) => closed === null && notedMs < nowMs - heldMs,
  );
  for (const [name, gap] of due)
    tables.gaps.set(name, { ...gap, closed: "lost", closedPosition: tables.position });
  for (const [, { source, lane, before }] of due) {
    const hash = tables.hashes.get(placeName({ source, lane, ...before }));
    if (hash === undefined || !isAfter(before, headOf(tables, source, lane))) continue;
    const walk = follow(tables, source, lane, { ...before, hash });
    saveHeads(tables, [{ source, lane, ...place(walk.end), head: walk.end.hash }]);
    saveGaps(tables, gapsOf(source, lane, walk), nowMs);
  }
  return due.map(([, { source, lane, before }]) => ({ source, lane, before, position: tables.position }));
}

export const lostGaps = (tables: Tables, after: number, through: number): LostGap[] =>
  [...tables.gaps.values()]
    .filter(
      ({ closed, closedPosition }) =>
        closed === "lost" && closedPosition > after && closedPosition <= through,
    )
    .map(({ source, lane, before, closedPosition }) => ({ source, lane, before, position: closedPosition }))
    .sort((a, b) => a.position - b.position || (byName(a) < byName(b) ? -1 : 1));

const byName = ({
  source,
  lane,
  before,
}: {
  source: AccountKey;
  lane: Lane;
  before: Link | LostGap["before"];
}) => `${source} ${lane} ${String(before.epoch).padStart(16)} ${String(before.seq).padStart(16)}`;

// === projections and checkpoint ===

function writeProjections(tables: Tables, changes: CommitInput["projections"]): void {
  const purge = new Set<unknown>(changes.purge ?? []);
  for (const table of PROJECTION_TABLES) {
    const rows = tables.projections.get(table) ?? new Map<string, ProjectionRow>();
    tables.projections.set(table, rows);
    if (purge.size > 0 && table !== "cluster")
      for (const [name, row] of rows) if (purge.has(row.cluster)) rows.delete(name);
    const nameOf = (row: ProjectionRow): string => JSON.stringify(keyColumns(table).map((key) => row[key]));
    for (const row of changes[table]?.deletes ?? []) rows.delete(nameOf(row));
    for (const row of changes[table]?.upserts ?? []) rows.set(nameOf(row), row);
  }
}

function saveCheckpoint(tables: Tables, { incarnation, streamSeq }: Omit<Checkpoint, "position">): void {
  const before = tables.checkpoint;
  const from = before?.incarnation === incarnation ? before.streamSeq : 0;
  tables.checkpoint = { incarnation, streamSeq: Math.max(from, streamSeq), position: tables.position };
}

/**
 * What a leading hub asks of its archive: the port between its decisions and a database. Postgres is one (`openStore`),
 * the simulator's memory is another; test/contract/archive.contract.ts holds both to the same.
 *
 * Every write is one transaction and first checks the leader's epoch: HSA2003 where another hub leads by now. An archive
 * that cannot be reached answers HSA2011, and then nobody knows whether the write took place.
 */
import type { Head } from "@hansa/events";
import type { Gap, LostGap } from "./chain.ts";
import type { BusAccount, CommandTx, Member, OutboxRow } from "./commands.ts";
import type { Now } from "./events.ts";
import type { StoredRecord } from "./history.ts";
import type { Leadership } from "./leader.ts";
import type { Checkpoint, CommitInput, CommitOutcome } from "./projector.ts";

/** What a replay reads. Positions: after `after`, up to and including `through`. */
export interface History {
  /** The newest dump of a fold at or before `position`. */
  nearestSnapshot(position: number): Promise<{ readonly position: number; readonly dump: unknown } | null>;
  /** In the order of their commit. */
  records(after: number, through: number): AsyncIterable<StoredRecord>;
  /** In the order in which they were given up. */
  lostGaps(after: number, through: number): Promise<LostGap[]>;
}

export interface Archive extends History {
  /** null where another hub leads. `url`: where the others reach this one, "" for nowhere. */
  lead(url?: string): Promise<Leadership | null>;

  now(): Promise<Now>;
  /** Committed ends of all logs. */
  heads(): Promise<Head[]>;
  /** Holes that are open or were given up. */
  gaps(): Promise<Gap[]>;
  checkpoint(): Promise<Checkpoint | null>;
  /** Whether exactly this record is archived. */
  isArchived(head: Head): Promise<boolean>;
  /** Those claims to which the archive holds another record: somebody was shown a second version. */
  contradicted(claims: readonly Head[]): Promise<Head[]>;

  commit(input: CommitInput): Promise<CommitOutcome>;
  /** Gives up on gaps that were noted at least `heldMs` ago: heads move past them, the hole stays on record. */
  giveUpGaps(leaderEpoch: number, heldMs: number): Promise<LostGap[]>;
  saveSnapshot(at: Now, dump: unknown): Promise<void>;

  /** One decision: what `decide` did holds as a whole, or nothing of it where it throws. */
  command<Result>(leaderEpoch: number, decide: (tx: CommandTx) => Promise<Result>): Promise<Result>;
  members(): Promise<Member[]>;
  busAccounts(which: "all" | "pending"): Promise<BusAccount[]>;
  /** Unless another JWT was decided meanwhile. */
  markPushed(account: BusAccount): Promise<void>;

  /** At most OUTBOX_READ_MAX, in order. */
  outbox(afterId: number): Promise<OutboxRow[]>;
  outboxDepth(): Promise<number>;
  /** Forgets events whose record is archived. */
  clearOutbox(throughId: number): Promise<void>;
  /** Writer state of the hub's own lane; null where nothing was written yet. */
  ownLane(lane: string): Promise<unknown>;
  saveOwnLane(leaderEpoch: number, lane: string, state: unknown): Promise<void>;
}

/**
 * What the last record of the own subject means for the one in flight (design §3 "Epoch and writer"). The bus answers
 * a rival, a wiped stream and an aged-out subject with the same error; here they are told apart.
 */
import type { Position, RecordHeader } from "../event.ts";
import type { BusRecord } from "../log-bus.ts";
import { recordHash, verifyRecord } from "../record.ts";
import type { LaneWriterOptions } from "./types.ts";

export interface LastRecord {
  readonly header: RecordHeader;
  readonly hash: string;
  /** Signed by this writer's key, for this source, lane and federation. */
  readonly own: boolean;
}

type Writer = Pick<LaneWriterOptions, "signer" | "fingerprint" | "crypto" | "source" | "lane">;

export function readLast({ record }: BusRecord, writer: Writer): LastRecord {
  const { signer, fingerprint, crypto, source, lane } = writer;
  const { header } = record;
  const mine = header.source === source && header.lane === lane;
  return {
    header,
    hash: recordHash(record, crypto),
    own: mine && verifyRecord(record, signer.publicKey, fingerprint, crypto),
  };
}

export interface Standing {
  readonly epoch: number;
  readonly keyId: string;
  /** Hash of the record in flight. */
  readonly inFlight: string;
  /** Last record of this epoch that was stored. */
  readonly stored: (Position & { readonly hash: string }) | undefined;
  /** Something was written since the one in flight was formed, or others know of its epoch. */
  readonly overtaken: boolean;
}

export type Verdict =
  /** The record in flight is on the bus. */
  | "stored"
  /** It is not: offer the same bytes again behind what is there. */
  | "again"
  /** The stream lost records of this epoch, or a rival wrote before its first: a new epoch, with a snapshot of now. */
  | "new-epoch"
  /** Another writer has the lane. */
  | "fenced";

export function judge(last: LastRecord | null, standing: Standing): Verdict {
  const lost: Verdict = standing.stored === undefined && !standing.overtaken ? "again" : "new-epoch";
  if (last === null) return lost;
  const { header, hash, own } = last;
  // A key that is not ours may be the one that operators gave in our place; a bad signature under ours is noise.
  if (header.epoch > standing.epoch && (own || header.key !== standing.keyId)) return "fenced";
  if (!own) return "again";
  if (hash === standing.inFlight) return "stored";
  if (hash === standing.stored?.hash) return "again";
  if (header.epoch < standing.epoch) return lost;
  return standing.stored !== undefined && header.seq < standing.stored.seq ? "new-epoch" : "fenced";
}

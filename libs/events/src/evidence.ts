/**
 * Proof that a source tells two histories: the signed part of its records, without their bodies. What a peer says of
 * another's log proves nothing; two signatures of the accused that contradict each other do, whoever carries them.
 */
import { type Crypto, fromBase64 } from "@hansa/core";
import type { RecordEvidence, RecordHeader } from "./event.ts";
import { chainedHash, type RecordHashes, signingBytes } from "./record.ts";

export const evidenceOf = (header: RecordHeader, hashes: RecordHashes): RecordEvidence => {
  const { source, lane, epoch, seq, prev, key, sig } = header;
  return { source, lane, epoch, seq, prev, key, sig, body: hashes.body };
};

/** Hash of the record that it stands for. */
export const evidenceHash = (evidence: RecordEvidence, crypto: Pick<Crypto, "sha256">): string =>
  chainedHash(evidence, evidence.body, crypto);

export function verifyEvidence(
  evidence: RecordEvidence,
  publicKey: Uint8Array,
  fingerprint: string,
  crypto: Crypto,
): boolean {
  const signature = fromBase64(evidence.sig);
  return (
    signature !== undefined &&
    crypto.verify(publicKey, signingBytes(evidence, fingerprint, evidence.body), signature)
  );
}

/** Two records of one key for one place, or a record and a successor that denies it. Signatures are not checked here. */
export function contradict(a: RecordEvidence, b: RecordEvidence, crypto: Pick<Crypto, "sha256">): boolean {
  if (a.source !== b.source || a.lane !== b.lane || a.key !== b.key || a.epoch !== b.epoch) return false;
  if (a.seq === b.seq) return evidenceHash(a, crypto) !== evidenceHash(b, crypto);
  const [first, next] = a.seq < b.seq ? [a, b] : [b, a];
  return next.seq === first.seq + 1 && next.prev !== evidenceHash(first, crypto);
}

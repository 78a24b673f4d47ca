/**
 * Heads in heartbeats against what is held: gaps that no later record shows, wrong copies, and contradictions. A source
 * is frozen by its own signatures alone: its beat against its log, or two signed records that contradict each other. What
 * one peer says of another proves nothing; it makes both show what they hold, so that a second history comes to light.
 */
import type { AccountKey } from "@hansa/core";
import {
  contradict,
  EVIDENCE_PER_BEAT_MAX,
  type Head,
  type Heartbeat,
  type RecordEvidence,
  verifyEvidence,
} from "@hansa/events";
import { standingOf } from "./effective.ts";
import type { Source } from "./source.ts";
import { freeze } from "./trust.ts";
import type { BeatFindings, Finding, LogGap } from "./types.ts";
import type { Dispute, World } from "./world.ts";

export function observeBeat(world: World, beat: Heartbeat): BeatFindings {
  const behind: LogGap[] = [];
  const mismatched: { source: AccountKey; lane: Head["lane"] }[] = [];
  const equivocations: Finding[] = [];
  const disputed: Finding[] = [];
  const speaker = world.sources.get(beat.source);
  if (speaker === undefined || !isHeard(world, speaker))
    return { behind, mismatched, equivocations, disputes: disputed };
  for (const head of [...beat.own, ...beat.known]) {
    const source = world.sources.get(head.source);
    if (source === undefined) continue;
    const held = source.logs[head.lane].chain.head;
    if (isBeyond(head, held)) behind.push({ source: head.source, lane: head.lane, after: positionOf(held) });
    if (source === speaker) equivocations.push(...contradictItself(world, source, head));
    else disputed.push(...compare(world, speaker, source, head));
  }
  for (const head of beat.own)
    if (head.source === beat.source && isOtherCopy(speaker, head))
      mismatched.push({ source: head.source, lane: head.lane });
  equivocations.push(...prove(world, beat.evidence ?? []));
  return { behind, mismatched, equivocations, disputes: disputed };
}

/** Who has left or was evicted has no say about others. */
const isHeard = (world: World, speaker: Source): boolean =>
  speaker === world.hub ||
  (world.sourceOf(speaker.cluster) === speaker && standingOf(world, speaker.cluster) !== null);

const positionOf = (held: { epoch: number; seq: number } | undefined) => ({
  epoch: held?.epoch ?? 0,
  seq: held?.seq ?? 0,
});

const isBeyond = (head: Head, held: { epoch: number; seq: number } | undefined): boolean =>
  held === undefined
    ? head.epoch > 0
    : head.epoch > held.epoch || (head.epoch === held.epoch && head.seq > held.seq);

/** Only comparable at the very same head, where nothing is missing and no snapshot is half-way. */
function isOtherCopy(source: Source, head: Heartbeat["own"][number]): boolean {
  const { chain, registers, degraded } = source.logs[head.lane];
  const whole = degraded === "" && !registers.snapshotOpen;
  return whole && chain.head?.hash === head.head && registers.digest() !== head.digest;
}

/** Under the key that is in force: what an older one has signed, operators have dealt with. */
export const heldAt = (source: Source, head: Omit<Head, "head">) =>
  source.logs[head.lane].chain.heldAt({ ...head, key: source.keys.latest?.id ?? "" });

const finding = (
  code: Finding["code"],
  source: Source,
  at: Omit<Head, "head">,
  message: string,
): Finding => ({
  code,
  cluster: source.cluster,
  key: `${at.lane}@${at.epoch}.${at.seq}`,
  message,
});

// === claims ===

/** A beat is signed: a source that names another record for its own position has signed two histories. */
function contradictItself(world: World, source: Source, head: Head): Finding[] {
  const held = heldAt(source, head);
  if (held === undefined || held.hash === head.head || source.frozen !== undefined) return [];
  const message = "its own heartbeat names another record for this position";
  freeze(world, source, `${head.lane}@${head.epoch}.${head.seq}: ${message}`, []);
  return [finding("HSA2008", source, head, message)];
}

/** A speaker's dispute stands until it names a record that is held here. */
function compare(world: World, speaker: Source, source: Source, head: Head): Finding[] {
  const held = heldAt(source, head);
  if (held === undefined) return [];
  const bySpeaker = world.disputes.get(source.account) ?? new Map<AccountKey, Dispute>();
  const before = bySpeaker.get(speaker.account);
  if (held.hash === head.head) {
    if (before?.held.lane === head.lane) bySpeaker.delete(speaker.account);
    return [];
  }
  const found = finding("HSA2014", source, head, `${speaker.cluster} claims another record at this position`);
  bySpeaker.set(speaker.account, { finding: found, held: held.evidence });
  world.disputes.set(source.account, bySpeaker);
  return before?.finding.key === found.key ? [] : [found];
}

// === proofs ===

/** A beat that shows much that is not signed costs one check for each: 8 in all. */
function prove(world: World, shown: readonly RecordEvidence[]): Finding[] {
  const checked = new Map<RecordEvidence, boolean>();
  const isSigned = (each: RecordEvidence, key: Uint8Array): boolean => {
    const verdict = checked.get(each) ?? verifyEvidence(each, key, world.fingerprint, world.crypto);
    checked.set(each, verdict);
    return verdict;
  };
  return shown.flatMap((evidence, index) => {
    const source = world.sources.get(evidence.source);
    const key = source?.keys.latest;
    if (source === undefined || source.frozen !== undefined || key?.id !== evidence.key) return [];
    const rival =
      beside(source, evidence).find((held) => contradict(held, evidence, world.crypto)) ??
      shown
        .slice(0, index)
        .find((other) => contradict(other, evidence, world.crypto) && isSigned(other, key.raw));
    if (rival === undefined || !isSigned(evidence, key.raw)) return [];
    const message = "two records for this position or its neighbour, both signed by the source";
    freeze(world, source, `${evidence.lane}@${evidence.epoch}.${evidence.seq}: ${message}`, [
      rival,
      evidence,
    ]);
    return [finding("HSA2008", source, evidence, message)];
  });
}

/** Held records that a second history can contradict: at the same place, right before it and right after it. */
const beside = (source: Source, evidence: RecordEvidence): RecordEvidence[] =>
  [0, -1, 1].flatMap(
    (step) =>
      source.logs[evidence.lane].chain.heldAt({ ...evidence, seq: evidence.seq + step })?.evidence ?? [],
  );

/**
 * The end of the hub's log first: a hub whose archive was restored from a backup believes that alone. Then proofs, and
 * what is held where somebody claims another record.
 */
export function evidenceFor(world: World, turn: number): readonly RecordEvidence[] {
  const { chain } = world.hub.logs.sum;
  const end = chain.head === undefined ? undefined : chain.heldAt(chain.head);
  const proofs = [...world.sources.values()].flatMap(({ frozen }) => frozen?.proof ?? []);
  const held = new Set([...disputes(world)].map((dispute) => dispute.held));
  const half = Math.floor((EVIDENCE_PER_BEAT_MAX - 1) / 2);
  const shown = [...inTurn(proofs, turn, half), ...inTurn([...held], turn, half)];
  return end === undefined ? shown : [end.evidence, ...shown.filter((each) => each !== end.evidence)];
}

/** What members claim now; who is gone claims nothing. */
export function* disputes(world: World): Iterable<Dispute> {
  for (const bySpeaker of world.disputes.values())
    for (const [account, dispute] of bySpeaker) {
      const speaker = world.sources.get(account);
      if (speaker !== undefined && isHeard(world, speaker)) yield dispute;
    }
}

function inTurn<T>(all: readonly T[], turn: number, countMax: number): readonly T[] {
  if (all.length <= countMax) return all;
  const start = (turn * countMax) % all.length;
  return [...all, ...all].slice(start, start + countMax);
}

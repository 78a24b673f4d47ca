/**
 * Heads in heartbeats against what is held: gaps that no later record shows, wrong copies, and contradictions. A source
 * that contradicts itself under its own signature freezes at once. What one peer says of another proves nothing by
 * itself: two accusers freeze a member; one is enough for the hub, whose trust changes can wait.
 */
import type { AccountKey } from "@hansa/core";
import type { Head, Heartbeat } from "@hansa/events";
import { standingOf } from "./effective.ts";
import type { Source } from "./source.ts";
import { freeze } from "./trust.ts";
import type { BeatFindings, Finding, LogGap } from "./types.ts";
import type { World } from "./world.ts";

const ACCUSERS_FOR_FREEZE = 2;

export function observeBeat(world: World, beat: Heartbeat): BeatFindings {
  const behind: LogGap[] = [];
  const mismatched: { source: AccountKey; lane: Head["lane"] }[] = [];
  const equivocations: Finding[] = [];
  const speaker = world.sources.get(beat.source);
  if (speaker === undefined || !mayAccuse(world, speaker)) return { behind, mismatched, equivocations };
  for (const head of [...beat.own, ...beat.known]) {
    const source = world.sources.get(head.source);
    if (source === undefined) continue;
    const { chain } = source.logs[head.lane];
    const held = chain.head;
    if (isBeyond(head, held)) behind.push({ source: head.source, lane: head.lane, after: positionOf(held) });
    const known = chain.hashAt(head);
    if (known !== undefined && known !== head.head) equivocations.push(accuse(world, speaker, source, head));
  }
  for (const head of beat.own)
    if (head.source === beat.source && isOtherCopy(speaker, head))
      mismatched.push({ source: head.source, lane: head.lane });
  return { behind, mismatched, equivocations };
}

/** Who has left or was evicted has no say about others. */
const mayAccuse = (world: World, speaker: Source): boolean =>
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

function accuse(world: World, speaker: Source, accused: Source, head: Head): Finding {
  const finding: Finding = {
    code: "HSA2008",
    cluster: accused.cluster,
    key: `${head.lane}@${head.epoch}.${head.seq}`,
    message: `${speaker.cluster} holds another record at this position`,
  };
  const accusers = world.accusations.get(accused.account) ?? new Map<AccountKey, Finding>();
  world.accusations.set(accused.account, accusers);
  accusers.set(speaker.account, finding);
  const proven = speaker === accused || accused === world.hub || accusers.size >= ACCUSERS_FOR_FREEZE;
  if (proven) freeze(world, accused, finding.message);
  return finding;
}

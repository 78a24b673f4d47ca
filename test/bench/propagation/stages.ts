/** From what two agents noted to how long each change spent where. Pure. */
import type { Lane } from "@hansa/events";
import { ms, quantile } from "../support/numbers.ts";
import type { Note, Stage } from "./probe.ts";

/** The source file is being replaced, or the API server is being asked. */
export interface Change {
  readonly startMs: number;
  /** Register that the change sets. Without it the next record has to be that of the change. */
  readonly key?: string;
}

export interface StageTimes {
  /** Until the last Envoy's ACK. */
  readonly totalMs: number;
  /** Until each Envoy's ACK. */
  readonly acksMs: readonly number[];
  /** In order, each from the end of the one before. */
  readonly stagesMs: Readonly<Record<string, number>>;
}

/**
 * Changes whose record cannot be told, or which were never acknowledged, are left out. `lane`: of the record that
 * an Envoy is told of: sums of another network's service, endpoints of one's own.
 */
export function stagesOf(
  changes: readonly Change[],
  writer: readonly Note[],
  reader: readonly Note[],
  lane: Lane = "sum",
): StageTimes[] {
  return changes.flatMap((change, index) => {
    const nextMs = changes[index + 1]?.startMs ?? Number.POSITIVE_INFINITY;
    return stagesOfOne(change, nextMs, writer, reader, lane) ?? [];
  });
}

function stagesOfOne(
  { startMs, key }: Change,
  nextMs: number,
  writer: readonly Note[],
  reader: readonly Note[],
  lane: Lane,
): StageTimes | undefined {
  const first = (notes: readonly Note[], fromMs: number, fits: (note: Note) => boolean): Note | undefined =>
    notes.find((note) => note.atMs >= fromMs && fits(note));
  const is = (stage: Stage, of?: Note) => (note: Note) =>
    note.stage === stage && (of === undefined || (note.log === of.log && note.seq === of.seq));
  const facts = first(writer, startMs, is("facts"));
  const signed = first(
    writer,
    startMs,
    (note) =>
      note.stage === "signed" &&
      note.log?.endsWith(` ${lane}`) === true &&
      (key === undefined || note.keys?.includes(key) === true),
  );
  if (facts === undefined || signed === undefined) return undefined;
  if (key === undefined && signed.atMs >= nextMs) return undefined;
  const { log = "", seq = 0 } = signed;
  const covers = (note: Note): boolean => (note.heads?.[log] ?? 0) >= seq;
  const stored = first(writer, signed.atMs, is("stored", signed));
  const heard = first(reader, signed.atMs, is("heard", signed));
  const folded = heard && first(reader, heard.atMs, is("folded", signed));
  const built = folded && first(reader, folded.atMs, (note) => note.stage === "built" && covers(note));
  const reached = built && first(reader, built.atMs, (note) => note.stage === "reached" && covers(note));
  if (stored === undefined || !heard || !folded || !built || !reached) return undefined;
  const within = reader.filter(({ atMs }) => atMs >= folded.atMs && atMs <= reached.atMs);
  const pushed = within.filter(({ stage }) => stage === "pushed");
  const acks = within.filter(({ stage }) => stage === "ack");
  // Nothing was pushed: the change concerned nobody, and the sample says nothing.
  if (pushed.length === 0 || acks.length === 0) return undefined;
  return {
    totalMs: reached.atMs - startMs,
    acksMs: acks.map(({ atMs }) => atMs - startMs),
    stagesMs: {
      "source → facts read": facts.atMs - startMs,
      "facts → record signed": signed.atMs - facts.atMs,
      "signed → heard by eu": heard.atMs - signed.atMs,
      "(signed → NATS's answer)": stored.atMs - signed.atMs,
      "heard → folded": folded.atMs - heard.atMs,
      "folded → first push": Math.min(...pushed.map(({ atMs }) => atMs)) - folded.atMs,
      "first push → all built": built.atMs - Math.min(...pushed.map(({ atMs }) => atMs)),
      "all built → last ACK": reached.atMs - built.atMs,
    },
  };
}

/** One line for each stage. */
export function breakdown(times: readonly StageTimes[]): string[] {
  return Object.keys(times[0]?.stagesMs ?? {}).map((stage) => {
    const samples = times.map(({ stagesMs }) => stagesMs[stage] ?? Number.NaN);
    const [p10, p50, p99] = [0.1, 0.5, 0.99].map((share) => ms(quantile(samples, share)));
    return `${stage.padEnd(28)} p10 ${p10}, p50 ${p50}, p99 ${p99}`;
  });
}

/** One record into the fold: place, signature, decoding, effect. Total: whatever comes in, an outcome comes out. */
import type { Code } from "@hansa/core";
import {
  type DecodedBody,
  decodeBody,
  type Event,
  evidenceOf,
  isLane,
  isRecordHeader,
  type Lane,
  laneOf,
  RECORD_BYTES_MAX,
  type RecordEvidence,
  type RecordHashes,
  recordHashes,
  type UnknownEvent,
  verifyRecord,
} from "@hansa/events";
import { placeOf, type Step } from "./chain.ts";
import type { RingKey } from "./key-ring.ts";
import type { LogState, Source } from "./source.ts";
import { freeze } from "./trust.ts";
import type { ApplyOptions, FoldInput, LogGap } from "./types.ts";
import type { World } from "./world.ts";

/** Outcome of one record by itself; what changed is in the world. */
export type Applied =
  | { readonly kind: "applied"; readonly events: readonly Event[] }
  | { readonly kind: "duplicate" | "stale" }
  | ({ readonly kind: "gap" } & LogGap)
  | { readonly kind: "parked"; readonly held: boolean }
  | { readonly kind: "quarantined"; readonly code: Code; readonly message: string };

/** A record on its way, with everything known of it. */
interface Candidate {
  readonly world: World;
  readonly source: Source;
  readonly log: LogState;
  readonly key: RingKey;
  readonly input: FoldInput;
  readonly hashes: RecordHashes;
  readonly trusted: boolean;
}

export function applyRecord(world: World, input: FoldInput, options: ApplyOptions): Applied {
  const malformed = malformation(input);
  if (malformed !== undefined) return refuse(world, input, "HSA2001", malformed);
  const { record, account } = input;
  const source = world.sources.get(account);
  const key = source?.keys.get(record.header.key);
  if (source === undefined || key === undefined)
    return { kind: "parked", held: world.parking.add({ input, options }) };
  const hashes = recordHashes(record, world.crypto);
  const log = source.logs[input.lane];
  const candidate = { world, source, log, key, input, hashes, trusted: options.trusted === true };
  if (key !== source.keys.latest) return takeStale(candidate);
  return follow(candidate, log.chain.step(record.header, hashes.record, options.acceptGap === true));
}

/** A header that names another source or lane than the bus authenticated is poison for everyone. */
function malformation(input: FoldInput): string | undefined {
  const { record, account, lane } = (input ?? {}) as Partial<FoldInput>;
  if (typeof record !== "object" || record === null || !isRecordHeader(record.header))
    return "the header is malformed";
  if (!(record.body instanceof Uint8Array) || record.body.length > RECORD_BYTES_MAX)
    return "the body is too large";
  if (!isLane(lane) || record.header.lane !== lane || record.header.source !== account)
    return "the header names another log than the bus authenticated";
  return undefined;
}

function follow(candidate: Candidate, step: Step): Applied {
  const { world, source, log, input } = candidate;
  const { header } = input.record;
  switch (step.kind) {
    case "duplicate":
      return { kind: "duplicate" };
    case "stale":
      return takeStale(candidate);
    case "gap":
      return { kind: "gap", source: source.account, lane: input.lane, after: step.after };
    case "fork": {
      if (!isSigned(candidate)) return refuse(world, input, "HSA2004", "its signature does not verify");
      const reason = `two records for ${header.lane}@${header.epoch}.${header.seq} or its predecessor`;
      freeze(world, source, reason, [...heldBeside(candidate), evidenceOf(header, candidate.hashes)]);
      return refuse(world, input, "HSA2008", reason);
    }
    case "next":
      return isSigned(candidate) ? takeNext(candidate, step.hole) : takeUnsigned(candidate);
    case "late": {
      if (!isSigned(candidate)) return refuse(world, input, "HSA2004", "its signature does not verify");
      log.chain.hold(header, candidate.hashes);
      return takeEvents(candidate, false);
    }
  }
}

/** What is held at the place of a fork, or right before it. */
function heldBeside({ log, input }: Candidate): RecordEvidence[] {
  const { header } = input.record;
  const held = log.chain.heldAt(header) ?? log.chain.heldAt({ ...header, seq: header.seq - 1 });
  return held === undefined ? [] : [held.evidence];
}

const isSigned = ({ world, input, key, hashes, trusted }: Candidate): boolean =>
  trusted || verifyRecord(input.record, key.raw, world.fingerprint, world.crypto, hashes);

/**
 * Nothing of it counts any more but operator commands: those hold whoever carries them, so also in a log that went on
 * without them before this fold heard it.
 */
function takeStale(candidate: Candidate): Applied {
  const { world, source, input } = candidate;
  if (input.lane !== "sum" || !isSigned(candidate)) return { kind: "stale" };
  const decoded = decodeBody(input.record.body);
  if (decoded.kind === "poison") return { kind: "stale" };
  for (const event of decoded.events)
    if (!isUnknown(event) && event.type === "CommandSet" && event.data !== null)
      world.dirtyCommands.set(`${source.account} ${event.key} late`, {
        source,
        key: event.key,
        value: event.data,
      });
  return { kind: "stale" };
}

/** Only bytes that continue the chain may carry it; what merely claims a position must not move the head. */
function takeUnsigned({ world, log, input, hashes }: Candidate): Applied {
  const { header } = input.record;
  if (header.prev === log.chain.head?.hash) {
    log.chain.advanceOverPoison(header, hashes.record);
    degrade(log, `a record that does not verify at ${header.epoch}.${header.seq}`);
  }
  return refuse(world, input, "HSA2004", "its signature does not verify");
}

function takeNext(candidate: Candidate, hole: boolean): Applied {
  const { log, input, hashes } = candidate;
  const { header } = input.record;
  if (hole) degrade(log, `records are missing before ${header.epoch}.${header.seq}`);
  log.chain.advance(header, hashes, hole);
  return takeEvents(candidate, true);
}

/** `inChain`: markers count only in a record that follows the head. */
function takeEvents(candidate: Candidate, inChain: boolean): Applied {
  const { world, log, input } = candidate;
  const { header, body } = input.record;
  const decoded = decodeBody(body);
  const problem = decoded.kind === "poison" ? decoded : misfit(decoded, input.lane, log, world);
  if (decoded.kind === "poison" || problem !== undefined) {
    const { code, message } = problem ?? { code: "HSA2001" as const, message: "undecodable" };
    degrade(log, `poison at ${header.epoch}.${header.seq}`);
    return refuse(world, input, code, message);
  }
  for (const [index, event] of decoded.events.entries()) {
    const place = placeOf(header, index);
    if ("unknown" in event || event.key !== "")
      log.registers.set(event, decoded.canonical[index] ?? "null", place);
    else if (inChain && event.type === "SnapshotBegin") log.registers.begin(event.data.id, place);
    else if (inChain && event.type === "SnapshotComplete") complete(log, event.data);
  }
  return { kind: "applied", events: decoded.events };
}

function complete(log: LogState, data: Parameters<LogState["registers"]["complete"]>[0]): void {
  const end = log.registers.complete(data);
  if (end === "complete") {
    log.chain.settle();
    log.degraded = "";
  } else if (end === "mismatch") {
    degrade(log, `snapshot ${data.id} has another digest (HSA2007)`);
  }
}

function misfit(
  decoded: DecodedBody,
  lane: Lane,
  log: LogState,
  world: World,
): { code: Code; message: string } | undefined {
  for (const event of decoded.events) {
    if (isUnknown(event) || event.type === "SnapshotBegin" || event.type === "SnapshotComplete") continue;
    if (laneOf(event.type) !== lane)
      return { code: "HSA2001", message: `${event.key}: ${event.type} does not travel on lane ${lane}` };
  }
  const size = log.registers.size + log.registers.countNew(decoded.events);
  return size > world.limits.registersPerLaneMax
    ? { code: "HSA2002", message: `more than ${world.limits.registersPerLaneMax} registers` }
    : undefined;
}

const isUnknown = (event: DecodedBody["events"][number]): event is UnknownEvent => "unknown" in event;

function degrade(log: LogState, reason: string): void {
  log.degraded = reason;
  log.registers.breakSnapshot();
}

function refuse(world: World, input: FoldInput, code: Code, message: string): Applied {
  const header = (input as Partial<FoldInput> | null | undefined)?.record?.header;
  const named = isRecordHeader(header);
  const cluster = named ? (world.sources.get(input.account)?.cluster ?? header.source) : "";
  const key = named ? `${header.lane}@${header.epoch}.${header.seq}` : "";
  world.note({ code, cluster, key, message });
  return { kind: "quarantined", code, message };
}

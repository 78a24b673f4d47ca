/**
 * Records and beats as NATS messages. The server appends its own headers after the publisher's, so a hostile
 * publisher can put a `Nats-Subject`, `Nats-Sequence` or a status line of its own in front: only the last value of a
 * server header counts, and only a message without `Nats-Sequence` is a status (seen on nats-server 2.15.1).
 */
import type { AccountKey } from "@hansa/core";
import {
  type BusRecord,
  fromHeaders,
  type Lane,
  type RecordHeader,
  toHeaders,
  type WireRecord,
} from "@hansa/events";
import { headers, type Msg, type MsgHdrs } from "nats";
import { type ParsedSubject, parseSubject } from "./subjects.ts";

export const EXPECTED_SEQUENCE = "Nats-Expected-Last-Subject-Sequence";

export function recordHeaders(record: WireRecord, expectedStreamSeq: number): MsgHdrs {
  const result = headers();
  for (const [name, value] of Object.entries(toHeaders(record.header))) result.set(name, value);
  result.set(EXPECTED_SEQUENCE, String(expectedStreamSeq));
  return result;
}

/** The value that the server wrote. */
function serverHeader(message: Pick<Msg, "headers">, name: string): string | undefined {
  return message.headers?.values(name).at(-1);
}

function serverNumber(message: Pick<Msg, "headers">, name: string): number {
  const value = Number(serverHeader(message, name) ?? "");
  return Number.isSafeInteger(value) && value >= 0 ? value : 0;
}

/** Stream sequence of a stored message; 0 marks a status message. */
export const storedSequence = (message: Pick<Msg, "headers">): number =>
  serverNumber(message, "Nats-Sequence");

/** Messages that a Direct Get batch has left behind this one. */
export const pendingAfter = (message: Pick<Msg, "headers">): number =>
  serverNumber(message, "Nats-Num-Pending");

/** The subject under which a Direct Get answer is stored. */
export const storedSubject = (message: Pick<Msg, "headers">): ParsedSubject | undefined =>
  parseSubject(serverHeader(message, "Nats-Subject") ?? "");

/**
 * A message whose headers do not decode is handed on at epoch 0, seq 0, which no writer uses: the fold quarantines it,
 * and a writer that finds it as its last record begins a new epoch after it.
 */
function undecodable(account: AccountKey, lane: Lane): RecordHeader {
  return { source: account, lane, epoch: 0, seq: 0, prev: "", key: "", sig: "", traceparent: "" };
}

export interface StoredAt {
  readonly account: AccountKey;
  readonly lane: Lane;
  readonly streamSeq: number;
  readonly previousStreamSeq: number;
}

/** The client hands out windows on its receive buffer; what lives longer gets bytes of its own. */
export const ownBytes = (message: Pick<Msg, "data">): Uint8Array => new Uint8Array(message.data);

export function toBusRecord(message: Pick<Msg, "headers" | "data">, at: StoredAt): BusRecord {
  const header = fromHeaders((name) => message.headers?.get(name) || undefined);
  return {
    record: { header: header ?? undecodable(at.account, at.lane), body: ownBytes(message) },
    ...at,
  };
}

/**
 * Position of the log's previous message as the fence proved it when this one was stored. A writer that went without
 * the fence gets 0 and harms only how its own log reads.
 */
export function fencedPrevious(message: Pick<Msg, "headers">): number {
  const value = Number(message.headers?.get(EXPECTED_SEQUENCE) || "0");
  return Number.isSafeInteger(value) && value >= 0 ? value : 0;
}

/** In a republished message `Nats-Last-Sequence` is the subject's last before it; in a Direct Get batch it is not. */
export const republishedPrevious = (message: Pick<Msg, "headers">): number =>
  serverNumber(message, "Nats-Last-Sequence");

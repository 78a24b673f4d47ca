/** Puts an answer into bytes, within what its way and its asker can take. */
import type { Answer } from "./answer.ts";
import { FLAG, type Rcode, TYPE } from "./codes.ts";
import { type Echo, HEADER_BYTES, PLAIN_BYTES_MAX } from "./query.ts";
import { pointer, type RecordSet } from "./records.ts";

/** Passes every path without fragments (DNS flag day 2020). */
export const UDP_BYTES_MAX = 1232;
export const TCP_BYTES_MAX = 65_535;

const OPCODE_BITS = 0x7800;
const OPT_BYTES = 11;
const EXTENDED_BYTES = 6;

/** What fits over UDP: the asker's own bound, and ours. */
export const udpBytesMax = ({ edns }: Echo): number =>
  edns === undefined ? PLAIN_BYTES_MAX : Math.min(edns.payloadBytes, UDP_BYTES_MAX);

/**
 * `asked` is the query's message: its question goes back as it came. `first`: which record comes first, so that those who
 * take the first one spread. Additional records that do not fit are left out; answers that do not fit set TC.
 */
export function encodeAnswer(asked: Buffer, echo: Echo, answer: Answer, bytesMax: number, first = 0): Buffer {
  const { questionEnd, edns } = echo;
  const optBytes = edns === undefined ? 0 : OPT_BYTES + (answer.extended === undefined ? 0 : EXTENDED_BYTES);
  const authorityBytes = answer.authority === undefined ? 0 : 2 + answer.authority.record.length;
  const room = bytesMax - questionEnd - optBytes - authorityBytes;
  const records = fitting(answer.records, first, room);
  const extra = fitting(answer.records?.additional, first, records.isWhole ? room - records.bytes : 0);
  const message = Buffer.allocUnsafe(questionEnd + records.bytes + authorityBytes + extra.bytes + optBytes);
  asked.copy(message, HEADER_BYTES, HEADER_BYTES, questionEnd);
  let at = copy(message, questionEnd, records);
  if (answer.authority !== undefined) {
    at += pointer(answer.authority.skipped).copy(message, at);
    at += answer.authority.record.copy(message, at);
  }
  at = copy(message, at, extra);
  if (edns !== undefined) writeOpt(message, at, answer, edns.dnssecOk);
  const { id, flags } = echo;
  message.writeUInt16BE(id, 0);
  message.writeUInt16BE(
    FLAG.qr |
      (flags & (OPCODE_BITS | FLAG.rd)) |
      (answer.authoritative ? FLAG.aa : 0) |
      (records.isWhole ? 0 : FLAG.tc) |
      (answer.rcode & 0xf),
    2,
  );
  message.writeUInt16BE(questionEnd > HEADER_BYTES ? 1 : 0, 4);
  message.writeUInt16BE(records.count, 6);
  message.writeUInt16BE(answer.authority === undefined ? 0 : 1, 8);
  message.writeUInt16BE(extra.count + (edns === undefined ? 0 : 1), 10);
  return message;
}

/** An answer of a code alone: what could not be read, and what nobody asks of a zone. */
export const refusal = (rcode: Rcode): Answer => ({ rcode, authoritative: false });

interface Part {
  readonly set: RecordSet | undefined;
  readonly first: number;
  readonly count: number;
  readonly bytes: number;
  readonly isWhole: boolean;
}

/** As many records as there is room for, from `first` on and around. */
function fitting(set: RecordSet | undefined, first: number, room: number): Part {
  if (set === undefined) return { set, first: 0, count: 0, bytes: 0, isWhole: true };
  const { ends } = set;
  const whole = ends[ends.length - 1] as number;
  const start = first % ends.length;
  if (whole <= room) return { set, first: start, count: ends.length, bytes: whole, isWhole: true };
  let bytes = 0;
  let count = 0;
  for (; count < ends.length; count += 1) {
    const size = sizeOf(ends, (start + count) % ends.length);
    if (bytes + size > room) break;
    bytes += size;
  }
  return { set, first: start, count, bytes, isWhole: false };
}

const startOf = (ends: readonly number[], index: number): number =>
  index === 0 ? 0 : (ends[index - 1] as number);
const sizeOf = (ends: readonly number[], index: number): number =>
  (ends[index] as number) - startOf(ends, index);

function copy(message: Buffer, at: number, { set, first, count }: Part): number {
  if (set === undefined || count === 0) return at;
  const { bytes, ends } = set;
  const upTo = Math.min(first + count, ends.length);
  const begin = startOf(ends, first);
  const tail = ends[upTo - 1] as number;
  const next = at + bytes.copy(message, at, begin, tail);
  const around = first + count - upTo;
  return around === 0 ? next : next + bytes.copy(message, next, 0, ends[around - 1] as number);
}

function writeOpt(message: Buffer, at: number, { rcode, extended }: Answer, dnssecOk: boolean): void {
  message[at] = 0;
  message.writeUInt16BE(TYPE.OPT, at + 1);
  message.writeUInt16BE(UDP_BYTES_MAX, at + 3);
  message[at + 5] = rcode >> 4;
  // Version 0.
  message[at + 6] = 0;
  message.writeUInt16BE(dnssecOk ? 0x8000 : 0, at + 7);
  message.writeUInt16BE(extended === undefined ? 0 : EXTENDED_BYTES, at + 9);
  if (extended === undefined) return;
  message.writeUInt16BE(15, at + 11);
  message.writeUInt16BE(2, at + 13);
  message.writeUInt16BE(extended, at + 15);
}

/**
 * Reads a query. Own and not dns-packet's, because the question goes back byte for byte (0x20 case, any byte in a label)
 * and every sender on the network reaches this code: it is total, allocates two small objects, and follows no pointer.
 */
import { CLASS_IN, RCODE, type Rcode, TYPE } from "./codes.ts";
import { NAME_BYTES_MAX, type WireName } from "./wire-name.ts";

export const HEADER_BYTES = 12;
/** What an answer to a sender without EDNS may measure over UDP (RFC 1035 §4.2.1). */
export const PLAIN_BYTES_MAX = 512;
const OPCODE_BITS = 0x7800;

export interface Edns {
  /** What the sender takes over UDP; never below 512. */
  readonly payloadBytes: number;
  readonly version: number;
  /** DNSSEC OK: echoed (RFC 3225 §3), nothing is signed here. */
  readonly dnssecOk: boolean;
}

/** What every answer repeats. */
export interface Echo {
  readonly id: number;
  /** The second word of the header as it came. */
  readonly flags: number;
  /** Bytes [12, questionEnd) of the message are the question; 12 where there is none to repeat. */
  readonly questionEnd: number;
  readonly edns: Edns | undefined;
}

export interface Query extends Echo {
  readonly kind: "query";
  /** Lower case. */
  readonly name: WireName;
  readonly type: number;
  readonly inClass: boolean;
}

export type Reading =
  | Query
  /** Answered with the code alone. */
  | ({ readonly kind: "refused"; readonly rcode: Rcode } & Echo)
  /** No answer: it is one itself, or no message at all. Answering would let two servers talk for ever. */
  | { readonly kind: "silence" };

export function readQuery(message: Buffer): Reading {
  if (message.length < HEADER_BYTES) return { kind: "silence" };
  const flags = message.readUInt16BE(2);
  if ((flags & 0x8000) !== 0) return { kind: "silence" };
  const id = message.readUInt16BE(0);
  const bad = (rcode: Rcode, questionEnd = HEADER_BYTES, edns?: Edns): Reading => ({
    kind: "refused",
    rcode,
    id,
    flags,
    questionEnd,
    edns,
  });
  if ((flags & OPCODE_BITS) !== 0) return bad(RCODE.notImp);
  // More than one question has no meaning (RFC 9619).
  if (message.readUInt16BE(4) !== 1) return bad(RCODE.formErr);
  const nameEnd = endOfName(message, HEADER_BYTES, false);
  if (nameEnd === undefined || nameEnd + 4 > message.length) return bad(RCODE.formErr);
  const questionEnd = nameEnd + 4;
  const rest = readRest(message, questionEnd);
  if (rest === undefined) return bad(RCODE.formErr, questionEnd);
  const { edns } = rest;
  if (edns !== undefined && edns.version > 0) return bad(RCODE.badVers, questionEnd, edns);
  return {
    kind: "query",
    id,
    flags,
    questionEnd,
    edns,
    // Other letters than ASCII's are lowered too: no name here has one, so nothing is found that should not be.
    name: message.toString("latin1", HEADER_BYTES, nameEnd).toLowerCase(),
    type: message.readUInt16BE(nameEnd),
    inClass: message.readUInt16BE(nameEnd + 2) === CLASS_IN,
  };
}

/** The offset behind a name, undefined where there is none within the message. */
function endOfName(message: Buffer, start: number, pointers: boolean): number | undefined {
  for (let at = start; at < message.length && at - start < NAME_BYTES_MAX; ) {
    const length = message[at] as number;
    if (length === 0) return at + 1;
    if (length >= 0xc0) return pointers && at + 2 <= message.length ? at + 2 : undefined;
    if (length > 63) return undefined;
    at += 1 + length;
  }
  return undefined;
}

/** Walks over what follows the question, for its one OPT. Undefined: malformed, or bytes are left over. */
function readRest(message: Buffer, start: number): { readonly edns: Edns | undefined } | undefined {
  const before = message.readUInt16BE(6) + message.readUInt16BE(8);
  const records = before + message.readUInt16BE(10);
  let at = start;
  let edns: Edns | undefined;
  for (let index = 0; index < records; index += 1) {
    const fixed = endOfName(message, at, true);
    if (fixed === undefined || fixed + 10 > message.length) return undefined;
    const end = fixed + 10 + message.readUInt16BE(fixed + 8);
    if (end > message.length) return undefined;
    if (message.readUInt16BE(fixed) === TYPE.OPT) {
      // One, of the root, among the additional ones (RFC 6891 §6.1.1).
      if (edns !== undefined || index < before || fixed !== at + 1) return undefined;
      edns = ednsAt(message, fixed);
    }
    at = end;
  }
  return at === message.length ? { edns } : undefined;
}

const ednsAt = (message: Buffer, fixed: number): Edns => ({
  payloadBytes: Math.max(PLAIN_BYTES_MAX, message.readUInt16BE(fixed + 2)),
  version: message[fixed + 5] as number,
  dnssecOk: ((message[fixed + 6] as number) & 0x80) !== 0,
});

/**
 * The record as it is signed, hashed and carried in headers (design §3). Owns the bytes that signatures and the chain
 * cover; bodies are decoded in decode.ts. Changing one of these texts forks the log: raise the format instead.
 */
import { base64, type Crypto, fromBase64, hex, parseAccountKey, type Signer, utf8 } from "@hansa/core";
import type { RecordHeader, WireRecord } from "./event.ts";
import { POSITION_MAX } from "./limits.ts";
import { LANES, type Lane } from "./registers.ts";

const FORMAT = "hansa-record-v1";

/** `prev` of the first record ever. */
export const ZERO_HASH = "0".repeat(64);

/** What the chain covers; the trace context is for people and may be rewritten on the way. */
export type ChainedHeader = Omit<RecordHeader, "sig" | "traceparent">;

const chainText = (header: ChainedHeader, bodyHash: string): string =>
  `${header.source}\n${header.lane}\n${header.key}\n${header.epoch}\n${header.seq}\n${header.prev}\n${bodyHash}`;

/** Bytes under the signature: format, fingerprint, source, lane, key id, epoch, seq, previous hash, body hash (hex). */
export const signingBytes = (header: ChainedHeader, fingerprint: string, bodyHash: string): Uint8Array =>
  utf8(`${FORMAT}\n${fingerprint}\n${chainText(header, bodyHash)}`);

export interface RecordHashes {
  /** Hex sha256 of the body as sent. */
  readonly body: string;
  /** Hex hash of the record: what the next record's `prev` and heads name. The signature is not part of it. */
  readonly record: string;
}

export function recordHashes(record: WireRecord, crypto: Pick<Crypto, "sha256">): RecordHashes {
  const body = hex(crypto.sha256(record.body));
  return { body, record: chainedHash(record.header, body, crypto) };
}

/** Hash of a record whose body has this hash (hex). */
export const chainedHash = (
  header: ChainedHeader,
  bodyHash: string,
  crypto: Pick<Crypto, "sha256">,
): string => hex(crypto.sha256(utf8(`${FORMAT}\n${chainText(header, bodyHash)}`)));

export const recordHash = (record: WireRecord, crypto: Pick<Crypto, "sha256">): string =>
  recordHashes(record, crypto).record;

export function signRecord(
  header: Omit<RecordHeader, "sig">,
  body: Uint8Array,
  signer: Signer,
  fingerprint: string,
  crypto: Pick<Crypto, "sha256">,
): WireRecord {
  const bytes = signingBytes(header, fingerprint, hex(crypto.sha256(body)));
  return { header: { ...header, sig: base64(signer.sign(bytes)) }, body };
}

export function verifyRecord(
  record: WireRecord,
  publicKey: Uint8Array,
  fingerprint: string,
  crypto: Crypto,
  hashes: RecordHashes = recordHashes(record, crypto),
): boolean {
  const signature = fromBase64(record.header.sig);
  return (
    signature !== undefined &&
    crypto.verify(publicKey, signingBytes(record.header, fingerprint, hashes.body), signature)
  );
}

/** First 16 hex characters of sha256(raw public key). */
export const keyIdOf = (publicKey: Uint8Array, crypto: Pick<Crypto, "sha256">): string =>
  hex(crypto.sha256(publicKey)).slice(0, 16);

// === headers ===

const HASH = /^[0-9a-f]{64}$/;
const KEY_ID = /^[0-9a-f]{16}$/;
const SIGNATURE = /^[A-Za-z0-9+/]{86}==$/;
const INTEGER = /^(0|[1-9][0-9]{0,15})$/;
const TRACE = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

export const isHash = (text: unknown): text is string => typeof text === "string" && HASH.test(text);
export const isKeyId = (text: unknown): text is string => typeof text === "string" && KEY_ID.test(text);
export const isSignature = (text: unknown): text is string =>
  typeof text === "string" && SIGNATURE.test(text);
export const isLane = (text: unknown): text is Lane => LANES.includes(text as Lane);

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= POSITION_MAX;

/** True where every field has its form; says nothing about who signed. */
export function isRecordHeader(header: unknown): header is RecordHeader {
  if (typeof header !== "object" || header === null) return false;
  const { source, lane, epoch, seq, prev, key, sig, traceparent } = header as Partial<RecordHeader>;
  return (
    typeof source === "string" &&
    parseAccountKey(source) !== undefined &&
    isLane(lane) &&
    isCount(epoch) &&
    isCount(seq) &&
    isHash(prev) &&
    isKeyId(key) &&
    isSignature(sig) &&
    (traceparent === "" || (typeof traceparent === "string" && TRACE.test(traceparent)))
  );
}

export function toHeaders(header: RecordHeader): Record<string, string> {
  return {
    "Hansa-Source": header.source,
    "Hansa-Lane": header.lane,
    "Hansa-Epoch": String(header.epoch),
    "Hansa-Seq": String(header.seq),
    "Hansa-Prev": header.prev,
    "Hansa-Key": header.key,
    "Hansa-Sig": header.sig,
    ...(header.traceparent === "" ? {} : { traceparent: header.traceparent }),
  };
}

/** undefined where a header is missing or malformed. An unusable trace context is dropped, never a reason to refuse. */
export function fromHeaders(get: (name: string) => string | undefined): RecordHeader | undefined {
  const trace = get("traceparent") ?? "";
  const header = {
    source: get("Hansa-Source"),
    lane: get("Hansa-Lane"),
    epoch: toInteger(get("Hansa-Epoch")),
    seq: toInteger(get("Hansa-Seq")),
    prev: get("Hansa-Prev"),
    key: get("Hansa-Key"),
    sig: get("Hansa-Sig"),
    traceparent: TRACE.test(trace) ? trace : "",
  };
  return isRecordHeader(header) ? header : undefined;
}

const toInteger = (text: string | undefined): number =>
  text !== undefined && INTEGER.test(text) ? Number(text) : Number.NaN;

/**
 * Heartbeats on the wire: JSON {payload, key, sig}, where payload is the JSON text that was signed. Never archived; a
 * beat renews a lease and tells heads, it changes no register.
 */
import {
  base64,
  type Crypto,
  canonicalJson,
  fromBase64,
  fromUtf8,
  parseAccountKey,
  type Signer,
  utf8,
} from "@hansa/core";
import {
  asObject,
  BadValue,
  bad,
  type Check,
  integer,
  listOf,
  object,
  oneOf,
  text,
  textLike,
} from "./check.ts";
import type { Head, Heartbeat, RecordEvidence } from "./event.ts";
import {
  EVIDENCE_PER_BEAT_MAX,
  HEADS_PER_BEAT_MAX,
  HEADS_TOLD_MAX,
  HEARTBEAT_BYTES_MAX,
  POSITION_MAX,
} from "./limits.ts";
import { isHash, isKeyId, isSignature, keyIdOf } from "./record.ts";

export interface SignedHeartbeat {
  readonly beat: Heartbeat;
  /** The text under the signature. */
  readonly payload: string;
  readonly key: string;
  readonly sig: string;
}

const beatBytes = (payload: string, fingerprint: string): Uint8Array =>
  utf8(`hansa-beat-v1\n${fingerprint}\n${payload}`);

/** One list of a beat: where there are more heads than it tells, beats take turns. */
export function headsInTurn(heads: readonly Head[], counter: number): readonly Head[] {
  if (heads.length <= HEADS_TOLD_MAX) return heads;
  const start = (counter * HEADS_TOLD_MAX) % heads.length;
  return [...heads, ...heads].slice(start, start + HEADS_TOLD_MAX);
}

export function signHeartbeat(
  beat: Heartbeat,
  signer: Signer,
  fingerprint: string,
  crypto: Pick<Crypto, "sha256">,
): Uint8Array {
  const payload = canonicalJson(beat);
  const key = keyIdOf(signer.publicKey, crypto);
  return utf8(JSON.stringify({ payload, key, sig: base64(signer.sign(beatBytes(payload, fingerprint))) }));
}

const source: Check<Head["source"]> = (value) =>
  (typeof value === "string" ? parseAccountKey(value) : undefined) ??
  bad("must be a NATS account public key");
const hash = textLike("a hex SHA-256", 64, isHash);
const keyId = textLike("a key id", 16, isKeyId);
const position = integer(0, POSITION_MAX);
const placeFields = { source, lane: oneOf("sum", "ep"), epoch: position, seq: position };
const headFields = { ...placeFields, head: hash };
const heads = listOf(object<Head>(headFields), HEADS_PER_BEAT_MAX);
const counter = integer(0, Number.MAX_SAFE_INTEGER);

const evidence = listOf(
  object<RecordEvidence>({
    ...placeFields,
    prev: hash,
    key: keyId,
    sig: textLike("a base64 signature", 88, isSignature),
    body: hash,
  }),
  EVIDENCE_PER_BEAT_MAX,
);

const heartbeat = object<Required<Heartbeat>>({
  source,
  bootMs: counter,
  counter,
  own: listOf(object<Heartbeat["own"][number]>({ ...headFields, digest: hash }), 16),
  known: heads,
  acked: heads,
  committed: heads,
  evidence: (value) => (value === undefined ? [] : evidence(value)),
});

/** undefined for everything that is not a well-formed beat. The signature is not checked yet. */
export function decodeHeartbeat(bytes: Uint8Array): SignedHeartbeat | undefined {
  const json = bytes.length <= HEARTBEAT_BYTES_MAX ? fromUtf8(bytes) : undefined;
  if (json === undefined) return undefined;
  try {
    const envelope = asObject(JSON.parse(json));
    const payload = text(HEARTBEAT_BYTES_MAX)(envelope.payload);
    return {
      beat: heartbeat(JSON.parse(payload)),
      payload,
      key: keyId(envelope.key),
      sig: text(88)(envelope.sig),
    };
  } catch (error) {
    if (error instanceof BadValue || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** `publicKey` is the raw signing key of the account that the bus authenticated and that `beat.source` must name. */
export function verifyHeartbeat(
  signed: SignedHeartbeat,
  publicKey: Uint8Array,
  fingerprint: string,
  crypto: Crypto,
): boolean {
  const signature = fromBase64(signed.sig);
  return (
    signature !== undefined &&
    signed.key === keyIdOf(publicKey, crypto) &&
    crypto.verify(publicKey, beatBytes(signed.payload, fingerprint), signature)
  );
}

/** A lease is renewed only by a higher (boot, counter). */
export const isLaterBeat = (
  beat: Pick<Heartbeat, "bootMs" | "counter">,
  than: Pick<Heartbeat, "bootMs" | "counter">,
): boolean => beat.bootMs > than.bootMs || (beat.bootMs === than.bootMs && beat.counter > than.counter);

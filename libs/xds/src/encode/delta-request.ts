/**
 * Decoder of DeltaDiscoveryRequest that makes nothing but the strings the server needs. Total: malformed bytes and
 * exceeded limits are values. Fields it does not know are skipped, as protobuf demands.
 */
import { fromUtf8, utf8 } from "@hansa/core";
import { PUSH_ORDER } from "../type-urls.ts";

export interface DeltaRequest {
  /** Undefined where the request has no node: only the first of a stream must carry it (xDS protocol). */
  readonly nodeId: string | undefined;
  readonly typeUrl: string;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  readonly initialVersions: ReadonlyMap<string, string>;
  readonly nonce: string;
  /** Present = NACK. Never inferred from version or nonce. */
  readonly error: { readonly code: number; readonly message: string } | undefined;
}

export type Decoded =
  | { readonly kind: "request"; readonly request: DeltaRequest }
  | { readonly kind: "malformed"; readonly message: string }
  | { readonly kind: "too-large"; readonly message: string };

export interface RequestLimits {
  /** Names in subscribe, unsubscribe and initial_resource_versions each. */
  readonly namesMax: number;
  /** UTF-8 bytes of one name. */
  readonly nameBytesMax: number;
}

export const REQUEST_LIMITS: RequestLimits = { namesMax: 100_000, nameBytesMax: 2048 };
/** An error message is for operators: Envoy's may repeat a whole resource. */
const ERROR_CHARS_MAX = 4096;
const SHORT_TEXT_BYTES_MAX = 4096;
/** Up to here a loop over ASCII is cheaper than a TextDecoder. */
const LOOP_BYTES = 12;

const NO_VERSIONS: ReadonlyMap<string, string> = new Map();
const TYPE_URLS = PUSH_ORDER.map((typeUrl) => ({ typeUrl, bytes: utf8(typeUrl) }));

class Malformed extends Error {}
class TooLarge extends Error {}

export function decodeDeltaRequest(bytes: Uint8Array, limits: RequestLimits = REQUEST_LIMITS): Decoded {
  try {
    return { kind: "request", request: readRequest(new Reader(bytes), limits) };
  } catch (error) {
    if (error instanceof Malformed) return { kind: "malformed", message: error.message };
    if (error instanceof TooLarge) return { kind: "too-large", message: error.message };
    throw error;
  }
}

function readRequest(reader: Reader, limits: RequestLimits): DeltaRequest {
  let nodeId: string | undefined;
  let typeUrl = "";
  let nonce = "";
  let error: DeltaRequest["error"];
  const subscribe: string[] = [];
  const unsubscribe: string[] = [];
  // Nearly all of what comes are ACKs, which have none.
  let initialVersions: Map<string, string> | undefined;
  while (!reader.atEnd()) {
    const tag = reader.varint();
    // Field number and wire type in one: 10 is field 1, length-delimited.
    if (tag === 10) nodeId = readNodeId(reader.nested(), nodeId);
    else if (tag === 18) typeUrl = reader.typeUrl();
    else if (tag === 26) addName(subscribe, "resource_names_subscribe", reader, limits);
    else if (tag === 34) addName(unsubscribe, "resource_names_unsubscribe", reader, limits);
    else if (tag === 42) {
      initialVersions ??= new Map();
      readVersion(reader.nested(), initialVersions, limits);
    } else if (tag === 50) nonce = reader.text("response_nonce", SHORT_TEXT_BYTES_MAX);
    else if (tag === 58) error = readStatus(reader.nested());
    else reader.skip(tag);
  }
  return {
    nodeId,
    typeUrl,
    subscribe,
    unsubscribe,
    initialVersions: initialVersions ?? NO_VERSIONS,
    nonce,
    error,
  };
}

function addName(names: string[], field: string, reader: Reader, limits: RequestLimits): void {
  if (names.length >= limits.namesMax) throw new TooLarge(`${field}: more than ${limits.namesMax} names`);
  names.push(reader.text(field, limits.nameBytesMax));
}

/** Node{id = 1}; a node without an id has the empty id, which owns nothing. */
function readNodeId(reader: Reader, previous: string | undefined): string {
  let id = previous ?? "";
  while (!reader.atEnd()) {
    const tag = reader.varint();
    if (tag === 10) id = reader.text("node.id", SHORT_TEXT_BYTES_MAX);
    else reader.skip(tag);
  }
  return id;
}

function readVersion(reader: Reader, versions: Map<string, string>, limits: RequestLimits): void {
  const field = "initial_resource_versions";
  let name = "";
  let version = "";
  while (!reader.atEnd()) {
    const tag = reader.varint();
    if (tag === 10) name = reader.text(field, limits.nameBytesMax);
    else if (tag === 18) version = reader.text(field, SHORT_TEXT_BYTES_MAX);
    else reader.skip(tag);
  }
  versions.set(name, version);
  if (versions.size > limits.namesMax) throw new TooLarge(`${field}: more than ${limits.namesMax} names`);
}

function readStatus(reader: Reader): { code: number; message: string } {
  let code = 0;
  let message = "";
  while (!reader.atEnd()) {
    const tag = reader.varint();
    if (tag === 8) code = reader.varint();
    else if (tag === 18) message = reader.text("error_detail.message", Number.MAX_SAFE_INTEGER);
    else reader.skip(tag);
  }
  return { code, message: message.slice(0, ERROR_CHARS_MAX) };
}

class Reader {
  private readonly bytes: Uint8Array;
  private at: number;
  private readonly end: number;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  atEnd(): boolean {
    return this.at >= this.end;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let size = 0; size < 10; size += 1) {
      if (this.at >= this.end) throw new Malformed("the message ends within a number");
      const byte = this.bytes[this.at++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
    throw new Malformed("a number is longer than 10 bytes");
  }

  /** The content of a length-delimited field. */
  nested(): Reader {
    const size = this.varint();
    if (size > this.end - this.at) throw new Malformed("a field is longer than the message");
    this.at += size;
    return new Reader(this.bytes, this.at - size, this.at);
  }

  text(field: string, bytesMax: number): string {
    const size = this.varint();
    if (size > this.end - this.at) throw new Malformed(`${field}: longer than the message`);
    if (size > bytesMax) throw new TooLarge(`${field}: ${size} bytes, at most ${bytesMax} are taken`);
    const from = this.at;
    this.at += size;
    return size <= LOOP_BYTES
      ? shortText(this.bytes, from, this.at, field)
      : longText(this.bytes, from, this.at, field);
  }

  /** One of ours is recognised and not made anew: every table is keyed by it. */
  typeUrl(): string {
    const from = this.at;
    const size = this.varint();
    for (const { typeUrl, bytes } of TYPE_URLS) {
      if (bytes.length !== size || size > this.end - this.at || !this.startsWith(bytes)) continue;
      this.at += size;
      return typeUrl;
    }
    this.at = from;
    return this.text("type_url", SHORT_TEXT_BYTES_MAX);
  }

  /** From the end, where type URLs differ. */
  private startsWith(expected: Uint8Array): boolean {
    for (let index = expected.length - 1; index >= 0; index -= 1)
      if (this.bytes[this.at + index] !== expected[index]) return false;
    return true;
  }

  skip(tag: number): void {
    const field = Math.floor(tag / 8);
    const size = { 0: 0, 1: 8, 5: 4 }[tag % 8];
    if (field === 0) throw new Malformed("a field has number 0");
    if (tag % 8 === 2) this.nested();
    else if (tag % 8 === 0) this.varint();
    else if (size === undefined) throw new Malformed(`field ${field} has the unknown wire type ${tag % 8}`);
    else if (size > this.end - this.at) throw new Malformed(`field ${field}: longer than the message`);
    else this.at += size;
  }
}

/** Nonces are short ASCII; a TextDecoder costs more than this loop there. */
function shortText(bytes: Uint8Array, from: number, to: number, field: string): string {
  let text = "";
  for (let at = from; at < to; at += 1) {
    const byte = bytes[at] as number;
    if (byte > 127) return longText(bytes, from, to, field);
    text += String.fromCharCode(byte);
  }
  return text;
}

function longText(bytes: Uint8Array, from: number, to: number, field: string): string {
  const text = fromUtf8(bytes.subarray(from, to));
  if (text === undefined) throw new Malformed(`${field}: not UTF-8`);
  return text;
}

/**
 * Protobuf writer that fills its buffer from the end: when a nested message is closed its length is already known, so
 * nothing is measured beforehand. Callers write fields in descending order of their numbers, which gives the bytes
 * in the canonical, ascending order. Owns wire format only; knows no message.
 */
import { assert, utf8 } from "@hansa/core";

const VARINT = 0;
const LENGTH_DELIMITED = 2;

/** Messages above this are a mistake of the caller: Envoy and gRPC clients would refuse them. */
export const MESSAGE_BYTES_MAX = 64 << 20;

/** A longer buffer is not kept for the next message: one fleet's first response would hold its size for ever. */
const KEPT_BYTES_MAX = 1 << 20;

/** Up to here a loop is cheaper than the call. */
const SHORT_COPY_BYTES = 24;

export class ReverseWriter {
  private buffer: Uint8Array<ArrayBuffer>;
  private start: number;
  private readonly initialBytes: number;

  constructor(initialBytes = 16_384) {
    this.initialBytes = initialBytes;
    this.buffer = new Uint8Array(initialBytes);
    this.start = initialBytes;
  }

  /** Bytes written so far: remember it before a nested message and give it to `nested`. */
  get written(): number {
    return this.buffer.length - this.start;
  }

  /** Everything written, as a copy of exactly that size; the writer is empty again and may be reused. */
  finish(): Uint8Array<ArrayBuffer> {
    const result = this.buffer.slice(this.start);
    if (this.buffer.length > KEPT_BYTES_MAX) this.buffer = new Uint8Array(this.initialBytes);
    this.start = this.buffer.length;
    return result;
  }

  varint(value: number): void {
    // Most values: an integer of 0 to 127.
    if ((value & 0x7f) === value) {
      if (this.start === 0) this.grow(1);
      this.start -= 1;
      this.buffer[this.start] = value;
    } else this.longVarint(value);
  }

  /** proto3 scalars: the default value is not sent. */
  uint(field: number, value: number): void {
    if (value === 0) return;
    this.varint(value);
    this.varint(field * 8 + VARINT);
  }

  bool(field: number, value: boolean): void {
    this.uint(field, value ? 1 : 0);
  }

  /** google.protobuf.UInt32Value: a present message even when the value is 0. */
  wrappedUint(field: number, value: number): void {
    const mark = this.written;
    this.uint(1, value);
    this.nested(field, mark);
  }

  string(field: number, text: string): void {
    if (text !== "") this.presentString(field, text);
  }

  /** A string that is sent even when empty: members of oneofs, repeated fields and map entries. */
  presentString(field: number, text: string): void {
    const mark = this.written;
    const at = this.room(text.length);
    const buffer = this.buffer;
    for (let index = 0; index < text.length; index += 1) {
      const unit = text.charCodeAt(index);
      if (unit > 127) {
        this.start += text.length;
        this.raw(utf8(text));
        break;
      }
      buffer[at + index] = unit;
    }
    this.nested(field, mark);
  }

  bytes(field: number, content: Uint8Array): void {
    if (content.length === 0) return;
    const mark = this.written;
    this.raw(content);
    this.nested(field, mark);
  }

  /** Already encoded fields, as they are. */
  raw(content: Uint8Array): void {
    // The buffer may be another one after room().
    const at = this.room(content.length);
    this.buffer.set(content, at);
  }

  /** Closes the message whose fields were written since `mark`. */
  nested(field: number, mark: number): void {
    const { buffer, start } = this;
    const sizeBytes = buffer.length - start - mark;
    const tag = field * 8 + LENGTH_DELIMITED;
    if (sizeBytes < 128 && tag < 128 && start >= 2) {
      this.start = start - 2;
      buffer[start - 2] = tag;
      buffer[start - 1] = sizeBytes;
      return;
    }
    this.varint(sizeBytes);
    this.varint(tag);
  }

  /** Again what was written from `mark` on when `sizeBytes` were: equal parts of a message are encoded once. */
  repeat(mark: number, sizeBytes: number): void {
    const at = this.room(sizeBytes);
    const buffer = this.buffer;
    const from = buffer.length - mark - sizeBytes;
    if (sizeBytes > SHORT_COPY_BYTES) buffer.copyWithin(at, from, from + sizeBytes);
    else
      for (let index = 0; index < sizeBytes; index += 1) buffer[at + index] = buffer[from + index] as number;
  }

  private longVarint(value: number): void {
    assert(value >= 0 && Number.isSafeInteger(value), "a varint is a non-negative integer");
    let size = 1;
    for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size += 1;
    let at = this.room(size);
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.buffer[at++] = (rest % 128) | 0x80;
    this.buffer[at] = rest;
  }

  private room(size: number): number {
    if (size > this.start) this.grow(size);
    this.start -= size;
    return this.start;
  }

  private grow(size: number): void {
    const written = this.written;
    assert(written + size <= MESSAGE_BYTES_MAX, "an encoded message exceeds MESSAGE_BYTES_MAX");
    const larger = new Uint8Array(Math.max(2 * this.buffer.length, written + size));
    larger.set(this.buffer.subarray(this.start), larger.length - written);
    this.start = larger.length - written;
    this.buffer = larger;
  }
}

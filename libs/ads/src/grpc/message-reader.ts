/**
 * Length-prefixed messages of gRPC: a flag byte, a length of 4 bytes, the message. Puts messages together from pieces
 * of any size at the cost of one copy each; a message that lies within one piece is not copied. Owns framing only.
 */

export type Fault =
  | { readonly kind: "too-large"; readonly sizeBytes: number }
  /** The flag byte is 1 for a compressed message; other values do not exist. */
  | { readonly kind: "flag"; readonly flag: number };

const PREFIX_BYTES = 5;
/** What is reserved on the word of a peer that has sent no more than a length. */
const FIRST_BUFFER_BYTES = 16_384;

export class MessageReader {
  private readonly sizeBytesMax: number;
  private readonly onMessage: (message: Uint8Array) => void;
  /** Of one that came in pieces. */
  private readonly prefix = new Uint8Array(PREFIX_BYTES);
  private prefixBytes = 0;
  private size = 0;
  private body: Uint8Array | undefined;
  private bodyBytes = 0;

  /** A message is lent to `onMessage` for the call only. */
  constructor(sizeBytesMax: number, onMessage: (message: Uint8Array) => void) {
    this.sizeBytesMax = sizeBytesMax;
    this.onMessage = onMessage;
  }

  /** True where no message is half read. */
  get atBoundary(): boolean {
    return this.prefixBytes === 0;
  }

  /** Gives every message that `piece` completes. After a fault the reader is of no use. */
  push(piece: Uint8Array): Fault | undefined {
    let at = 0;
    while (at < piece.length) {
      if (this.prefixBytes < PREFIX_BYTES) {
        const taken = Math.min(PREFIX_BYTES - this.prefixBytes, piece.length - at);
        const whole = taken === PREFIX_BYTES;
        if (!whole) this.prefix.set(piece.subarray(at, at + taken), this.prefixBytes);
        this.prefixBytes += taken;
        at += taken;
        if (this.prefixBytes < PREFIX_BYTES) break;
        const fault = whole ? this.readPrefix(piece, at - PREFIX_BYTES) : this.readPrefix(this.prefix, 0);
        if (fault !== undefined) return fault;
      }
      at += this.readBody(piece, at);
    }
    return undefined;
  }

  private readPrefix(bytes: Uint8Array, at: number): Fault | undefined {
    const flag = bytes[at] as number;
    if (flag !== 0) return { kind: "flag", flag };
    this.size = 0;
    for (let index = at + 1; index < at + PREFIX_BYTES; index += 1)
      this.size = 256 * this.size + (bytes[index] as number);
    return this.size > this.sizeBytesMax ? { kind: "too-large", sizeBytes: this.size } : undefined;
  }

  /** Answers how many bytes it has taken. */
  private readBody(piece: Uint8Array, at: number): number {
    const taken = Math.min(this.size - this.bodyBytes, piece.length - at);
    const part = piece.subarray(at, at + taken);
    if (taken === this.size) this.finish(part);
    else {
      const body = this.room(taken);
      body.set(part, this.bodyBytes);
      this.bodyBytes += taken;
      if (this.bodyBytes === this.size) this.finish(body.subarray(0, this.size));
    }
    return taken;
  }

  private finish(message: Uint8Array): void {
    this.prefixBytes = 0;
    this.body = undefined;
    this.bodyBytes = 0;
    this.onMessage(message);
  }

  /** Doubles towards the announced size, so that memory is held for bytes that came. */
  private room(more: number): Uint8Array {
    const needed = this.bodyBytes + more;
    if (this.body !== undefined && needed <= this.body.length) return this.body;
    const grown = Math.max(FIRST_BUFFER_BYTES, 2 * needed);
    const larger = new Uint8Array(Math.min(this.size, grown));
    if (this.body !== undefined) larger.set(this.body.subarray(0, this.bodyBytes));
    this.body = larger;
    return larger;
  }
}

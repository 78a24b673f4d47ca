/** Bytes to lines, split at byte 10. Holds at most one unfinished line, within its bound. Pure. */
export class LineSplitter {
  readonly #lineBytesMax: number;
  #parts: Uint8Array[] = [];
  #heldBytes = 0;

  constructor(lineBytesMax: number) {
    this.#lineBytesMax = lineBytesMax;
  }

  /** Whole lines of `chunk`, empty ones left out; undefined once a line exceeds the bound: the rest is of no use then. */
  push(chunk: Buffer): string[] | undefined {
    const lines: string[] = [];
    let from = 0;
    for (let to = chunk.indexOf(10); to !== -1; to = chunk.indexOf(10, from)) {
      if (this.#heldBytes + to - from > this.#lineBytesMax) return undefined;
      const line = this.#finish(chunk, from, to);
      if (line !== "") lines.push(line);
      from = to + 1;
    }
    if (from < chunk.length) {
      this.#parts.push(from === 0 ? chunk : chunk.subarray(from));
      this.#heldBytes += chunk.length - from;
    }
    return this.#heldBytes > this.#lineBytesMax ? undefined : lines;
  }

  #finish(chunk: Buffer, from: number, to: number): string {
    if (this.#parts.length === 0) return chunk.toString("utf8", from, to);
    this.#parts.push(chunk.subarray(from, to));
    const whole = Buffer.concat(this.#parts, this.#heldBytes + to - from);
    this.#parts = [];
    this.#heldBytes = 0;
    return whole.toString("utf8");
  }
}

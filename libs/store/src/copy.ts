/**
 * Rows in the binary format of COPY (PostgreSQL manual, "COPY", file formats): half of what the server spends on an
 * INSERT of the same rows, since it parses no JSON list and writes whole pages. Owns the bytes, knows no table.
 */
import type pg from "pg";

const SIGNATURE = Buffer.from("PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", "latin1");
const FIRST_BYTES = 256 * 1024;
/** UTF-8 needs at most so many bytes for one UTF-16 code unit. */
const BYTES_PER_UNIT_MAX = 3;
/** Of a value that is not text, with its length. */
const FIXED_BYTES_MAX = 16;
const JSONB_VERSION = 1;
const POSTGRES_EPOCH_MS = Date.UTC(2000, 0, 1);
const TWO_32 = 2 ** 32;

export class CopyRows {
  #bytes = Buffer.allocUnsafe(FIRST_BYTES);
  #length: number;

  constructor() {
    this.#length = SIGNATURE.copy(this.#bytes);
  }

  /** Begins a row of so many columns. */
  row(columns: number): void {
    this.#need(FIXED_BYTES_MAX);
    this.#length = this.#bytes.writeInt16BE(columns, this.#length);
  }

  int2(value: number): void {
    this.#need(FIXED_BYTES_MAX);
    this.#length = this.#bytes.writeInt16BE(value, this.#bytes.writeInt32BE(2, this.#length));
  }

  int4(value: number): void {
    this.#need(FIXED_BYTES_MAX);
    this.#length = this.#bytes.writeInt32BE(value, this.#bytes.writeInt32BE(4, this.#length));
  }

  int8(value: number): void {
    this.#need(FIXED_BYTES_MAX);
    const high = Math.floor(value / TWO_32);
    const at = this.#bytes.writeInt32BE(high, this.#bytes.writeInt32BE(8, this.#length));
    this.#length = this.#bytes.writeUInt32BE(value - high * TWO_32, at);
  }

  timestamptz(ms: number): void {
    this.int8((ms - POSTGRES_EPOCH_MS) * 1000);
  }

  /** U+0000, which Postgres cannot hold, becomes U+FFFD. */
  text(value: string): void {
    this.#text(value.includes("\0") ? value.replaceAll("\0", "\ufffd") : value, 0);
  }

  /** `json` is JSON that Postgres takes. */
  jsonb(json: string): void {
    this.#text(json, 1);
  }

  null(): void {
    this.#need(FIXED_BYTES_MAX);
    this.#length = this.#bytes.writeInt32BE(-1, this.#length);
  }

  /** Everything, with the end mark. */
  end(): Buffer {
    this.#need(FIXED_BYTES_MAX);
    return this.#bytes.subarray(0, this.#bytes.writeInt16BE(-1, this.#length));
  }

  #text(value: string, prefixBytes: 0 | 1): void {
    this.#need(FIXED_BYTES_MAX + BYTES_PER_UNIT_MAX * value.length);
    const start = this.#length + 4;
    if (prefixBytes === 1) this.#bytes[start] = JSONB_VERSION;
    const sizeBytes = prefixBytes + this.#bytes.write(value, start + prefixBytes, "utf8");
    this.#bytes.writeInt32BE(sizeBytes, this.#length);
    this.#length = start + sizeBytes;
  }

  #need(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(2 * Math.max(this.#bytes.length, this.#length + bytes));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

/** What the driver has for COPY and its types leave out. */
type CopyConnection = pg.Connection & {
  sendCopyFromChunk(chunk: Uint8Array): void;
  endCopyFrom(): void;
};

/** `text` is a COPY … FROM STDIN (FORMAT binary). Resolves when the server has taken all of it. */
export function copyIn(client: pg.ClientBase, text: string, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    client.query({
      submit: (connection: pg.Connection) => connection.query(text),
      handleCopyInResponse(connection: CopyConnection) {
        connection.sendCopyFromChunk(bytes);
        connection.endCopyFrom();
      },
      handleCommandComplete() {},
      handleReadyForQuery: () => resolve(),
      handleError: reject,
    } as pg.Submittable);
  });
}

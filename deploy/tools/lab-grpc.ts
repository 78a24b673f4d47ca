/**
 * The smallest honest gRPC over node:http2: unary calls whose messages are `{ string text = 1; }`.
 * Used by the lab's sample workload and its caller; not a general gRPC library.
 */

export const QUOTE_PATH = "/hansa.lab.Quote/Get";
const MESSAGE_BYTES_MAX = 64 * 1024;

/** Length-prefixed message (gRPC over HTTP/2, "Length-Prefixed-Message") with field 1 = text. */
export function encodeText(text: string): Buffer {
  const body = Buffer.from(text, "utf8");
  const length: number[] = [];
  for (let rest = body.length; ; rest >>>= 7) {
    length.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) break;
  }
  const message = Buffer.concat([Buffer.from([0x0a, ...length]), body]);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** Undefined where the frame is not one whole uncompressed message with field 1 only. */
export function decodeText(frame: Buffer): string | undefined {
  if (frame.length < 5 || frame[0] !== 0) return undefined;
  const size = frame.readUInt32BE(1);
  if (size > MESSAGE_BYTES_MAX || frame.length !== 5 + size) return undefined;
  if (size === 0) return "";
  if (frame[5] !== 0x0a) return undefined;
  let length = 0;
  let offset = 6;
  for (let shift = 0; shift < 28; shift += 7) {
    const byte = frame[offset++];
    if (byte === undefined) return undefined;
    length |= (byte & 127) << shift;
    if (byte < 128) break;
  }
  return offset + length === frame.length ? frame.subarray(offset).toString("utf8") : undefined;
}

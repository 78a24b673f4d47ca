import * as fc from "fast-check";
import { expect, test } from "vitest";
import { MessageReader } from "./message-reader.ts";

const framed = (messages: readonly Uint8Array[]): Uint8Array =>
  Buffer.concat(
    messages.flatMap((message) => {
      const prefix = Buffer.alloc(5);
      prefix.writeUInt32BE(message.length, 1);
      return [prefix, message];
    }),
  );

function read(pieces: readonly Uint8Array[], sizeBytesMax = 1 << 24) {
  const messages: Uint8Array[] = [];
  const reader = new MessageReader(sizeBytesMax, (message) => messages.push(Uint8Array.from(message)));
  const fault = pieces.map((piece) => reader.push(piece)).find((one) => one !== undefined);
  return { messages, fault, atBoundary: reader.atBoundary };
}

function pieces(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

test("however the bytes are cut, the messages are the same", () => {
  const message = fc.uint8Array({ maxLength: 40_000, size: "max" });
  const messages = fc.array(fc.oneof(fc.uint8Array({ maxLength: 8 }), message), { maxLength: 5 });
  void fc.assert(
    fc.property(messages, fc.array(fc.nat(), { maxLength: 20 }), (sent, cuts) => {
      const { messages: got, fault, atBoundary } = read(pieces(framed(sent), cuts));
      expect(fault).toBeUndefined();
      expect(atBoundary).toBe(true);
      expect(got.length).toBe(sent.length);
      for (const [index, one] of got.entries())
        expect(Buffer.compare(one, sent[index] as Uint8Array)).toBe(0);
    }),
  );
});

test("8 MiB in pieces of 100 bytes are put together without copying them again and again", () => {
  const bytes = framed([new Uint8Array(8 << 20).fill(7)]);
  const cut = Array.from({ length: Math.ceil(bytes.length / 100) }, (_, index) =>
    bytes.subarray(100 * index, 100 * (index + 1)),
  );
  const before = process.cpuUsage().user;
  const { messages } = read(cut);
  // Quadratic copying moves 350 GB here.
  expect(process.cpuUsage().user - before).toBeLessThan(2_000_000);
  expect(messages).toHaveLength(1);
  expect(messages[0]?.every((byte) => byte === 7)).toBe(true);
});

test("the limit is one of the announced size; nothing is read after a fault", () => {
  const [fits, over] = [new Uint8Array(10), new Uint8Array(11)];
  expect(read([framed([fits])], 10).messages).toHaveLength(1);
  const { messages, fault } = read([framed([fits, over, fits])], 10);
  expect(messages).toHaveLength(1);
  expect(fault).toEqual({ kind: "too-large", sizeBytes: 11 });
  expect(read([Buffer.from([2, 0, 0, 0, 0])]).fault).toEqual({ kind: "flag", flag: 2 });
});

import { describe, expect, it } from "vitest";
import { LineSplitter } from "./lines.ts";

const cut = (text: string, ...at: number[]): Buffer[] => {
  const bytes = Buffer.from(text);
  return [0, ...at].map((from, index) => bytes.subarray(from, at[index] ?? bytes.length));
};

describe("lines of a watch", () => {
  it("come out whole wherever the bytes are cut, also within a character", () => {
    const text = "één\ntwo\n\nthree €\n";
    for (let at = 0; at <= Buffer.byteLength(text); at += 1) {
      const splitter = new LineSplitter(100);
      const lines = cut(text, at).flatMap((chunk) => splitter.push(chunk) ?? ["too long"]);
      expect(lines).toEqual(["één", "two", "three €"]);
    }
  });

  it("come out byte by byte", () => {
    const splitter = new LineSplitter(100);
    const bytes = [...Buffer.from("ab\nc\n")];
    expect(bytes.flatMap((byte) => splitter.push(Buffer.from([byte])))).toEqual(["ab", "c"]);
  });

  it.each([
    ["within a chunk", ["12345678901\n"]],
    ["over chunks", ["123456", "78901\n"]],
    ["without an end", ["123456", "78901"]],
  ])("are refused where one is too long %s", (_how, chunks) => {
    const splitter = new LineSplitter(10);
    expect(chunks.map((chunk) => splitter.push(Buffer.from(chunk))).at(-1)).toBeUndefined();
    expect(new LineSplitter(10).push(Buffer.from("1234567890\n"))).toEqual(["1234567890"]);
  });
});

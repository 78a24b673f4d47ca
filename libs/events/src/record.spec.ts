import { utf8 } from "@hansa/core";
import { describe, expect, it } from "vitest";
import type { RecordHeader } from "./event.ts";
import {
  fromHeaders,
  keyIdOf,
  recordHash,
  signRecord,
  toHeaders,
  verifyRecord,
  ZERO_HASH,
} from "./record.ts";
import { rigAccount, rigCrypto, rigSigner } from "./rig.ts";

const signer = rigSigner(1);
const fingerprint = "f".repeat(64);
const header: Omit<RecordHeader, "sig"> = {
  source: rigAccount("eu"),
  lane: "sum",
  epoch: 3,
  seq: 4,
  prev: ZERO_HASH,
  key: keyIdOf(signer.publicKey, rigCrypto),
  traceparent: "",
};
const record = signRecord(header, utf8("[]"), signer, fingerprint, rigCrypto);
const verifies = (of: typeof record, print = fingerprint): boolean =>
  verifyRecord(of, signer.publicKey, print, rigCrypto);

describe("a signature", () => {
  it("covers every field but the trace context", () => {
    expect(verifies(record)).toBe(true);
    const trace = `00-${"1".repeat(32)}-${"2".repeat(16)}-01`;
    expect(verifies({ ...record, header: { ...record.header, traceparent: trace } })).toBe(true);
    const changes: Partial<RecordHeader>[] = [
      { source: rigAccount("us") },
      { lane: "ep" },
      { epoch: 4 },
      { seq: 5 },
      { prev: "1".repeat(64) },
      { key: "0".repeat(16) },
    ];
    for (const change of changes) {
      const changed = { ...record, header: { ...record.header, ...change } };
      expect(verifies(changed)).toBe(false);
      expect(recordHash(changed, rigCrypto)).not.toBe(recordHash(record, rigCrypto));
    }
    expect(verifies({ ...record, body: utf8("[ ]") })).toBe(false);
    expect(verifies(record, "0".repeat(64))).toBe(false);
  });

  it("does not enter the hash, so that it cannot make two versions of one record", () => {
    const other = { ...record, header: { ...record.header, sig: "A".repeat(86).concat("==") } };
    expect(recordHash(other, rigCrypto)).toBe(recordHash(record, rigCrypto));
  });
});

describe("headers", () => {
  const headers = toHeaders(record.header);
  const read = (change: Record<string, string | undefined>) =>
    fromHeaders((name) => (name in change ? change[name] : headers[name]));

  it("come back as they went", () => {
    expect(read({})).toEqual(record.header);
    const traceparent = `00-${"1".repeat(32)}-${"2".repeat(16)}-01`;
    expect(read({ traceparent })).toEqual({ ...record.header, traceparent });
  });

  it.each([
    ["Hansa-Source", "eu"],
    ["Hansa-Lane", "other"],
    ["Hansa-Epoch", "0"],
    ["Hansa-Epoch", "1e3"],
    ["Hansa-Epoch", "03"],
    ["Hansa-Seq", "-1"],
    ["Hansa-Seq", "9007199254740993"],
    ["Hansa-Prev", ZERO_HASH.slice(1)],
    ["Hansa-Key", "xyz"],
    ["Hansa-Sig", "AAAA"],
    ["Hansa-Sig", undefined],
  ])("with %s = %s are refused", (name, value) => {
    expect(read({ [name]: value })).toBeUndefined();
  });

  it("lose a malformed trace context, not the record", () => {
    expect(read({ traceparent: "junk" })).toEqual(record.header);
  });
});

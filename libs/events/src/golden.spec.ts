/** Everything that was ever written must decode and verify for ever. Files here are only added, never edited. */
import { readdirSync, readFileSync } from "node:fs";
import { fromBase64, utf8 } from "@hansa/core";
import { describe, expect, it } from "vitest";
import { verifyCommand } from "./command.ts";
import { decodeBody } from "./decode.ts";
import { laneDigest, stateDigest, valueHash } from "./digest.ts";
import { fingerprintOf, type Genesis } from "./genesis.ts";
import { decodeHeartbeat, verifyHeartbeat } from "./heartbeat.ts";
import { verifyMembership } from "./membership.ts";
import { fromHeaders, recordHash, verifyRecord } from "./record.ts";
import type { CommandValue, MembershipValue } from "./registers.ts";
import { rigAccount, rigCrypto } from "./rig.ts";
import { REGISTER_TYPES } from "./values.ts";

const corpus = new URL("../../../test/golden/events/", import.meta.url);
const json = (file: string): unknown => JSON.parse(readFileSync(new URL(file, corpus), "utf8"));
const files = readdirSync(new URL("v1/", corpus));

describe("golden events", () => {
  it.each(files)("v1/%s decodes as it did", (file) => {
    const { sent, decoded } = json(`v1/${file}`) as { sent: unknown; decoded: unknown };
    expect(decodeBody(utf8(JSON.stringify([sent])))).toMatchObject({ kind: "events", events: [decoded] });
  });

  it("cover every type", () => {
    const types = new Set(files.map((file) => (json(`v1/${file}`) as { sent: { type: string } }).sent.type));
    expect([...types].sort()).toEqual([...REGISTER_TYPES, "SnapshotBegin", "SnapshotComplete"].sort());
  });
});

describe("golden signatures", () => {
  const signed = json("signed-v1.json") as {
    genesis: Genesis;
    fingerprint: string;
    record: { headers: Record<string, string>; body: string; hash: string; publicKey: string };
    membership: MembershipValue;
    command: CommandValue;
    heartbeat: string;
    laneDigest: string;
    stateDigest: string;
  };
  const { fingerprint } = signed;
  const key = (text: string): Uint8Array => fromBase64(text)!;

  it("give the same fingerprint", () => {
    expect(fingerprintOf(signed.genesis, rigCrypto)).toBe(fingerprint);
  });

  it("verify a record and give the same hash", () => {
    const { headers, body, hash, publicKey } = signed.record;
    const record = { header: fromHeaders((name) => headers[name])!, body: utf8(body) };
    expect(verifyRecord(record, key(publicKey), fingerprint, rigCrypto)).toBe(true);
    expect(recordHash(record, rigCrypto)).toBe(hash);
  });

  it("verify a membership, a command and a heartbeat", () => {
    const { genesis, membership, command, heartbeat, record } = signed;
    expect(verifyMembership(membership, key(genesis.hubKey), fingerprint, rigCrypto).kind).toBe("ok");
    expect(verifyCommand(command, genesis.operators, fingerprint, rigCrypto).kind).toBe("ok");
    expect(
      verifyHeartbeat(decodeHeartbeat(utf8(heartbeat))!, key(record.publicKey), fingerprint, rigCrypto),
    ).toBe(true);
  });

  it("give the same digests", () => {
    const registers = [
      ["want/ap", '{"nonce":"n2"}'],
      ["want/us", '{"nonce":"n1"}'],
    ].map(([name = "", value = ""]) => [name, valueHash(value, rigCrypto)] as const);
    const digest = laneDigest(registers, rigCrypto);
    expect(digest).toBe(signed.laneDigest);
    expect(stateDigest([{ source: rigAccount("eu"), lane: "sum", digest }], rigCrypto)).toBe(
      signed.stateDigest,
    );
  });
});

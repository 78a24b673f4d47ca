/** Memberships, commands and heartbeats: what each signature covers. */
import { base64, type ClusterName, utf8 } from "@hansa/core";
import { describe, expect, it } from "vitest";
import { encodeCommand, signCommand, verifyCommand } from "./command.ts";
import type { Heartbeat } from "./event.ts";
import { evidenceHash, evidenceOf, verifyEvidence } from "./evidence.ts";
import { decodeHeartbeat, isLaterBeat, signHeartbeat, verifyHeartbeat } from "./heartbeat.ts";
import { countersign, signRequest, verifyMembership, verifyRequest } from "./membership.ts";
import { keyIdOf, recordHashes, signRecord, ZERO_HASH } from "./record.ts";
import type { Grant, MembershipRequest, OperatorOrder } from "./registers.ts";
import { rigAccount, rigCrypto, rigSigner } from "./rig.ts";

const fingerprint = "a".repeat(64);
const other = "b".repeat(64);
const [eu, hub, stranger] = [rigSigner(1), rigSigner(2), rigSigner(3)];
const quotas = { services: 1, endpoints: 1, identities: 1, bytesPerSecond: 1, recordsPerSecond: 1 };
const grant: Grant = { namespaces: [], cidrs: [], region: "r", zones: [], network: "", claims: [], quotas };
const request: MembershipRequest = {
  fingerprint,
  cluster: "eu" as ClusterName,
  signingKey: base64(eu.publicKey),
  accountKey: rigAccount("eu"),
  userKey: "U",
  root: "",
  wanted: grant,
  nonce: "AAAA",
};

describe("a membership", () => {
  const signed = signRequest(request, eu);
  const fields = {
    cluster: request.cluster,
    incarnation: 1,
    state: "active" as const,
    admittedMs: 1,
    grant,
    ...signed,
  };
  const entry = countersign(fields, hub, fingerprint);
  const verify = (value: typeof entry, key = hub.publicKey, print = fingerprint) =>
    verifyMembership(value, key, print, rigCrypto);

  it("verifies under the cluster's and the hub's key", () => {
    expect(verify(entry)).toEqual({ kind: "ok", request });
  });

  it.each([
    ["another hub", () => verify(entry, stranger.publicKey), "HSA3007"],
    ["another federation", () => verify(entry, hub.publicKey, other), "HSA3005"],
    ["a wider grant", () => verify({ ...entry, grant: { ...grant, namespaces: ["*"] } }), "HSA3007"],
    ["another incarnation", () => verify({ ...entry, incarnation: 2 }), "HSA3007"],
    ["another state", () => verify({ ...entry, state: "left" }), "HSA3007"],
    ["another time", () => verify({ ...entry, admittedMs: 2 }), "HSA3007"],
    [
      "a request for another name",
      () => verify(countersign({ ...fields, cluster: "us" as ClusterName }, hub, fingerprint)),
      "HSA3004",
    ],
    [
      "a request that the key did not sign",
      () => verify(countersign({ ...fields, ...signRequest(request, stranger) }, hub, fingerprint)),
      "HSA3001",
    ],
    [
      "a changed request",
      () => verify({ ...entry, request: entry.request.replace('"AAAA"', '"BBBB"') }),
      "HSA3001",
    ],
    ["a request that is no JSON", () => verify({ ...entry, request: "{" }), "HSA1004"],
    [
      "a reserved name",
      () => verifyRequest(JSON.stringify({ ...request, cluster: "hub" }), "", fingerprint, rigCrypto),
      "HSA1004",
    ],
  ])("is refused with %s", (_name, run, code) => {
    expect(run()).toMatchObject({ kind: "problem", code });
  });
});

describe("a command", () => {
  const operators = { keys: [eu, hub, stranger].map((signer) => base64(signer.publicKey)), threshold: 2 };
  const order: OperatorOrder = { do: "evict", cluster: "us" as ClusterName, incarnation: 1 };
  const payload = encodeCommand({ fingerprint, id: "c", atMs: 1, order });
  const by = (...signers: (typeof eu)[]) => signers.map((signer) => signCommand(payload, signer, rigCrypto));
  const verify = (signatures: ReturnType<typeof by>, text = payload, print = fingerprint) =>
    verifyCommand({ payload: text, signatures }, operators, print, rigCrypto).kind;

  it("needs k distinct operators over these very bytes", () => {
    expect(verify(by(eu, hub))).toBe("ok");
    expect(verify(by(eu, hub, stranger))).toBe("ok");
    expect(verify(by(eu))).toBe("problem");
    expect(verify(by(eu, eu))).toBe("problem");
    expect(verify(by(eu, rigSigner(9)))).toBe("problem");
    expect(verify(by(eu, hub), payload.replace('"incarnation":1', '"incarnation":2'))).toBe("problem");
    expect(verify(by(eu, hub), payload, other)).toBe("problem");
  });

  it.each<[string, object]>([
    ["an unknown order", { do: "wipe" }],
    ["an order of Object", { do: "toString" }],
    ["a threshold beyond the keys", { do: "operators", keys: operators.keys, threshold: 4, keeps: [] }],
    [
      "one operator twice",
      { do: "operators", keys: [operators.keys[0], operators.keys[0]], threshold: 2, keeps: [] },
    ],
    ["a key of another length", { do: "hubkey", key: "AAAA" }],
  ])("is refused with %s", (_name, wrong) => {
    const text = encodeCommand({ fingerprint, id: "c", atMs: 1, order: wrong as OperatorOrder });
    const signatures = [eu, hub].map((signer) => signCommand(text, signer, rigCrypto));
    expect(verify(signatures, text)).toBe("problem");
  });
});

describe("a heartbeat", () => {
  const head = { source: rigAccount("eu"), lane: "sum" as const, epoch: 1, seq: 1, head: "0".repeat(64) };
  const beat: Heartbeat = {
    source: rigAccount("eu"),
    bootMs: 1,
    counter: 2,
    own: [{ ...head, digest: "0".repeat(64) }],
    known: [head],
    acked: [],
    committed: [],
  };
  const bytes = signHeartbeat(beat, eu, fingerprint, rigCrypto);

  it("carries signed parts of records, each whole, within a bound", () => {
    const record = signRecord(
      {
        source: beat.source,
        lane: "sum",
        epoch: 1,
        seq: 1,
        prev: ZERO_HASH,
        key: keyIdOf(eu.publicKey, rigCrypto),
        traceparent: "",
      },
      utf8("[]"),
      eu,
      fingerprint,
      rigCrypto,
    );
    const hashes = recordHashes(record, rigCrypto);
    const shown = evidenceOf(record.header, hashes);
    const sent = (evidence: readonly unknown[]) =>
      decodeHeartbeat(signHeartbeat({ ...beat, evidence } as Heartbeat, eu, fingerprint, rigCrypto))?.beat;
    expect(sent([shown])?.evidence).toEqual([shown]);
    expect(verifyEvidence(shown, eu.publicKey, fingerprint, rigCrypto)).toBe(true);
    expect(verifyEvidence(shown, eu.publicKey, other, rigCrypto)).toBe(false);
    expect(evidenceHash(shown, rigCrypto)).toBe(hashes.record);
    for (const name of Object.keys(shown)) expect(sent([{ ...shown, [name]: "?" }]), name).toBeUndefined();
    expect(sent(Array(9).fill(shown))).toBeUndefined();
  });

  it("comes back and verifies", () => {
    const decoded = decodeHeartbeat(bytes)!;
    expect(decoded.beat).toEqual({ ...beat, evidence: [] });
    expect(verifyHeartbeat(decoded, eu.publicKey, fingerprint, rigCrypto)).toBe(true);
    expect(verifyHeartbeat(decoded, hub.publicKey, fingerprint, rigCrypto)).toBe(false);
    expect(verifyHeartbeat(decoded, eu.publicKey, other, rigCrypto)).toBe(false);
    const changed = { ...decoded, payload: decoded.payload.replace('"counter":2', '"counter":3') };
    expect(verifyHeartbeat(changed, eu.publicKey, fingerprint, rigCrypto)).toBe(false);
  });

  it.each(["", "{}", "[]", "null", '{"payload":"{}","key":"","sig":""}'])("of %s is refused", (text) => {
    expect(decodeHeartbeat(utf8(text))).toBeUndefined();
  });

  it("renews only by a later pair", () => {
    expect(isLaterBeat({ bootMs: 1, counter: 3 }, beat)).toBe(true);
    expect(isLaterBeat({ bootMs: 1, counter: 2 }, beat)).toBe(false);
    expect(isLaterBeat({ bootMs: 2, counter: 0 }, beat)).toBe(true);
    expect(isLaterBeat({ bootMs: 0, counter: 9 }, beat)).toBe(false);
  });
});

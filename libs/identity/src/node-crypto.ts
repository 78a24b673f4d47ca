/** The Crypto and Random ports on node:crypto. */
import { createPublicKey, hash, type KeyObject, randomFillSync, verify } from "node:crypto";
import type { Crypto, Random, Sha256, VerifyEd25519 } from "@hansa/core";

/** By way of a text: a third of what createHash or a buffer from `hash` costs for the short inputs of a log. */
const sha256: Sha256 = (data) => Buffer.from(hash("sha256", data, "binary"), "binary");

/** DER of SubjectPublicKeyInfo for Ed25519 up to the raw key (RFC 8410 §4). */
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");
const KEYS_MAX = 1024;
const keys = new Map<string, KeyObject>();

/** Parsing a key costs more than using it, and a federation has few keys. */
function keyObject(raw: Uint8Array): KeyObject {
  const name = Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString("base64");
  const known = keys.get(name);
  if (known !== undefined) return known;
  const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: "der", type: "spki" });
  if (keys.size >= KEYS_MAX) keys.clear();
  keys.set(name, key);
  return key;
}

const verifyEd25519: VerifyEd25519 = (publicKey, message, signature) => {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  try {
    return verify(null, message, keyObject(publicKey), signature);
  } catch {
    return false;
  }
};

export const nodeCrypto: Crypto = { sha256, verify: verifyEd25519 };

export const nodeRandom: Random = {
  bytes: (count) => randomFillSync(new Uint8Array(count)),
  float: () => new DataView(randomFillSync(new Uint8Array(4)).buffer).getUint32(0) / 2 ** 32,
};

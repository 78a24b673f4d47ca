/** For specs only: real SHA-256 and Ed25519 with keys made from a number, so that runs repeat. */
import type { AccountKey, Crypto, Signer } from "@hansa/core";

const { createHash, createPrivateKey, createPublicKey, sign, verify } =
  process.getBuiltinModule("node:crypto");

const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");
const SPKI = Buffer.from("302a300506032b6570032100", "hex");

const publicKeys = new Map<string, ReturnType<typeof createPublicKey>>();

function publicKeyOf(raw: Uint8Array): ReturnType<typeof createPublicKey> {
  const name = Buffer.from(raw).toString("hex");
  const known = publicKeys.get(name);
  if (known !== undefined) return known;
  const key = createPublicKey({ key: Buffer.concat([SPKI, raw]), format: "der", type: "spki" });
  publicKeys.set(name, key);
  return key;
}

export const rigCrypto: Crypto = {
  sha256: (data) => new Uint8Array(createHash("sha256").update(data).digest()),
  verify: (publicKey, message, signature) =>
    publicKey.length === 32 &&
    signature.length === 64 &&
    verify(null, message, publicKeyOf(publicKey), signature),
};

export function rigSigner(seed: number): Signer {
  const raw = createHash("sha256").update(`seed ${seed}`).digest();
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, raw]), format: "der", type: "pkcs8" });
  const spki = createPublicKey(key).export({ format: "der", type: "spki" });
  return {
    publicKey: new Uint8Array(spki.subarray(-32)),
    sign: (message) => new Uint8Array(sign(null, message, key)),
  };
}

const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** A well-formed account key. */
export const rigAccount = (name: string): AccountKey => {
  const bytes = createHash("sha512").update(name).digest();
  return `A${Array.from({ length: 55 }, (_, index) => BASE32[(bytes[index % 64] ?? 0) % 32]).join("")}` as AccountKey;
};

/**
 * Real SHA-256, and signatures that cost one hash: whoever knows the public key could forge them, so hostile parts of a
 * simulation must not (the real signatures are proved elsewhere).
 */
import { createHash } from "node:crypto";
import { type Crypto, concat, equalBytes, type Signer, utf8 } from "@hansa/core";

const sha256 = (data: Uint8Array): Uint8Array => new Uint8Array(createHash("sha256").update(data).digest());

const signatureOf = (publicKey: Uint8Array, message: Uint8Array): Uint8Array => {
  const half = sha256(concat(publicKey, message));
  return concat(half, half);
};

export const simCrypto: Crypto = {
  sha256,
  verify: (publicKey, message, signature) => equalBytes(signatureOf(publicKey, message), signature),
};

export function simSigner(name: string): Signer {
  const publicKey = sha256(utf8(`key of ${name}`));
  return { publicKey, sign: (message) => signatureOf(publicKey, message) };
}

/** Ed25519 keys that sign logs, memberships and operator commands. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { HansaError, hex, type Signer } from "@hansa/core";
import { nodeCrypto } from "./node-crypto.ts";

export interface SigningKey {
  readonly signer: Signer;
  /** PEM of the private key: for the key store only. */
  readonly pkcs8: string;
}

/** First 16 hex characters of sha256(raw public key). */
export const keyIdOf = (publicKey: Uint8Array): string => hex(nodeCrypto.sha256(publicKey)).slice(0, 16);

function signerOf(privateKey: KeyObject): Signer {
  const spki = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  return {
    publicKey: Uint8Array.from(spki.subarray(-32)),
    sign: (message) => sign(null, message, privateKey),
  };
}

export function newSigningKey(): SigningKey {
  const { privateKey } = generateKeyPairSync("ed25519");
  return {
    signer: signerOf(privateKey),
    pkcs8: privateKey.export({ format: "pem", type: "pkcs8" }) as string,
  };
}

/** Throws HSA1004 where the text is not an Ed25519 private key in PKCS#8 PEM. */
export function loadSigner(pkcs8: string): Signer {
  let key: KeyObject;
  try {
    key = createPrivateKey(pkcs8);
  } catch {
    throw new HansaError(
      "HSA1004",
      "signing key: not a PKCS#8 PEM private key; restore the file from its backup",
    );
  }
  if (key.asymmetricKeyType !== "ed25519")
    throw new HansaError("HSA1004", `signing key: ${key.asymmetricKeyType} instead of ed25519`);
  return signerOf(key);
}

/** NATS key pairs (nkeys) and user credentials. Seeds are secrets: callers keep them in files of mode 0600. */
import { type AccountKey, parseAccountKey } from "@hansa/core";
import { createAccount, createUser, fromSeed, type KeyPair } from "@nats-io/nkeys";

export interface BusKeys {
  readonly publicKey: string;
  readonly seed: string;
}

/** What a client presents: a user JWT and the seed of that user's key. */
export interface BusCredentials {
  readonly jwt: string;
  readonly seed: string;
}

const text = new TextDecoder();
const bytes = new TextEncoder();

export const keysOf = (pair: KeyPair): BusKeys => ({
  publicKey: pair.getPublicKey(),
  seed: text.decode(pair.getSeed()),
});

export function newAccountKeys(): { readonly publicKey: AccountKey; readonly seed: string } {
  const { publicKey, seed } = keysOf(createAccount());
  return { publicKey: publicKey as AccountKey, seed };
}

export const newUserKeys = (): BusKeys => keysOf(createUser());

export const pairFromSeed = (seed: string): KeyPair => fromSeed(bytes.encode(seed));

/** Account key of a seed; undefined where the seed is not an account's. */
export function accountKeyOf(seed: string): AccountKey | undefined {
  try {
    return parseAccountKey(pairFromSeed(seed).getPublicKey());
  } catch {
    return undefined;
  }
}

/** `U…` public nkey of 56 characters. */
export const isUserKey = (candidate: string): boolean => /^U[A-Z2-7]{55}$/.test(candidate);

/** Ed25519 signature by the key of this seed: proof of possession at a join. */
export const signWithSeed = (seed: string, message: Uint8Array): Uint8Array =>
  pairFromSeed(seed).sign(message);

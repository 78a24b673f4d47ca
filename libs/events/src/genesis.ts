/** Genesis: the federation's birth certificate. Its hash is the fingerprint that everything else names (design §4). */
import { type Crypto, canonicalBytes, type FederationName, hex } from "@hansa/core";

export interface Genesis {
  readonly format: 1;
  readonly federation: FederationName;
  /** base64 raw Ed25519 key of the hub's log. */
  readonly hubKey: string;
  /** NATS account key of the hub: the source token of its log. */
  readonly hubAccount: string;
  readonly operators: { readonly keys: readonly string[]; readonly threshold: number };
  /** Loopback addresses may be granted only where true. */
  readonly lab: boolean;
  readonly createdMs: number;
}

/** Hex sha256 of the canonical JSON. */
export const fingerprintOf = (genesis: Genesis, crypto: Pick<Crypto, "sha256">): string =>
  hex(crypto.sha256(canonicalBytes(genesis)));

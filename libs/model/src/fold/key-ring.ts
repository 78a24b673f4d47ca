/** Signing keys of one source, in the order in which they came into force. Only the latest one may still sign. */
import { type Crypto, fromBase64 } from "@hansa/core";
import { keyIdOf } from "@hansa/events";

export interface RingKey {
  readonly id: string;
  /** base64 raw Ed25519. */
  readonly base64: string;
  readonly raw: Uint8Array;
  readonly rank: number;
}

export class KeyRing {
  readonly #crypto: Crypto;
  readonly #keys = new Map<string, RingKey>();
  #latest: RingKey | undefined;

  constructor(crypto: Crypto) {
    this.#crypto = crypto;
  }

  /** `inOrder`: base64 keys, the latest last. True where the ring changed. */
  set(inOrder: readonly string[]): boolean {
    const before = [...this.#keys.keys()].join();
    this.#keys.clear();
    this.#latest = undefined;
    for (const [rank, base64] of inOrder.entries()) {
      const raw = fromBase64(base64);
      if (raw === undefined) continue;
      const key = { id: keyIdOf(raw, this.#crypto), base64, raw, rank };
      this.#keys.delete(key.id);
      this.#keys.set(key.id, key);
      this.#latest = key;
    }
    return before !== [...this.#keys.keys()].join();
  }

  get(id: string): RingKey | undefined {
    return this.#keys.get(id);
  }

  get latest(): RingKey | undefined {
    return this.#latest;
  }

  all(): Iterable<RingKey> {
    return this.#keys.values();
  }

  readonly rank = (id: string): number => this.#keys.get(id)?.rank ?? -1;
}

/**
 * Digests of live registers (design §3): what two folds, or a writer and its readers, compare. A lane's digest covers
 * (key, value hash) only, so it does not depend on epochs, sequences or history. Kept as buckets under one root, so
 * that a change costs one bucket and not the lane.
 */
import { type Crypto, hex, utf8 } from "@hansa/core";
import type { Lane } from "./registers.ts";

const BUCKETS = 1024;

/** Hex hash of a value, by its canonical JSON as sent. */
export const valueHash = (canonical: string, crypto: Pick<Crypto, "sha256">): string =>
  hex(crypto.sha256(utf8(canonical)));

/** FNV-1a: spreads keys; needs no secrecy, a source can only slow the digest of its own lane. */
function bucketOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index++) {
    hash ^= key.charCodeAt(index);
    hash = Math.imul(hash, 0x01000193);
  }
  return (hash >>> 0) % BUCKETS;
}

interface Bucket {
  readonly hashes: Map<string, string>;
  /** Its number and digest; "" where it must be computed again. */
  line: string;
}

/** The digest of one lane, kept up to date register by register. */
export class LaneDigest {
  readonly #crypto: Pick<Crypto, "sha256">;
  readonly #buckets = new Array<Bucket | undefined>(BUCKETS);
  #count = 0;
  #digest = "";

  constructor(crypto: Pick<Crypto, "sha256">) {
    this.#crypto = crypto;
  }

  /** Live registers. */
  get count(): number {
    return this.#count;
  }

  /** Value hash of a live register. */
  get(key: string): string | undefined {
    return this.#buckets[bucketOf(key)]?.hashes.get(key);
  }

  /** `hash` null removes the key. */
  set(key: string, hash: string | null): void {
    const number = bucketOf(key);
    let bucket = this.#buckets[number];
    if (bucket === undefined) {
      if (hash === null) return;
      bucket = { hashes: new Map(), line: "" };
      this.#buckets[number] = bucket;
    }
    const before = bucket.hashes.get(key);
    if (before === (hash ?? undefined)) return;
    if (hash === null) bucket.hashes.delete(key);
    else bucket.hashes.set(key, hash);
    this.#count += hash === null ? -1 : before === undefined ? 1 : 0;
    bucket.line = "";
    this.#digest = "";
    if (bucket.hashes.size === 0) this.#buckets[number] = undefined;
  }

  /** Hex. */
  digest(): string {
    if (this.#digest === "") {
      const lines: string[] = [];
      for (const [number, bucket] of this.#buckets.entries())
        if (bucket !== undefined) lines.push(this.#line(number, bucket));
      this.#digest = hex(this.#crypto.sha256(utf8(`hansa-lane-v1\n${lines.join("\n")}`)));
    }
    return this.#digest;
  }

  #line(number: number, bucket: Bucket): string {
    if (bucket.line === "") {
      const lines = [...bucket.hashes.entries()]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, hash]) => `${key} ${hash}`);
      bucket.line = `${number} ${hex(this.#crypto.sha256(utf8(lines.join("\n"))))}`;
    }
    return bucket.line;
  }
}

/** Digest of a lane given as a whole. */
export function laneDigest(
  registers: Iterable<readonly [string, string]>,
  crypto: Pick<Crypto, "sha256">,
): string {
  const digest = new LaneDigest(crypto);
  for (const [key, hash] of registers) digest.set(key, hash);
  return digest.digest();
}

export interface LanePart {
  readonly source: string;
  readonly lane: Lane;
  readonly digest: string;
}

/** Digest of a federation; lanes without live registers are left out by the caller. */
export function stateDigest(lanes: readonly LanePart[], crypto: Pick<Crypto, "sha256">): string {
  const lines = lanes.map(({ source, lane, digest }) => `${source} ${lane} ${digest}`).sort();
  return hex(crypto.sha256(utf8(`hansa-state-v1\n${lines.join("\n")}`)));
}

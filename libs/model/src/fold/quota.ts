/**
 * Which registers of one type count where a source has more than its quota: the first in a fixed order of keys, so that
 * every fold picks the same ones whatever their history. A change costs one bucket, not the whole set.
 */

const BUCKETS = 1024;

interface Cut {
  readonly bucket: number;
  /** Keys of that bucket that still count. */
  readonly within: ReadonlySet<string>;
}

const EVERYTHING: Cut = { bucket: BUCKETS, within: new Set() };

function bucketOf(key: string): number {
  let hash = 0;
  for (let index = 0; index < key.length; index++) hash = (Math.imul(hash, 31) + key.charCodeAt(index)) | 0;
  return (hash >>> 0) % BUCKETS;
}

export class QuotaIndex {
  readonly #buckets: Set<string>[] = Array.from({ length: BUCKETS }, () => new Set<string>());
  #count = 0;
  #cut: Cut = EVERYTHING;

  get count(): number {
    return this.#count;
  }

  add(key: string): void {
    const bucket = this.#buckets[bucketOf(key)]!;
    if (bucket.has(key)) return;
    bucket.add(key);
    this.#count += 1;
  }

  delete(key: string): void {
    if (this.#buckets[bucketOf(key)]!.delete(key)) this.#count -= 1;
  }

  has(key: string): boolean {
    return isWithin(this.#cut, bucketOf(key), key);
  }

  /** Moves the cut after changes; answers the keys that count now and did not, or the other way round. */
  settle(quota: number): string[] {
    const before = this.#cut;
    const after = this.#cutAt(quota);
    this.#cut = after;
    const flipped: string[] = [];
    const last = Math.min(Math.max(before.bucket, after.bucket), BUCKETS - 1);
    for (let number = Math.min(before.bucket, after.bucket); number <= last; number++)
      for (const key of this.#buckets[number]!)
        if (isWithin(before, number, key) !== isWithin(after, number, key)) flipped.push(key);
    return flipped;
  }

  #cutAt(quota: number): Cut {
    if (this.#count <= quota) return EVERYTHING;
    let rest = quota;
    for (const [number, bucket] of this.#buckets.entries()) {
      if (bucket.size > rest) return { bucket: number, within: new Set([...bucket].sort().slice(0, rest)) };
      rest -= bucket.size;
    }
    return EVERYTHING;
  }
}

const isWithin = (cut: Cut, bucket: number, key: string): boolean =>
  bucket < cut.bucket || (bucket === cut.bucket && cut.within.has(key));

/** Records whose source or key is not known yet, within a bound; the newest are refused, so that chains stay whole. */
import type { AccountKey } from "@hansa/core";
import type { ApplyOptions, FoldInput, FoldLimits } from "./types.ts";

export interface Parked {
  readonly input: FoldInput;
  readonly options: ApplyOptions;
}

export class Parking {
  readonly #limits: FoldLimits;
  readonly #byAccount = new Map<AccountKey, Map<string, Parked>>();
  #count = 0;
  #sizeBytes = 0;

  constructor(limits: FoldLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#count;
  }

  /** False where the bound refuses it. */
  add(parked: Parked): boolean {
    const { account, lane, record } = parked.input;
    const entries = this.#byAccount.get(account) ?? new Map<string, Parked>();
    const name = `${lane}/${record.header.key}/${record.header.epoch}.${record.header.seq}`;
    if (entries.has(name)) return true;
    const full =
      this.#count >= this.#limits.parkedMax ||
      entries.size >= this.#limits.parkedPerSourceMax ||
      this.#sizeBytes + record.body.length > this.#limits.parkedBytesMax;
    if (full) return false;
    entries.set(name, parked);
    this.#byAccount.set(account, entries);
    this.#count += 1;
    this.#sizeBytes += record.body.length;
    return true;
  }

  accounts(): Iterable<AccountKey> {
    return this.#byAccount.keys();
  }

  /** Takes out all of one account, in the order of its logs. */
  take(account: AccountKey): readonly Parked[] {
    const entries = [...(this.#byAccount.get(account)?.values() ?? [])];
    this.#byAccount.delete(account);
    this.#count -= entries.length;
    for (const { input } of entries) this.#sizeBytes -= input.record.body.length;
    return entries.sort((a, b) => {
      const left = a.input.record.header;
      const right = b.input.record.header;
      return left.epoch - right.epoch || left.seq - right.seq;
    });
  }
}

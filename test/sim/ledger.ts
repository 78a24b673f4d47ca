/**
 * What truly happened, written down beside the simulation: every register event that the broker stored and every change
 * of a cluster's facts. Judges what an observer's fold shows against it, at every change.
 */
import { canonicalJson } from "@hansa/core";
import {
  type BusRecord,
  decodeBody,
  type RegisterEvent,
  recordHash,
  verifyRecord,
  type WireRecord,
} from "@hansa/events";
import type { Federation } from "@hansa/model";
import type { Served } from "./served.ts";
import { simCrypto } from "./sim-crypto.ts";

/** A fact's value carries the number of the change that made it, so that old and new tell themselves apart. */
export type Fact = RegisterEvent & { readonly data: NonNullable<RegisterEvent["data"]> };

export class Truth {
  readonly facts = new Map<string, Fact>();
  readonly #generations = new Map<string, number>();
  /** Generation at which a key was last removed. */
  readonly #removed = new Map<string, number>();
  #generation = 0;

  next(): number {
    this.#generation += 1;
    return this.#generation;
  }

  set(fact: Fact, generation: number): void {
    this.facts.set(fact.key, fact);
    this.#generations.set(canonicalJson([fact.key, fact.data]), generation);
  }

  remove(key: string): void {
    this.facts.delete(key);
    this.#removed.set(key, this.next());
  }

  generationOf(key: string, data: unknown): number | undefined {
    return this.#generations.get(canonicalJson([key, data]));
  }

  removedAfter(key: string, generation: number): boolean {
    return (this.#removed.get(key) ?? 0) > generation;
  }
}

interface Stored {
  readonly epoch: number;
  readonly seq: number;
}

export class Ledger {
  /** Accounts of writers that mean well. */
  readonly honest = new Set<string>();
  /** Of the others: what they write under a bad signature is not written. */
  readonly keys = new Map<string, Uint8Array>();
  fingerprint = "";
  /** `account key epoch.seq` → values that this record gave the key. */
  readonly #written = new Map<string, Set<string>>();
  /** `account lane epoch.seq` → hash of the one record there. */
  readonly #hashes = new Map<string, string>();
  /** `account lane` → its last record in the present stream. */
  readonly #last = new Map<string, Stored>();
  #stored = 0;

  get stored(): number {
    return this.#stored;
  }

  /**
   * The stream is lost. What two agents of one cluster wrote by mistake may be known to nobody then (`rivals`, by
   * account): their positions may come again.
   */
  wiped(rivals: readonly string[]): void {
    this.#last.clear();
    for (const place of this.#hashes.keys())
      if (rivals.some((account) => place.startsWith(account))) this.#hashes.delete(place);
  }

  /** Throws where a writer broke its own log. */
  record({ account, record }: BusRecord): void {
    this.#stored += 1;
    const key = this.keys.get(account);
    if (key !== undefined && !verifyRecord(record, key, this.fingerprint, simCrypto)) return;
    const body = decodeBody(record.body);
    if (body.kind === "poison") return;
    for (const event of body.events) {
      if (event.key === "") continue;
      const name = `${account} ${event.key} ${record.header.epoch}.${record.header.seq}`;
      const values = this.#written.get(name) ?? new Set();
      values.add(canonicalJson(event.data));
      this.#written.set(name, values);
    }
    if (this.honest.has(account)) this.#judge(record);
  }

  #judge(record: WireRecord): void {
    const { source, lane, epoch, seq } = record.header;
    const name = `${source} ${lane}`;
    const last = this.#last.get(name);
    this.#last.set(name, { epoch, seq });
    const begins = seq === 1 && epoch > (last?.epoch ?? 0);
    if (!begins && (last?.epoch !== epoch || seq !== last.seq + 1))
      throw new Error(`${name}: ${epoch}.${seq} does not follow ${last?.epoch}.${last?.seq} in the stream`);
    const place = `${name} ${epoch}.${seq}`;
    const hash = recordHash(record, simCrypto);
    const other = this.#hashes.get(place);
    if (other !== undefined && other !== hash) throw new Error(`${place}: two records at one position`);
    this.#hashes.set(place, hash);
  }

  wrote(account: string, key: string, epoch: number, seq: number, value: unknown): boolean {
    return this.#written.get(`${account} ${key} ${epoch}.${seq}`)?.has(canonicalJson(value)) ?? false;
  }
}

/** One observer: what its fold may show next depends on what it has shown. */
export class Observer {
  readonly #name: string;
  readonly #ledger: Ledger;
  readonly #truths: ReadonlyMap<string, Truth>;
  readonly #served: Served;

  constructor(name: string, ledger: Ledger, truths: ReadonlyMap<string, Truth>, served: Served) {
    this.#name = name;
    this.#ledger = ledger;
    this.#truths = truths;
    this.#served = served;
  }

  /**
   * Throws where the fold shows what may not be. `rivals`: clusters with two agents that once wrote by mistake; the
   * older facts of one may show for a moment (one flap), never another source's and never at the end.
   */
  judge(
    fed: Federation,
    refs: Iterable<{ readonly cluster: string; readonly key: string }>,
    rivals: ReadonlySet<string>,
  ): void {
    for (const { cluster, key } of refs) {
      const truth = this.#truths.get(cluster);
      const source = fed.sourceByCluster(cluster);
      if (truth === undefined || source === undefined) continue;
      if (source.frozen && !rivals.has(cluster) && this.#ledger.honest.has(source.account))
        throw new Error(`${this.#name}: ${cluster} is frozen`);
      const view = fed.get(cluster, key);
      if (view !== undefined) {
        const { epoch, seq } = view.position;
        if (!this.#ledger.wrote(source.account, key, epoch, seq, view.value))
          this.#fail(cluster, key, `holds a value that ${epoch}.${seq} of its source did not write`);
      }
      this.#follow(truth, cluster, key, view?.value, rivals.has(cluster));
    }
  }

  /** At a start from disk: whatever was served is served again, or what came after it. */
  restarted(fed: Federation, self: string, rivals: ReadonlySet<string>): void {
    this.judge(
      fed,
      [...this.#served.all()].filter(({ cluster }) => cluster !== self),
      rivals,
    );
  }

  #follow(truth: Truth, cluster: string, key: string, value: unknown, rival: boolean): void {
    const before = this.#served.get(cluster, key);
    if (value === undefined) {
      if (before?.present && !rival && !truth.removedAfter(key, before.generation))
        this.#fail(cluster, key, "was lost although its source never withdrew it");
      if (before !== undefined) this.#served.set(cluster, key, { ...before, present: false });
      return;
    }
    const generation = truth.generationOf(key, value);
    if (generation === undefined) return;
    if (!rival && before !== undefined && generation < before.generation)
      this.#fail(cluster, key, `went back from change ${before.generation} to ${generation}`);
    if (!rival && before !== undefined && !before.present && generation === before.generation)
      this.#fail(cluster, key, `rose again at change ${generation}`);
    this.#served.set(cluster, key, { generation, present: true });
  }

  #fail(cluster: string, key: string, message: string): never {
    throw new Error(`${this.#name}: ${cluster} ${key} ${message}`);
  }
}

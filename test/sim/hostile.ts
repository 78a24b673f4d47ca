/**
 * A member that is hostile with all its rights: it may write its own log and beat, and it uses them to lie about others.
 * It never has another's key.
 */
import { type AccountKey, type Signer, utf8 } from "@hansa/core";
import {
  type BusRecord,
  encodeBody,
  keyIdOf,
  type Lane,
  membershipKey,
  type RegisterEvent,
  signHeartbeat,
  signRecord,
  type WireRecord,
  ZERO_HASH,
} from "@hansa/events";
import { serviceFact } from "./facts.ts";
import type { Machine } from "./kernel.ts";
import type { SimLogBus } from "./sim-bus.ts";
import { simCrypto } from "./sim-crypto.ts";

const ACT_MS = 1500;
const OVERHEARD_MAX = 200;

export interface HostileOptions {
  readonly machine: Machine;
  readonly bus: SimLogBus;
  readonly signer: Signer;
  readonly fingerprint: string;
  readonly hub: AccountKey;
}

export class Hostile {
  readonly #options: HostileOptions;
  readonly #overheard: BusRecord[] = [];
  #counter = 0;
  #epoch = 1;

  constructor(options: HostileOptions) {
    this.#options = options;
  }

  /** What it never withdraws, whatever its snapshots claim. */
  static readonly kept = serviceFact("kept", 1);

  async start(): Promise<void> {
    const { machine, bus } = this.#options;
    machine.timers.after(
      1000,
      () => void this.#write(this.#signed(encodeBody([Hostile.kept]))).catch(() => {}),
    );
    await bus.tail((record) => {
      if (record.account === bus.account) return;
      this.#overheard.push(record);
      if (this.#overheard.length > OVERHEARD_MAX) this.#overheard.shift();
    });
    machine.timers.every(ACT_MS, () => void this.#act().catch(() => {}));
  }

  async #act(): Promise<void> {
    const { random } = this.#options.machine;
    const lies = [
      () => this.#replay(),
      () => this.#write(this.#signed(utf8("[{"))),
      () => this.#write(this.#signed(encodeBody([this.#eviction()]))),
      () => this.#write(this.#unsigned()),
      () => this.#write(this.#signed(this.#falseSnapshot())),
      () => this.#accuse(),
    ];
    await lies[random.below(lies.length)]?.();
  }

  get #victim(): BusRecord | undefined {
    return this.#overheard[this.#options.machine.random.below(this.#overheard.length)];
  }

  /** Another's record, true to the byte, in the own log. */
  async #replay(): Promise<void> {
    const victim = this.#victim;
    if (victim !== undefined) await this.#write(victim.record);
  }

  async #write(record: WireRecord): Promise<void> {
    const { bus } = this.#options;
    const last = await bus.lastOwn(record.header.lane);
    await bus.publish(record, last?.streamSeq ?? 0);
  }

  #signed(body: Uint8Array, lane: Lane = "sum"): WireRecord {
    const { bus, signer, fingerprint } = this.#options;
    this.#epoch += 1;
    const key = keyIdOf(signer.publicKey, simCrypto);
    const header = {
      source: bus.account,
      lane,
      epoch: this.#epoch,
      seq: 1,
      prev: ZERO_HASH,
      key,
      traceparent: "",
    };
    return signRecord(header, body, signer, fingerprint, simCrypto);
  }

  #unsigned(): WireRecord {
    const { header, body } = this.#signed(encodeBody([serviceFact("forged", 1)]));
    return { header: { ...header, epoch: 2 ** 40, sig: `${"A".repeat(86)}==` }, body };
  }

  /** Whole and in order, but of another state than it claims: it sweeps nothing. */
  #falseSnapshot(): Uint8Array {
    const id = `${this.#epoch}.false`;
    return encodeBody([
      { type: "SnapshotBegin", v: 1, key: "", at: 1, data: { id } },
      { type: "SnapshotComplete", v: 1, key: "", at: 1, data: { id, digest: "0".repeat(64), count: 0 } },
    ]);
  }

  /** The end of a membership, by somebody who is not the hub. */
  #eviction(): RegisterEvent {
    return { type: "MembershipSet", v: 1, key: membershipKey("c0"), at: 1, data: null };
  }

  /** Beats that others' logs go further, hold other records, and are committed. */
  async #accuse(): Promise<void> {
    const { bus, signer, fingerprint, machine, hub } = this.#options;
    const victim = this.#victim;
    if (victim === undefined) return;
    const { source, lane, epoch, seq } = victim.record.header;
    const head = "0".repeat(64);
    const known = [
      { source, lane, epoch: epoch + machine.random.below(3), seq: seq + machine.random.below(3), head },
      { source: hub, lane: "sum" as const, epoch: 900_000, seq: 1, head },
    ];
    this.#counter += 1;
    const beat = {
      source: bus.account,
      bootMs: 1,
      counter: this.#counter,
      own: [],
      known,
      acked: known,
      committed: known,
    };
    await bus.publishBeat(signHeartbeat(beat, signer, fingerprint, simCrypto));
  }
}

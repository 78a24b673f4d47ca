/**
 * A hub for simulations: its own log, an archive that survives it, committed positions in its heartbeats, and the care of
 * the streams. The archive is a list instead of Postgres; everything else is the real code.
 */
import type { AccountKey, ClusterName, Signer } from "@hansa/core";
import {
  type BusRecord,
  decodeHeartbeat,
  fingerprintOf,
  type Genesis,
  type Head,
  type RegisterEvent,
  signHeartbeat,
  verifyHeartbeat,
  wantKey,
} from "@hansa/events";
import { Federation } from "@hansa/model";
import { nextBoot } from "../../services/agent/src/follow/boot.ts";
import type { memoryOutbox } from "../../services/agent/src/log/outbox.ts";
import { OwnLog } from "../../services/agent/src/log/own-log.ts";
import { alwaysElected } from "../../services/agent/src/log/writer-lock.ts";
import type { Disk, Ports } from "../../services/agent/src/ports.ts";
import type { Machine } from "./kernel.ts";
import type { SimBroker } from "./sim-broker.ts";
import type { SimLogBus } from "./sim-bus.ts";

const POLL_MS = 500;
const BEAT_MS = 2000;
const MEND_MS = 5000;
const READ_MAX = 256;
const WANT_MS = 30_000;

/** What survives the hub's process. */
export interface HubStore {
  readonly archive: BusRecord[];
  readonly memberships: Map<string, RegisterEvent>;
  readonly outbox: ReturnType<typeof memoryOutbox>;
  readonly disk: Disk;
  checkpoint: { incarnation: string; streamSeq: number };
}

export interface HubOptions {
  readonly genesis: Genesis;
  readonly account: AccountKey;
  readonly signer: Signer;
  readonly machine: Machine;
  readonly broker: SimBroker;
  readonly bus: SimLogBus;
  readonly ports: Ports;
  readonly store: HubStore;
}

export class HubDouble {
  readonly fed: Federation;
  readonly own: OwnLog;
  readonly bus: SimLogBus;
  readonly #options: HubOptions;
  readonly #fingerprint: string;
  readonly #bootMs: number;
  #counter = 0;
  #reading = false;

  constructor(options: HubOptions) {
    const { genesis, ports, store, account, signer, bus } = options;
    this.#options = options;
    this.bus = bus;
    this.#fingerprint = fingerprintOf(genesis, ports.crypto);
    this.#bootMs = nextBoot({ clock: ports.clock, disk: store.disk });
    this.fed = new Federation({ genesis, crypto: ports.crypto });
    for (const record of store.archive) this.fed.apply(record, { trusted: true, acceptGap: true });
    this.own = new OwnLog({
      account,
      signer,
      fingerprint: this.#fingerprint,
      bus,
      outbox: store.outbox,
      election: alwaysElected,
      ports,
      onStored: () => void this.#read(),
      highestSeen: () =>
        Promise.resolve(
          Math.max(0, ...this.fed.heads().flatMap((head) => (head.source === account ? head.epoch : []))),
        ),
    });
  }

  async start(): Promise<void> {
    const { bus, machine, store, broker } = this.#options;
    const mend = (): void => {
      if (bus.reachable) broker.ensureStream();
    };
    this.own.start();
    this.own.set([...store.memberships.values()]);
    this.own.synced();
    bus.connection(mend);
    machine.timers.every(MEND_MS, mend);
    machine.timers.every(POLL_MS, () => void this.#read());
    machine.timers.every(BEAT_MS, () => void this.#beat());
    machine.timers.every(WANT_MS, () => this.#want());
    await bus.tail(() => void this.#read());
    await bus.beats(({ account, bytes }) => this.#heard(account, bytes));
  }

  admit(event: RegisterEvent): void {
    this.#options.store.memberships.set(event.key, event);
    this.own.set([event]);
  }

  /** Reads on from the checkpoint; a batch is archived and folded in one step, as a transaction is. */
  async #read(): Promise<void> {
    const { bus, store } = this.#options;
    if (this.#reading) return;
    this.#reading = true;
    try {
      const incarnation = await bus.incarnation();
      if (incarnation !== store.checkpoint.incarnation) {
        store.checkpoint = { incarnation, streamSeq: 0 };
        this.own.announce();
      }
      for (;;) {
        const records = await bus.read(null, store.checkpoint.streamSeq + 1, READ_MAX);
        for (const record of records) this.#take(record);
        if (records.length < READ_MAX) return;
      }
    } catch {
      // The next poll goes on.
    } finally {
      this.#reading = false;
    }
  }

  #take(record: BusRecord): void {
    const { store } = this.#options;
    store.archive.push(record);
    store.checkpoint.streamSeq = record.streamSeq;
    const outcome = this.fed.apply(record);
    const changed = outcome.kind === "gap" ? this.fed.apply(record, { acceptGap: true }) : outcome;
    if (!("changed" in changed)) return;
    if (changed.changed.some(({ cluster, key }) => cluster !== "hub" && key === wantKey("hub")))
      this.own.wanted();
  }

  /** Asks whoever is degraded for a snapshot. */
  #want(): void {
    for (const { cluster, degraded } of this.fed.members())
      if (degraded)
        this.own.put("WantSet", wantKey(cluster), { nonce: String(this.#options.ports.random.float()) });
      else if (this.own.registers.get(wantKey(cluster)) !== undefined)
        this.own.put("WantSet", wantKey(cluster), null);
  }

  #heard(account: AccountKey, bytes: Uint8Array): void {
    const source = this.fed.source(account);
    const signed = decodeHeartbeat(bytes);
    if (source === undefined || signed === undefined || signed.beat.source !== account) return;
    if (!verifyHeartbeat(signed, source.signingKey, this.#fingerprint, this.#options.ports.crypto)) return;
    this.fed.observeBeat(signed.beat);
  }

  async #beat(): Promise<void> {
    const { bus, signer, account, ports } = this.#options;
    const heads: readonly Head[] = this.fed.heads();
    this.#counter += 1;
    const beat = {
      source: account,
      bootMs: this.#bootMs,
      counter: this.#counter,
      own: this.own.heads(),
      known: heads.filter(({ source }) => source !== account),
      acked: [],
      committed: heads,
      evidence: this.fed.evidence(this.#counter),
    };
    await bus.publishBeat(signHeartbeat(beat, signer, this.#fingerprint, ports.crypto));
  }
}

export const clusterName = (name: string): ClusterName => name as ClusterName;

/**
 * A federation on a real NATS: us is honest, evil is a member that holds its own keys and account and writes with them what
 * it likes. Readers take everything from the bus; the hub's own log comes from its archive.
 */
import {
  type BusRecord,
  decodeHeartbeat,
  type Heartbeat,
  type LogBus,
  serviceKey,
  signHeartbeat,
  verifyHeartbeat,
  type WireRecord,
} from "@hansa/events";
import { rigCrypto, rigSigner } from "@hansa/events/rig";
import type { Federation } from "@hansa/model";
import {
  admit,
  feed,
  fingerprint,
  newFederation,
  RigSource,
  rigHub,
  service,
} from "../../../libs/model/src/fold/rig.ts";
import { NatsWorld, retry } from "../../contract/log-bus.world.ts";

export const world = await NatsWorld.create(64);
export const PAY = serviceKey("shop", "pay");
/** Long after us, which was a member and exported `pay` before. */
export const EVIL_ADMITTED_MS = 1_000_000;

export interface Cluster {
  readonly source: RigSource;
  readonly bus: LogBus;
}

async function joined(name: string, seed: number): Promise<Cluster> {
  const bus = await world.join();
  return { bus, source: new RigSource(name, rigSigner(seed), bus.account) };
}

/** Each test has two members of its own, so that none reads what another left. */
export class League {
  readonly hub = rigHub();
  readonly us: Cluster;
  readonly evil: Cluster;
  readonly #from: number;

  private constructor(us: Cluster, evil: Cluster, from: number) {
    this.us = us;
    this.evil = evil;
    this.#from = from;
  }

  static async form(): Promise<League> {
    const [us, evil] = [await joined("us", 21), await joined("evil", 66)];
    const stored = await world.hub.read(null, 1, 256);
    const league = new League(us, evil, (stored.at(-1)?.streamSeq ?? 0) + 1);
    admit(admit(league.hub, us.source), evil.source, { admittedMs: EVIL_ADMITTED_MS }).write();
    await league.publish(us, service(us.source, "shop", "pay", 5000).write());
    return league;
  }

  /** As the writer's records stand, in their log's lane. */
  async publish({ bus }: Cluster, records: readonly Pick<BusRecord, "record">[]): Promise<void> {
    for (const { record } of records) await this.put(bus, record);
  }

  /** Any record at all, in this member's own log: nothing on the bus looks into it. */
  async put(bus: LogBus, record: WireRecord): Promise<void> {
    const expected = (await bus.lastOwn(record.header.lane))?.streamSeq ?? 0;
    const outcome = await bus.publish(record, expected);
    if (outcome.kind !== "stored") throw new Error(JSON.stringify(outcome));
  }

  /** Everything that members have written in this league, as any member reads it. */
  read(): Promise<BusRecord[]> {
    return this.us.bus.read(null, this.#from, 256);
  }

  /** A member's fold of it; what is refused stays refused. */
  async fold(): Promise<Federation> {
    const fed = newFederation();
    feed(fed, this.hub.log);
    for (const record of await this.read()) fed.apply(record, { acceptGap: true });
    return fed;
  }

  /** Publishes a beat of `from` and answers it as the other member reads it, verified. */
  async beat(from: Cluster, more: Partial<Heartbeat>): Promise<Heartbeat> {
    const empty = { own: [], known: [], acked: [], committed: [] };
    const beat: Heartbeat = { source: from.bus.account, bootMs: 1, counter: 1, ...empty, ...more };
    const sent = signHeartbeat(beat, from.source.signer, fingerprint, rigCrypto);
    await from.bus.publishBeat(sent);
    const { bytes } = await retry(async () => {
      const stored = await (from === this.us ? this.evil : this.us).bus.lastBeats();
      const found = stored.find(
        ({ account, bytes }) => account === beat.source && Buffer.compare(bytes, sent) === 0,
      );
      if (found === undefined) throw new Error("not heard yet");
      return found;
    });
    const signed = decodeHeartbeat(bytes);
    const { publicKey } = from.source.signer;
    if (signed === undefined || !verifyHeartbeat(signed, publicKey, fingerprint, rigCrypto))
      throw new Error("the beat does not verify");
    return signed.beat;
  }
}

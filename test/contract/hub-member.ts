/** A member of a real hub: its keys, its bus, and its `sum` log by the real writer. */
import { type BusCredentials, connectBus, newAccountKeys, newUserKeys } from "@hansa/bus";
import { type AccountKey, silentLog, systemTimers } from "@hansa/core";
import { type Genesis, type Grant, LaneWriter, type LogBus, type RegisterEvent } from "@hansa/events";
import { newSigningKey, nodeCrypto, nodeRandom, type SigningKey } from "@hansa/identity";

export interface JoinAnswer {
  readonly membership: { readonly incarnation: number; readonly grant: Grant };
  readonly genesis: Genesis;
  readonly fingerprint: string;
  readonly accountJwt: string;
  readonly userJwt: string;
  readonly nats: { readonly servers: readonly string[] };
  readonly hubCa: string;
  readonly apiToken: string;
}

export interface MemberKeys {
  readonly account: { readonly publicKey: AccountKey; readonly seed: string };
  readonly user: { readonly publicKey: string; readonly seed: string };
  readonly signing: SigningKey;
}

export const newMemberKeys = (): MemberKeys => ({
  account: newAccountKeys(),
  user: newUserKeys(),
  signing: newSigningKey(),
});

/** A member that writes its `sum` log with the real writer. */
export class HubMember {
  readonly cluster: string;
  readonly keys: MemberKeys;
  readonly answer: JoinAnswer;
  readonly writer: LaneWriter;
  #bus: LogBus | undefined;
  readonly #servers: readonly string[];
  readonly published: { epoch: number; seq: number; record: { header: unknown; body: Uint8Array } }[] = [];

  constructor(fingerprint: string, cluster: string, keys: MemberKeys, answer: JoinAnswer) {
    this.cluster = cluster;
    this.keys = keys;
    this.answer = answer;
    this.#servers = answer.nats.servers;
    this.writer = new LaneWriter({
      source: keys.account.publicKey,
      lane: "sum",
      signer: keys.signing.signer,
      fingerprint,
      crypto: nodeCrypto,
    });
  }

  async bus(): Promise<LogBus> {
    if (this.#bus !== undefined) return this.#bus;
    const creds: BusCredentials = { jwt: this.answer.userJwt, seed: this.keys.user.seed };
    const bus = await connectBus({
      servers: this.#servers,
      creds,
      account: this.keys.account.publicKey,
      log: silentLog,
      timers: systemTimers,
      random: nodeRandom,
    } as Parameters<typeof connectBus>[0]);
    this.#bus = bus;
    await new Promise<void>((resolve) => bus.connection((up) => up && resolve()));
    return bus;
  }

  /** Publishes these register values and answers the position of the last record. */
  async write(...events: RegisterEvent[]): Promise<{ epoch: number; seq: number }> {
    const bus = await this.bus();
    if (this.writer.mode === "closed") {
      for (const event of events) this.writer.set(event);
      this.writer.synced();
      this.writer.open(await bus.lastOwn("sum"), 0);
    }
    for (const event of events) this.writer.set(event);
    for (let next = this.writer.next(); next !== null; next = this.writer.next()) {
      const outcome = await bus.publish(next.record, next.expectedStreamSeq);
      if (outcome.kind === "stored") this.writer.stored(outcome.streamSeq);
      else this.writer.refused(await bus.lastOwn("sum"));
      this.published.push({
        epoch: next.record.header.epoch,
        seq: next.record.header.seq,
        record: next.record,
      });
    }
    const { epoch, seq } = this.writer.position();
    return { epoch, seq };
  }

  async close(): Promise<void> {
    await this.#bus?.close();
    this.#bus = undefined;
  }
}

export const service = (name: string, at = 1, exported = true): RegisterEvent => ({
  type: "ServiceSet",
  v: 1,
  key: `service/shop/${name}`,
  at,
  data: {
    type: "ClusterSetIP",
    ports: [{ name: "http", port: 80, protocol: "http" }],
    serviceAccounts: [name],
    createdMs: 1,
    export: exported ? { sinceMs: 1, to: "all" } : null,
  },
});

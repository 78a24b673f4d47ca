/**
 * A hub in enemy hands: the honest process is dead, its folder with every key it had is the attacker's. It writes the hub's
 * log as it likes, and, since it issues the bus's accounts, into members' logs as well.
 */
import { connectBus, connectHubBus, type HubBus, type Issuer, newUserKeys } from "@hansa/bus";
import { type AccountKey, type Signer, silentLog, systemClock, systemTimers } from "@hansa/core";
import {
  type BusRecord,
  countersign,
  keyIdOf,
  type LogBus,
  type MembershipValue,
  recordHash,
  signRecord,
  signRequest,
  ZERO_HASH,
} from "@hansa/events";
import { createAuthority, newSigningKey, nodeCrypto, nodeRandom } from "@hansa/identity";
import { loadKeys } from "../../../services/hub/src/keys.ts";
import type { HubRig } from "../../contract/hub-rig.ts";
import { retry } from "../../contract/log-bus.world.ts";

const ports = { log: silentLog, timers: systemTimers, random: nodeRandom };
const STREAMS = { sourcesMax: 8, recordsPerLogMax: 256 };
const PAGE = 256;

export interface Said {
  readonly type: string;
  readonly key: string;
  readonly data: unknown;
}

export class HostileHub {
  readonly bus: HubBus;
  readonly account: AccountKey;
  readonly signer: Signer;
  readonly fingerprint: string;
  readonly #issuer: Issuer;
  readonly #servers: readonly string[];
  readonly #stolen: LogBus[] = [];
  /** What the honest hub has said last, by register. */
  readonly #before = new Map<string, unknown>();

  static async of(rig: HubRig): Promise<HostileHub> {
    await rig.hub.kill();
    const keys = await loadKeys(rig.dir, { clock: systemClock, random: nodeRandom });
    const servers = [rig.nats.url];
    const accounts = () => Promise.resolve([]);
    const bus = await connectHubBus({ ...ports, servers, issuer: keys.issuer, streams: STREAMS, accounts });
    const hub = new HostileHub(bus, keys, servers);
    for (const { record } of await retry(() => hub.records()))
      if (record.header.source === hub.account)
        for (const { key, data } of JSON.parse(new TextDecoder().decode(record.body)) as Said[])
          hub.#before.set(key, data);
    return hub;
  }

  private constructor(bus: HubBus, keys: Awaited<ReturnType<typeof loadKeys>>, servers: readonly string[]) {
    this.bus = bus;
    this.account = keys.issuer.hubAccount;
    this.signer = keys.signer;
    this.fingerprint = keys.fingerprint;
    this.#issuer = keys.issuer;
    this.#servers = servers;
  }

  /** In the hub's own log, at its next place, rightly signed. */
  say(...events: Said[]): Promise<void> {
    return this.#write(this.bus, this.signer, events);
  }

  /** In a member's log, under the name of its key: the hub issues itself a user of that account. */
  async sayAs(account: AccountKey, signer: Signer, ...events: Said[]): Promise<void> {
    const user = newUserKeys();
    const jwt = await this.#issuer.issueUser({ accountKey: account, userKey: user.publicKey, name: "agent" });
    const creds = { jwt, seed: user.seed };
    const bus = await connectBus({ ...ports, servers: this.#servers, account, creds, name: "agent" });
    this.#stolen.push(bus);
    await this.#write(bus, signer, events);
  }

  async #write(bus: LogBus, signer: Signer, said: readonly Said[]): Promise<void> {
    const last = await retry(() => bus.lastOwn("sum"));
    await this.#put(bus, signer, last, said);
  }

  async #put(bus: LogBus, signer: Signer, last: BusRecord | null, said: readonly Said[]): Promise<void> {
    const body = new TextEncoder().encode(
      JSON.stringify(said.map((event) => ({ v: 1, at: systemClock.nowMs(), ...event }))),
    );
    const header = {
      source: bus.account,
      lane: "sum" as const,
      epoch: last?.record.header.epoch ?? 1,
      seq: (last?.record.header.seq ?? 0) + 1,
      prev: last === null ? ZERO_HASH : recordHash(last.record, nodeCrypto),
      key: last?.record.header.key ?? keyIdOf(signer.publicKey, nodeCrypto),
      traceparent: "",
    };
    const outcome = await bus.publish(
      signRecord(header, body, signer, this.fingerprint, nodeCrypto),
      last?.streamSeq ?? 0,
    );
    if (outcome.kind !== "stored") throw new Error(JSON.stringify(outcome));
  }

  /** Two records for one place of the hub's log, both rightly signed: the second right behind the first. */
  async sayTwoThings(first: Said, second: Said): Promise<void> {
    const before = await retry(() => this.bus.lastOwn("sum"));
    await this.#put(this.bus, this.signer, before, [first]);
    const after = await retry(() => this.bus.lastOwn("sum"));
    if (before === null || after === null) throw new Error("the hub's log is empty");
    await this.#put(this.bus, this.signer, { ...before, streamSeq: after.streamSeq }, [second]);
  }

  /** Everything on the bus, as a reader without defences takes it. */
  async records(): Promise<readonly BusRecord[]> {
    const all: BusRecord[] = [];
    for (;;) {
      const page = await this.bus.read(null, (all.at(-1)?.streamSeq ?? 0) + 1, PAGE);
      all.push(...page);
      if (page.length < PAGE) return all;
    }
  }

  /** The honest hub's last entry of `cluster` with other words in it, countersigned anew. */
  entry(cluster: string, change: Partial<MembershipValue>): MembershipValue {
    const { hubSignature: _, ...known } = this.#honest(cluster);
    return countersign({ ...known, ...change }, this.signer, this.fingerprint);
  }

  /** An entry for `cluster` whose request the attacker has signed with a key of its own. */
  entryWithKey(cluster: string, change: Partial<MembershipValue> = {}): MembershipValue {
    const key = newSigningKey().signer;
    const request = JSON.parse(this.#honest(cluster).request);
    const signed = signRequest(
      { ...request, signingKey: Buffer.from(key.publicKey).toString("base64") },
      key,
    );
    return this.entry(cluster, { ...change, ...signed });
  }

  #honest(cluster: string): MembershipValue {
    const value = this.#before.get(`membership/${cluster}`);
    if (value === undefined) throw new Error(`no entry of ${cluster}`);
    return value as MembershipValue;
  }

  /** A CA for somebody else's trust domain. */
  forgeAuthority(trustDomain: string) {
    return createAuthority({ trustDomain: trustDomain as never, clock: systemClock, random: nodeRandom });
  }

  async close(): Promise<void> {
    await Promise.all([this.bus, ...this.#stolen].map((bus) => bus.close()));
  }
}

/**
 * One real nats-server with the hub's two streams, the hub's log with every membership in it, and members with real
 * keys, accounts and grants. No hub process and no Postgres: nothing here waits for them.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type BusCredentials,
  connectBus,
  connectHubBus,
  createIssuer,
  type HubBus,
  type Issuer,
  natsServerConfig,
  newAccountKeys,
  newIssuerKeys,
  newUserKeys,
  storageBytesFor,
} from "@hansa/bus";
import {
  type AccountKey,
  base64,
  type ClusterName,
  type FederationName,
  silentLog,
  systemTimers,
  trustDomainOf,
} from "@hansa/core";
import {
  countersign,
  fingerprintOf,
  type Genesis,
  type Grant,
  LaneWriter,
  type LogBus,
  type MembershipValue,
  membershipKey,
  type Quotas,
  type RegisterEvent,
  signRequest,
} from "@hansa/events";
import { newSigningKey, nodeCrypto, nodeRandom, type SigningKey } from "@hansa/identity";
import { freePort } from "../../../deploy/tools/child.ts";
import { type Nats, startNats } from "../../../deploy/tools/nats.ts";

const HOST = "127.0.0.1";
const FEDERATION = "bench.hansa" as FederationName;
const STREAMS = { sourcesMax: 16, recordsPerLogMax: 2048 };
export const REGION = "region-1";
export const ZONES = ["zone-a", "zone-b"];

export interface Member {
  readonly cluster: ClusterName;
  readonly number: number;
  readonly account: AccountKey;
  readonly accountSeed: string;
  readonly userPublicKey: string;
  readonly key: SigningKey;
  readonly creds: BusCredentials;
  readonly membership: MembershipValue;
}

export class ScaleWorld {
  readonly folder: string;
  readonly genesis: Genesis;
  readonly fingerprint: string;
  readonly url: string;
  readonly #hubKey: SigningKey;
  readonly #issuer: Issuer;
  readonly #hub: HubBus;
  readonly #nats: Nats;
  readonly #jwts: string[];
  readonly #writer: LaneWriter;
  readonly #buses: LogBus[] = [];

  static async start(): Promise<ScaleWorld> {
    const issuer = await createIssuer(newIssuerKeys(), FEDERATION);
    const folder = mkdtempSync(join(tmpdir(), "hansa-scale-"));
    const port = await freePort(HOST);
    const config = natsServerConfig({
      issuer,
      host: HOST,
      port,
      serverName: "bench",
      storeDir: join(folder, "store"),
      resolverDir: join(folder, "accounts"),
      fileStoreBytesMax: storageBytesFor(STREAMS),
    });
    const nats = await startNats({ dir: folder, config, port });
    const jwts: string[] = [];
    const hub = await connectHubBus({
      servers: [nats.url],
      issuer,
      streams: STREAMS,
      accounts: () => Promise.resolve(jwts),
      log: silentLog,
      timers: systemTimers,
      random: nodeRandom,
    });
    const world = new ScaleWorld(issuer, hub, nats, jwts, folder);
    await retry(() => hub.ensureStreams());
    return world;
  }

  private constructor(issuer: Issuer, hub: HubBus, nats: Nats, jwts: string[], folder: string) {
    this.#issuer = issuer;
    this.#hub = hub;
    this.#nats = nats;
    this.#jwts = jwts;
    this.#hubKey = newSigningKey();
    this.folder = folder;
    this.url = nats.url;
    this.genesis = {
      format: 1,
      federation: FEDERATION,
      hubKey: base64(this.#hubKey.signer.publicKey),
      hubAccount: issuer.hubAccount,
      operators: { keys: [base64(newSigningKey().signer.publicKey)], threshold: 1 },
      lab: true,
      createdMs: 1,
    };
    this.fingerprint = fingerprintOf(this.genesis, nodeCrypto);
    this.#writer = new LaneWriter({
      source: issuer.hubAccount,
      lane: "sum",
      signer: this.#hubKey.signer,
      fingerprint: this.fingerprint,
      crypto: nodeCrypto,
    });
    this.#writer.open(null, 0);
    this.#writer.synced();
  }

  /** A member in the hub's log, with an account on the bus. */
  async admit(name: string, number: number, quotas: Quotas = GRANTED): Promise<Member> {
    const cluster = name as ClusterName;
    const account = newAccountKeys();
    const user = newUserKeys();
    const key = newSigningKey();
    const jwt = await this.#issuer.issueAccount({ accountKey: account.publicKey, name });
    this.#jwts.push(jwt);
    await retry(() => this.#hub.pushAccount(jwt));
    const userJwt = await this.#issuer.issueUser({
      accountKey: account.publicKey,
      userKey: user.publicKey,
      name: "agent",
    });
    const grant = grantOf(number, quotas);
    const membership = this.#membership(cluster, grant, account.publicKey, user.publicKey, key);
    await this.#announce(cluster, membership);
    return {
      cluster,
      number,
      account: account.publicKey,
      accountSeed: account.seed,
      userPublicKey: user.publicKey,
      key,
      creds: { jwt: userJwt, seed: user.seed },
      membership,
    };
  }

  #membership(
    cluster: ClusterName,
    grant: Grant,
    accountKey: AccountKey,
    userKey: string,
    key: SigningKey,
  ): MembershipValue {
    const request = {
      fingerprint: this.fingerprint,
      cluster,
      signingKey: base64(key.signer.publicKey),
      accountKey,
      userKey,
      root: "",
      wanted: grant,
      nonce: base64(nodeRandom.bytes(16)),
    };
    const signed = signRequest(request, key.signer);
    const fields = { cluster, incarnation: 1, state: "active" as const, admittedMs: 10, grant, ...signed };
    return countersign(fields, this.#hubKey.signer, this.fingerprint);
  }

  async #announce(cluster: ClusterName, value: MembershipValue): Promise<void> {
    const key = membershipKey(cluster);
    const problem = this.#writer.set({
      type: "MembershipSet",
      v: 1,
      key,
      at: 5,
      data: value,
    } as RegisterEvent);
    if (problem !== undefined) throw new Error(problem);
    for (let next = this.#writer.next(); next !== null; next = this.#writer.next()) {
      const { record, expectedStreamSeq } = next;
      const outcome = await this.#hub.publish(record, expectedStreamSeq);
      if (outcome.kind !== "stored") throw new Error(`the hub's record: ${JSON.stringify(outcome)}`);
      this.#writer.stored(outcome.streamSeq);
    }
  }

  async connect(member: Member): Promise<LogBus> {
    const bus = await connectBus({
      servers: [this.url],
      account: member.account,
      creds: member.creds,
      log: silentLog,
      timers: systemTimers,
      random: nodeRandom,
      requestTimeoutMs: 30_000,
    });
    this.#buses.push(bus);
    await retry(() => bus.incarnation());
    return bus;
  }

  async stop(): Promise<void> {
    for (const bus of this.#buses) await bus.close();
    await this.#hub.close();
    await this.#nats.stop();
    if (process.env.HANSA_BENCH_KEEP !== undefined) return;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const grantOf = (number: number, quotas: Quotas): Grant => ({
  namespaces: ["*"],
  cidrs: [`10.${number}.0.0/16`],
  region: REGION,
  zones: ZONES,
  network: "flat",
  claims: [],
  quotas,
});

/** What an agent asks for where its configuration says nothing. */
export const GRANTED: Quotas = {
  services: 10_000,
  endpoints: 100_000,
  identities: 10_000,
  bytesPerSecond: 4_000_000,
  recordsPerSecond: 500,
};

export const trustDomain = (cluster: string) => trustDomainOf(cluster as ClusterName, FEDERATION);

async function retry<T>(work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

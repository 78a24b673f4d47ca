/** A bus world on a real nats-server: one server, the hub, and each client behind a proxy of its own. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type BusCredentials,
  connectBus,
  connectHubBus,
  createIssuer,
  type HubBus,
  type Issuer,
  type IssuerKeys,
  natsServerConfig,
  newAccountKeys,
  newIssuerKeys,
  newUserKeys,
  storageBytesFor,
} from "@hansa/bus";
import { type AccountKey, type Random, silentLog, systemTimers } from "@hansa/core";
import type { LogBus } from "@hansa/events";
import { freePort } from "../../deploy/tools/child.ts";
import { type Nats, startNats } from "../../deploy/tools/nats.ts";
import { type BusWorld, RECORDS_PER_LOG_MAX } from "./log-bus.contract.ts";
import { type FaultyProxy, faultyProxy } from "./log-bus.proxy.ts";

export const ports = {
  log: silentLog,
  timers: systemTimers,
  random: {
    bytes: (count) => randomBytes(count),
    float: () => randomBytes(4).readUInt32BE() / 2 ** 32,
  } satisfies Random,
};

const HOST = "127.0.0.1";
const REQUEST_TIMEOUT_MS = 700;
const PATIENCE_MS = 20_000;
const SOURCES_MAX = 64;

export interface Member {
  readonly account: AccountKey;
  readonly accountSeed: string;
  readonly creds: BusCredentials;
}

export class NatsWorld implements BusWorld {
  readonly dir = mkdtempSync(join(tmpdir(), "hansa-bus-"));
  readonly keys: IssuerKeys;
  readonly issuer: Issuer;
  readonly port: number;
  readonly jwts = new Map<AccountKey, string>();
  readonly #clients = new Map<LogBus, { readonly member: Member; readonly proxy: FaultyProxy }>();
  readonly #recordsPerLogMax: number;
  #server: Nats | undefined;
  #hub: HubBus | undefined;

  /** `weaken`: another bus than the product's, for attacks that are to succeed. */
  static async create(
    recordsPerLogMax = RECORDS_PER_LOG_MAX,
    weaken = (issuer: Issuer, _keys: IssuerKeys): Promise<Issuer> => Promise.resolve(issuer),
  ): Promise<NatsWorld> {
    const keys = newIssuerKeys();
    const issuer = await weaken(await createIssuer(keys, "test.hansa"), keys);
    const world = new NatsWorld(keys, issuer, await freePort(HOST), recordsPerLogMax);
    await world.#serve();
    world.#hub = await connectHubBus({
      ...ports,
      servers: [`${HOST}:${world.port}`],
      issuer,
      streams: { sourcesMax: SOURCES_MAX, recordsPerLogMax },
      accounts: () => Promise.resolve([...world.jwts.values()]),
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
    });
    await world.#settled();
    return world;
  }

  private constructor(keys: IssuerKeys, issuer: Issuer, port: number, recordsPerLogMax: number) {
    this.#recordsPerLogMax = recordsPerLogMax;
    this.keys = keys;
    this.issuer = issuer;
    this.port = port;
  }

  get hub(): HubBus {
    if (this.#hub === undefined) throw new Error("the world is not made yet");
    return this.#hub;
  }

  get serverPid(): number {
    if (this.#server === undefined) throw new Error("no server runs");
    return this.#server.pid;
  }

  /** Credentials of a new cluster, issued and pushed while the server runs. */
  async admit(): Promise<Member> {
    const account = newAccountKeys();
    const user = newUserKeys();
    const jwt = await this.issuer.issueAccount({ accountKey: account.publicKey, name: "cluster" });
    this.jwts.set(account.publicKey, jwt);
    await retry(() => this.hub.pushAccount(jwt));
    const userJwt = await this.issuer.issueUser({
      accountKey: account.publicKey,
      userKey: user.publicKey,
      name: "agent",
    });
    return {
      account: account.publicKey,
      accountSeed: account.seed,
      creds: { jwt: userJwt, seed: user.seed },
    };
  }

  async join(): Promise<LogBus> {
    return this.connectAs(await this.admit());
  }

  async rival(bus: LogBus): Promise<LogBus> {
    return this.connectAs(this.#client(bus).member);
  }

  async connectAs(member: Member): Promise<LogBus> {
    const { bus } = await this.#prepare(member, true);
    await this.#connected(bus);
    return bus;
  }

  async early(): Promise<{ readonly bus: LogBus; serve(): Promise<void> }> {
    return this.#prepare(await this.admit(), false);
  }

  async #prepare(member: Member, served: boolean): Promise<{ readonly bus: LogBus; serve(): Promise<void> }> {
    const proxy = faultyProxy(await freePort(HOST), { host: HOST, port: this.port });
    if (served) await proxy.listen();
    const bus = await connectBus({
      ...ports,
      servers: [`${HOST}:${proxy.port}`],
      creds: member.creds,
      account: member.account,
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
    });
    this.#clients.set(bus, { member, proxy });
    return { bus, serve: () => proxy.listen() };
  }

  cut(bus: LogBus): Promise<void> {
    this.#client(bus).proxy.cut();
    return this.#connected(bus, false);
  }

  deafen(bus: LogBus): Promise<void> {
    this.#client(bus).proxy.deafen();
    return Promise.resolve();
  }

  async heal(bus: LogBus): Promise<void> {
    this.#client(bus).proxy.pass();
    await retry(() => bus.incarnation());
  }

  async restart(): Promise<void> {
    await this.#server?.stop();
    await this.#serve();
    await this.#settled();
  }

  async wipe(): Promise<void> {
    await this.#server?.kill();
    for (const part of ["store", "accounts"]) rmSync(join(this.dir, part), { recursive: true, force: true });
    await this.#serve();
    await this.#settled();
  }

  run<T>(work: Promise<T>): Promise<T> {
    return work;
  }

  async until(what: string, holds: () => boolean): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    while (!holds()) {
      if (Date.now() > deadline) throw new Error(`not in time: ${what}`);
      await sleep(5);
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#clients].map(([bus]) => bus.close()));
    await Promise.all([...this.#clients.values()].map(({ proxy }) => proxy.close()));
    await this.#hub?.close();
    await this.#server?.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }

  async #serve(): Promise<void> {
    const config = natsServerConfig({
      issuer: this.issuer,
      host: HOST,
      port: this.port,
      serverName: "test",
      storeDir: join(this.dir, "store"),
      resolverDir: join(this.dir, "accounts"),
      fileStoreBytesMax: storageBytesFor({
        sourcesMax: 2 * SOURCES_MAX,
        recordsPerLogMax: this.#recordsPerLogMax,
      }),
    });
    this.#server = await startNats({ dir: this.dir, config, port: this.port });
  }

  /** Every client that was not closed reaches a whole stream again. */
  async #settled(): Promise<void> {
    await retry(() => this.hub.ensureStreams());
    for (const bus of this.#clients.keys()) await retry(() => bus.incarnation());
  }

  async #connected(bus: LogBus, wanted = true): Promise<void> {
    let up: boolean | undefined;
    const unsubscribe = bus.connection((state) => {
      up = state;
    });
    await this.until(wanted ? "the client is connected" : "the loss is known", () => up === wanted);
    unsubscribe();
  }

  #client(bus: LogBus): { readonly member: Member; readonly proxy: FaultyProxy } {
    const client = this.#clients.get(bus);
    if (client === undefined) throw new Error("no client of this world");
    return client;
  }
}

export async function retry<T>(work: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(20);
    }
  }
}

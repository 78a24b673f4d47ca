/** A real hub process on a real nats-server and Postgres, and members that join it as an agent would. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { signWithSeed } from "@hansa/bus";
import { base64, utf8 } from "@hansa/core";
import {
  encodeCommand,
  type Grant,
  type MembershipRequest,
  type OperatorOrder,
  signCommand,
  signRequest,
} from "@hansa/events";
import { type ApiTarget, callApi, newSigningKey, nodeCrypto, nodeRandom } from "@hansa/identity";
import { openStore, type Store } from "@hansa/store";
import { parse, stringify } from "yaml";
import { freePort } from "../../deploy/tools/child.ts";
import { type Nats, startNats } from "../../deploy/tools/nats.ts";
import { openPostgres } from "../../deploy/tools/postgres.ts";
import { HubMember, type JoinAnswer, type MemberKeys, newMemberKeys } from "./hub-member.ts";

export { HubMember, type JoinAnswer, type MemberKeys, newMemberKeys, service } from "./hub-member.ts";

const MAIN = new URL("../../services/hub/src/main.ts", import.meta.url).pathname;

export interface Envelope<Data> {
  readonly apiVersion: string;
  readonly kind: string;
  readonly data: Data;
  readonly position: number;
  readonly committedAt: string;
}

export const until = async (
  what: string,
  holds: () => Promise<boolean> | boolean,
  limitMs = 20_000,
): Promise<void> => {
  const deadline = performance.now() + limitMs;
  let problem: unknown;
  while (performance.now() < deadline) {
    try {
      if (await holds()) return;
      problem = undefined;
    } catch (error) {
      problem = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${what}: not within ${limitMs} ms`, { cause: problem });
};

export class HubProcess {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;

  constructor(config: string, logFile: string) {
    const log: Buffer[] = existsSync(logFile) ? [readFileSync(logFile)] : [];
    this.child = spawn(process.execPath, [MAIN, "--config", config], { stdio: ["ignore", "ignore", "pipe"] });
    this.child.stderr?.on("data", (chunk: Buffer) => {
      log.push(chunk);
      writeFileSync(logFile, Buffer.concat(log));
    });
    this.exited = new Promise((resolve) => this.child.once("exit", resolve));
  }

  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.exited;
  }

  async stop(): Promise<number | null> {
    this.child.kill("SIGTERM");
    return this.exited;
  }
}

export const quotas = {
  services: 100,
  endpoints: 1000,
  identities: 100,
  bytesPerSecond: 1_000_000,
  recordsPerSecond: 100,
};

export const grantOf = (more: Partial<Grant> = {}): Grant => ({
  namespaces: ["shop"],
  cidrs: ["127.9.1.0/24"],
  region: "eu-west-1",
  zones: ["a"],
  network: "",
  claims: [],
  quotas,
  ...more,
});

export class HubRig {
  readonly folder = mkdtempSync(join(tmpdir(), "hansa-hub-"));
  readonly dir = join(this.folder, "hub");
  readonly operator = newSigningKey();
  config = "";
  fingerprint = "";
  apiPort = 0;
  postgresUrl = "";
  store!: Store;
  nats!: Nats;
  hub!: HubProcess;
  #admin!: Store;
  #database = "";
  #stopPostgres: () => Promise<void> = async () => {};
  #natsConfig = "";
  #natsPort = 0;

  /** `config`: changes to sections of the file that init wrote. */
  static async start(
    options: { readonly lab?: boolean; readonly config?: Readonly<Record<string, unknown>> } = {},
  ): Promise<HubRig> {
    const rig = new HubRig();
    await rig.#open(options.lab !== false);
    rig.setConfig(options.config ?? {});
    await rig.startHub();
    return rig;
  }

  async #open(lab: boolean): Promise<void> {
    const postgres = await openPostgres({ dataDir: join(this.folder, "pg") });
    this.#stopPostgres = () => postgres.stop();
    this.#admin = openStore({ url: postgres.url });
    this.#database = `hansa_hub_${process.pid}_${Math.floor(performance.now())}`;
    await this.#admin.db.query(`create database ${this.#database}`);
    const url = new URL(postgres.url);
    url.pathname = `/${this.#database}`;
    this.postgresUrl = url.href;
    this.store = openStore({ url: this.postgresUrl });
    this.#natsPort = await freePort("127.0.0.1");
    this.apiPort = await freePort("127.0.0.1");
    const result = runInit(this.dir, {
      federation: "lab.hansa",
      operators: base64(this.operator.signer.publicKey),
      threshold: "1",
      "api-hosts": "127.0.0.1",
      "api-port": String(this.apiPort),
      nats: `nats://127.0.0.1:${this.#natsPort}`,
      postgres: this.postgresUrl,
      ...(lab ? { lab: true } : {}),
    });
    if (result.status !== 0) throw new Error(`init: ${result.stderr}`);
    this.fingerprint = JSON.parse(result.stdout).fingerprint;
    this.config = join(this.dir, "hub.yaml");
    this.#natsConfig = readFileSync(join(this.dir, "nats.conf"), "utf8");
    await this.startNats();
  }

  setConfig(changes: Readonly<Record<string, unknown>>): void {
    const config = parse(readFileSync(this.config, "utf8")) as Record<string, unknown>;
    for (const [section, change] of Object.entries(changes))
      config[section] = typeof change === "object" ? { ...(config[section] as object), ...change } : change;
    writeFileSync(this.config, stringify(config));
  }

  async startNats(): Promise<void> {
    this.nats = await startNats({
      dir: join(this.folder, "nats"),
      config: this.#natsConfig,
      port: this.#natsPort,
    });
  }

  async startHub(ready = true): Promise<void> {
    this.hub = new HubProcess(this.config, join(this.folder, "hub.log"));
    if (ready)
      await until(
        "hub ready",
        async () => ((await this.get("/readyz", "")) as Envelope<unknown>).kind === "Ready",
      );
  }

  log(): string {
    return readFileSync(join(this.folder, "hub.log"), "utf8");
  }

  get adminToken(): string {
    return readFileSync(join(this.dir, "admin-token"), "utf8").trim();
  }

  target(token = this.adminToken): ApiTarget {
    return {
      url: `https://127.0.0.1:${this.apiPort}`,
      caPem: readFileSync(join(this.dir, "api-ca.pem"), "utf8"),
      token,
    };
  }

  async get<Data>(path: string, token = this.adminToken): Promise<Envelope<Data>> {
    return (await callApi(this.target(token), { path })) as Envelope<Data>;
  }

  async post<Data>(path: string, body: unknown, token = this.adminToken): Promise<Envelope<Data>> {
    return (await callApi(this.target(token), { method: "POST", path, body })) as Envelope<Data>;
  }

  /** Secret of a fresh join token. */
  async joinSecret(cluster: string, grant = grantOf(), ttlSeconds = 60): Promise<string> {
    const order = { kind: "join", cluster, grant, ttlSeconds };
    const { data } = await this.post<{ token: string }>("/v1/tokens", order);
    const ticket = JSON.parse(Buffer.from(data.token.slice("hansa1.".length), "base64url").toString());
    return ticket.secret;
  }

  async apiToken(role: string): Promise<string> {
    const { data } = await this.post<{ token: string }>("/v1/tokens", {
      kind: "api",
      name: `test ${role}`,
      role,
    });
    return data.token;
  }

  joinBody(cluster: string, keys: MemberKeys, secret: string, more: Partial<MembershipRequest> = {}) {
    const request: MembershipRequest = {
      fingerprint: this.fingerprint,
      cluster: cluster as MembershipRequest["cluster"],
      signingKey: base64(keys.signing.signer.publicKey),
      accountKey: keys.account.publicKey,
      userKey: keys.user.publicKey,
      root: base64(utf8("a root")),
      wanted: grantOf(),
      nonce: base64(nodeRandom.bytes(16)),
      ...more,
    };
    const signed = signRequest(request, keys.signing.signer);
    const proof = (seed: string) => base64(signWithSeed(seed, utf8(signed.request)));
    return {
      secret,
      request: signed.request,
      signature: signed.requestSignature,
      accountProof: proof(keys.account.seed),
      userProof: proof(keys.user.seed),
    };
  }

  async join(cluster: string, keys = newMemberKeys(), grant = grantOf()): Promise<HubMember> {
    const body = this.joinBody(cluster, keys, await this.joinSecret(cluster, grant), { wanted: grant });
    const { data } = await this.post<JoinAnswer>("/v1/join", body, "");
    return new HubMember(this.fingerprint, cluster, keys, data);
  }

  command(
    order: OperatorOrder,
    signer = this.operator.signer,
    id = `c-${Math.floor(performance.now() * 1000)}`,
  ) {
    const payload = encodeCommand({ fingerprint: this.fingerprint, id, atMs: Date.now(), order });
    return { payload, signatures: [signCommand(payload, signer, nodeCrypto)] };
  }

  /** For clients, as if the server were away: no new sessions, and none of the old. */
  async blockDatabase(name: string): Promise<void> {
    await this.#admin.db.query(`alter database ${name} with allow_connections false`);
    await this.#admin.db.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", [
      name,
    ]);
  }

  async unblockDatabase(name: string): Promise<void> {
    await this.#admin.db.query(`alter database ${name} with allow_connections true`);
  }

  async stop(): Promise<void> {
    if (this.hub.child.exitCode === null && this.hub.child.signalCode === null) await this.hub.stop();
    await this.nats.stop();
    await this.store.close();
    await this.#admin.db.query(`drop database if exists ${this.#database} with (force)`);
    await this.#admin.close();
    await this.#stopPostgres();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function runInit(dir: string, flags: Readonly<Record<string, string | true>>) {
  const args = Object.entries(flags).flatMap(([name, value]) =>
    value === true ? [`--${name}`] : [`--${name}`, value],
  );
  return spawnSync(process.execPath, [MAIN, "init", "--dir", dir, ...args], { encoding: "utf8" });
}

/** For specs only: a federation with real signatures whose logs are written by the real writer. */
import { base64, type ClusterName, type FederationName, type Signer, utf8 } from "@hansa/core";
import {
  type BusRecord,
  commandKey,
  countersign,
  encodeCommand,
  endpointKey,
  fingerprintOf,
  type Genesis,
  type Grant,
  keyIdOf,
  type Lane,
  LaneWriter,
  type MembershipValue,
  membershipKey,
  type OperatorOrder,
  type RegisterEvent,
  type RegisterType,
  type RegisterValues,
  recordHash,
  serviceKey,
  signCommand,
  signRecord,
  signRequest,
} from "@hansa/events";
import { rigAccount, rigCrypto, rigSigner } from "@hansa/events/rig";
import { Federation } from "./federation.ts";
import type { FoldLimits } from "./types.ts";

export const HUB = rigAccount("hub");
export const hubSigner = rigSigner(1);
export const operatorSigners = [rigSigner(11), rigSigner(12), rigSigner(13)];
export const keyText = (signer: Signer): string => base64(signer.publicKey);

export const genesis: Genesis = {
  format: 1,
  federation: "lab.hansa" as FederationName,
  hubKey: keyText(hubSigner),
  hubAccount: HUB,
  operators: { keys: operatorSigners.map(keyText), threshold: 2 },
  lab: false,
  createdMs: 1,
};
export const fingerprint = fingerprintOf(genesis, rigCrypto);

export const GRANT: Grant = {
  namespaces: ["shop"],
  cidrs: ["10.0.0.0/8"],
  region: "eu-west-1",
  zones: ["a", "b"],
  network: "",
  claims: [],
  quotas: { services: 100, endpoints: 1000, identities: 100, bytesPerSecond: 1e6, recordsPerSecond: 100 },
};

export const newFederation = (limits: Partial<FoldLimits> = {}): Federation =>
  new Federation({ genesis, crypto: rigCrypto, limits });

/** A source with its lanes; `log` grows with every record that is written. */
export class RigSource {
  readonly name: string;
  readonly account: BusRecord["account"];
  signer: Signer;
  readonly log: BusRecord[] = [];
  readonly #writers = new Map<Lane, LaneWriter>();

  constructor(name: string, signer: Signer, account = rigAccount(name)) {
    this.name = name;
    this.signer = signer;
    this.account = account;
  }

  writer(lane: Lane): LaneWriter {
    const known = this.#writers.get(lane);
    if (known !== undefined) return known;
    const writer = new LaneWriter({
      source: this.account,
      lane,
      signer: this.signer,
      fingerprint,
      crypto: rigCrypto,
    });
    writer.synced();
    writer.open(null, 0);
    this.#writers.set(lane, writer);
    return writer;
  }

  /** A writer that remembers nothing but the highest epoch: a new replica, or a new key. */
  restart(signer: Signer = this.signer): void {
    this.signer = signer;
    for (const [lane, old] of this.#writers) {
      const writer = new LaneWriter({ source: this.account, lane, signer, fingerprint, crypto: rigCrypto });
      writer.synced();
      writer.open(this.log.findLast((record) => record.lane === lane) ?? null, old.position().epoch);
      this.#writers.set(lane, writer);
    }
  }

  set<Type extends RegisterType>(type: Type, key: string, data: RegisterValues[Type], at = 5): this {
    const lane = type === "EndpointSet" ? "ep" : "sum";
    const problem = this.writer(lane).set({ type, v: 1, key, at, data } as unknown as RegisterEvent);
    if (problem !== undefined) throw new Error(problem);
    return this;
  }

  remove(key: string): this {
    this.writer(key.startsWith("endpoint/") ? "ep" : "sum").remove(key, 6);
    return this;
  }

  /** Publishes all that waits; answers the new records. */
  write(): BusRecord[] {
    const from = this.log.length;
    for (const lane of ["sum", "ep"] as const) {
      const writer = this.#writers.get(lane);
      if (writer === undefined) continue;
      for (let next = writer.next(); next !== null; next = writer.next()) {
        const streamSeq = this.log.length + 1;
        const previousStreamSeq = this.log.findLast((record) => record.lane === lane)?.streamSeq ?? 0;
        this.log.push({ record: next.record, account: this.account, lane, streamSeq, previousStreamSeq });
        writer.stored(streamSeq);
      }
    }
    return this.log.slice(from);
  }
}

export const rigHub = (): RigSource => new RigSource("hub", hubSigner, HUB);
export const rigCluster = (name: string, seed: number): RigSource => new RigSource(name, rigSigner(seed));

export interface MembershipChange {
  readonly grant?: Partial<Grant>;
  readonly incarnation?: number;
  readonly state?: MembershipValue["state"];
  readonly admittedMs?: number;
  /** Key in the request, where it is not the source's. */
  readonly signer?: Signer;
  readonly hub?: Signer;
}

export function membershipOf(source: RigSource, change: MembershipChange = {}): MembershipValue {
  const signer = change.signer ?? source.signer;
  const grant = { ...GRANT, ...change.grant };
  const cluster = source.name as ClusterName;
  const request = {
    fingerprint,
    cluster,
    signingKey: keyText(signer),
    accountKey: source.account,
    userKey: "U",
    root: "",
    wanted: grant,
    nonce: base64(rigCrypto.sha256(signer.publicKey)),
  };
  const { incarnation = 1, state = "active", admittedMs = 10 } = change;
  const fields = { cluster, incarnation, state, admittedMs, grant, ...signRequest(request, signer) };
  return countersign(fields, change.hub ?? hubSigner, fingerprint);
}

export const admit = (hub: RigSource, source: RigSource, change: MembershipChange = {}): RigSource =>
  hub.set("MembershipSet", membershipKey(source.name), membershipOf(source, change));

export function commandOf(
  order: OperatorOrder,
  id: string,
  signers = operatorSigners.slice(0, 2),
  atMs = 100,
) {
  const payload = encodeCommand({ fingerprint, id, atMs, order });
  return { payload, signatures: signers.map((signer) => signCommand(payload, signer, rigCrypto)) };
}

export const command = (
  carrier: RigSource,
  order: OperatorOrder,
  id: string,
  signers?: Signer[],
  atMs?: number,
): RigSource => carrier.set("CommandSet", commandKey(id), commandOf(order, id, signers, atMs));

export const service = (source: RigSource, namespace: string, name: string, created = 1): RigSource =>
  source.set("ServiceSet", serviceKey(namespace, name), {
    type: "ClusterSetIP",
    ports: [{ name: "http", port: 80, protocol: "http" }],
    serviceAccounts: [name],
    createdMs: created,
    export: { sinceMs: created, to: "all" },
  });

export const endpoint = (source: RigSource, name: string, id: string, address = "10.1.2.3"): RigSource =>
  source.set("EndpointSet", endpointKey("shop", name, id), {
    address,
    ports: { http: 8080 },
    ready: true,
    region: "eu-west-1",
    zone: "a",
    weight: 1,
    serviceAccount: name,
    workload: name,
  });

/** Applies in order; throws where a record does not simply apply. */
export function feed(fed: Federation, records: readonly BusRecord[]): void {
  for (const record of records) {
    const outcome = fed.apply(record);
    if (outcome.kind !== "applied") throw new Error(JSON.stringify(outcome));
  }
}

export const hashOf = (record: BusRecord): string => recordHash(record.record, rigCrypto);
export const keyId = (signer: Signer): string => keyIdOf(signer.publicKey, rigCrypto);

export interface RawRecord {
  readonly lane?: Lane;
  readonly epoch?: number;
  readonly seq: number;
  readonly prev: string;
  readonly body: unknown;
  readonly signer?: Signer;
  /** Signature bytes are those of another record. */
  readonly forged?: boolean;
}

/** A record written by hand, for what the real writer never does. */
export function rawRecord(source: RigSource, raw: RawRecord): BusRecord {
  const { lane = "sum", epoch = 1, seq, prev, body, signer = source.signer, forged = false } = raw;
  const bytes = body instanceof Uint8Array ? body : utf8(JSON.stringify(body));
  const header = { source: source.account, lane, epoch, seq, prev, key: keyId(signer), traceparent: "" };
  const signed = signRecord(header, forged ? utf8("other") : bytes, signer, fingerprint, rigCrypto);
  return {
    record: { header: signed.header, body: bytes },
    account: source.account,
    lane,
    streamSeq: seq,
    previousStreamSeq: seq - 1,
  };
}

/** Body of one event that sets a small register. */
export const wantBody = (peer: string, nonce: string | null): unknown => [
  { type: "WantSet", v: 1, key: `want/${peer}`, at: 1, data: nonce === null ? null : { nonce } },
];

/**
 * One cluster as its agent would write it: 300 services, 4 000 endpoints, both lanes by the real writer, signed, one
 * record in flight per lane. Remembers when a change was made and which record carried it.
 */
import { type AccountKey, systemClock, workloadId } from "@hansa/core";
import {
  type EndpointValue,
  endpointKey,
  identityKey,
  LANES,
  type Lane,
  LaneWriter,
  type LogBus,
  laneOf,
  loadKey,
  type RegisterEvent,
  type RegisterType,
  type RegisterValues,
  serviceKey,
  signHeartbeat,
} from "@hansa/events";
import { createAuthority, nodeCrypto, nodeRandom, toBundle } from "@hansa/identity";
import { monotonicMs } from "../support/numbers.ts";
import { type Member, REGION, trustDomain, ZONES } from "./world.ts";

/** Istio's published workload per cluster (ambient multi-cluster performance). */
export const SERVICES = 300;
export const ENDPOINTS = 4000;
/** Of the services, those that every cluster exports under the same name; the others are a cluster's own. */
const SHARED = 150;
const PORT = { name: "http", port: 80, protocol: "http" } as const;
const ROOTS_AT_MS = 1_700_000_000_000;

interface Place {
  readonly namespace: string;
  readonly service: string;
  readonly zone: string;
  readonly key: string;
  value: EndpointValue;
}

/** A change that a record carries. */
export interface Carried {
  readonly log: string;
  readonly seq: number;
  readonly startMs: number;
}

export class ClusterWriter {
  readonly member: Member;
  readonly carried: Carried[] = [];
  readonly #bus: LogBus;
  readonly #fingerprint: string;
  readonly #writers: ReadonlyMap<Lane, LaneWriter>;
  readonly #running = new Set<Lane>();
  readonly #places: Place[] = [];
  /** Endpoints per `<service> <zone>`, for its sums. */
  readonly #groups = new Map<string, Place[]>();
  #waiting: number[] = [];
  #beats = 0;
  readonly #bootMs = systemClock.nowMs();

  constructor(member: Member, bus: LogBus, fingerprint: string) {
    this.member = member;
    this.#bus = bus;
    this.#fingerprint = fingerprint;
    const { account: source, key } = member;
    const make = (lane: Lane): LaneWriter => {
      const writer = new LaneWriter({ source, lane, signer: key.signer, fingerprint, crypto: nodeCrypto });
      writer.open(null, 0);
      writer.synced();
      return writer;
    };
    this.#writers = new Map(LANES.map((lane) => [lane, make(lane)]));
  }

  get account(): AccountKey {
    return this.member.account;
  }

  /** Everything that the cluster says at its start. */
  async writeAll(): Promise<void> {
    const { cluster } = this.member;
    const authority = createAuthority({
      trustDomain: trustDomain(cluster),
      clock: systemClock,
      random: nodeRandom,
    });
    this.#set("BundleSet", "bundle", toBundle(authority, 1));
    for (let number = 0; number < SERVICES; number++) this.#service(number);
    for (let number = 0; number < ENDPOINTS; number++) this.#endpoint(number);
    for (const group of this.#groups.values()) this.#load(group);
    await Promise.all(LANES.map((lane) => this.#publish(lane)));
  }

  #service(number: number): void {
    const { namespace, service } = this.#nameOf(number);
    this.#set("ServiceSet", serviceKey(namespace, service), {
      type: "ClusterSetIP",
      ports: [PORT],
      serviceAccounts: [service],
      createdMs: ROOTS_AT_MS,
      export: { sinceMs: ROOTS_AT_MS, to: "all" },
    });
    const spiffeId = workloadId(trustDomain(this.member.cluster), namespace, service);
    this.#set("IdentitySet", identityKey(namespace, service), { spiffeId });
  }

  #nameOf(number: number): { readonly namespace: string; readonly service: string } {
    const namespace = number < SHARED ? "shared" : `own-${this.member.cluster}`;
    return { namespace, service: `service-${number}` };
  }

  #endpoint(number: number): void {
    const { namespace, service } = this.#nameOf(number % SERVICES);
    const zone = ZONES[number % ZONES.length] as string;
    const workload = `${service}-7d9c5b8f6`;
    const key = endpointKey(
      namespace,
      service,
      `${workload}.${workload}-${number.toString(36).padStart(5, "x")}`,
    );
    const value: EndpointValue = {
      address: `10.${this.member.number}.${number >> 8}.${number & 255}`,
      ports: { http: 15_006 },
      ready: true,
      region: REGION,
      zone,
      weight: 1,
      serviceAccount: service,
      workload,
    };
    const place = { namespace, service, zone, key, value };
    this.#places.push(place);
    const name = `${namespace}/${service} ${zone}`;
    this.#groups.set(name, [...(this.#groups.get(name) ?? []), place]);
    this.#set("EndpointSet", key, value);
  }

  #load(group: readonly Place[]): void {
    const [first] = group;
    if (first === undefined) return;
    const healthy = group.filter(({ value }) => value.ready).length;
    const sums = { healthy, total: group.length, desired: group.length, weight: healthy };
    this.#set("LoadSet", loadKey(first.namespace, first.service, PORT.name, REGION, first.zone), sums);
  }

  #set<Type extends RegisterType>(type: Type, key: string, data: RegisterValues[Type]): void {
    const event = { type, v: 1, key, at: systemClock.nowMs(), data } as unknown as RegisterEvent;
    const problem = this.#writers.get(laneOf(type))?.set(event);
    if (problem !== undefined) throw new Error(problem);
  }

  /** Turns one endpoint's readiness and starts to publish. The clock of this change starts here. */
  flip(number: number): void {
    this.#waiting.push(monotonicMs());
    this.#turn(number);
    for (const lane of LANES) void this.#publish(lane);
  }

  #turn(number: number): void {
    const place = this.#places[number % this.#places.length] as Place;
    place.value = { ...place.value, ready: !place.value.ready };
    this.#set("EndpointSet", place.key, place.value);
    this.#load(this.#groups.get(`${place.namespace}/${place.service} ${place.zone}`) ?? []);
  }

  /** One record per lane that is as full as the limits allow; its changes are not measured. */
  async fullRecord(from: number): Promise<void> {
    for (let index = 0; index < FULL; index++) this.#turn(from + index);
    await Promise.all(LANES.map((lane) => this.#publish(lane)));
  }

  async #publish(lane: Lane): Promise<void> {
    const writer = this.#writers.get(lane);
    if (writer === undefined || this.#running.has(lane)) return;
    this.#running.add(lane);
    try {
      for (let next = writer.next(); next !== null; next = writer.next()) {
        const { epoch: _epoch, seq } = next.record.header;
        if (lane === "ep")
          for (const startMs of this.#waiting.splice(0))
            this.carried.push({ log: `${this.account} ${lane}`, seq, startMs });
        const outcome = await this.#bus.publish(next.record, next.expectedStreamSeq);
        if (outcome.kind === "stored") writer.stored(outcome.streamSeq);
        else if (writer.refused(await this.#bus.lastOwn(lane)) === "fenced")
          throw new Error(`${this.member.cluster}: another writer has its lane ${lane}`);
      }
    } finally {
      this.#running.delete(lane);
    }
  }

  /** `<account> <lane>` → last record. */
  heads(): Record<string, number> {
    return Object.fromEntries(
      LANES.map((lane) => [`${this.account} ${lane}`, this.#writers.get(lane)?.position().seq ?? 0]),
    );
  }

  async beat(): Promise<void> {
    const beat = {
      source: this.account,
      bootMs: this.#bootMs,
      counter: this.#beats++,
      own: [...this.#writers.values()].flatMap((writer) => writer.head() ?? []),
      known: [],
      acked: [],
      committed: [],
    };
    await this.#bus.publishBeat(signHeartbeat(beat, this.member.key.signer, this.#fingerprint, nodeCrypto));
  }
}

/** Events of a full record; one place is the marker's. */
const FULL = 99;

/**
 * Load process of the benchmark: the own logs of several clusters by the agent's real path (join, facts, writer, synced
 * outbox, bus, PubAck), with changes offered as fast as they are taken. Tells every record that was acknowledged.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { connectBus } from "@hansa/bus";
import { fromBase64, noMetrics, silentLog, systemClock, systemTimers } from "@hansa/core";
import {
  type BusBeat,
  decodeHeartbeat,
  endpointKey,
  type LogBus,
  type RegisterEvent,
  recordHash,
  serviceKey,
  verifyHeartbeat,
} from "@hansa/events";
import { nodeCrypto, nodeRandom, openKeyStore } from "@hansa/identity";
import type { AgentConfig } from "../../../services/agent/src/config.ts";
import { folderDisk } from "../../../services/agent/src/disk.ts";
import { busIdentity, logSigner } from "../../../services/agent/src/identity/keys.ts";
import { ensureMembership } from "../../../services/agent/src/join.ts";
import { type Outbox, openOutbox } from "../../../services/agent/src/log/outbox.ts";
import { OwnLog } from "../../../services/agent/src/log/own-log.ts";
import { fileElection } from "../../../services/agent/src/log/writer-lock.ts";
import { placeOf } from "./place.ts";
import type { Acked, Order, Told } from "./talk.ts";

type Join = Extract<Order, { do: "join" }>;

/** Changes that wait in a lane: every record is full, and none waits long enough to be coalesced away. */
const WAITING = 300;
/** Records that the hub has not committed: beyond it a cluster holds back, far inside what the stream keeps. */
const UNCOMMITTED_MAX = 1200;
const PER_SERVICE = 50;
const LOOK_MS = 2;

const ports = {
  clock: systemClock,
  timers: systemTimers,
  random: nodeRandom,
  crypto: nodeCrypto,
  log: silentLog,
  metrics: noMetrics,
};
const acked: Acked[] = [];
const tell = (told: Told): void => void process.send?.(told);

interface Member {
  readonly own: OwnLog;
  readonly outbox: Outbox;
  readonly bus: LogBus;
  /** The next change of the next endpoint. */
  change(): RegisterEvent;
}

async function member(order: Join, cluster: string, token: string): Promise<Member> {
  const folder = join(order.folder, cluster);
  mkdirSync(folder, { recursive: true });
  const store = openKeyStore(join(folder, "keys"));
  const identity = busIdentity(store);
  const signer = logSigner(store);
  const place = placeOf(cluster);
  const config = {
    cluster,
    hub: { caPem: order.caPem },
    namespaces: ["shop"],
    claims: [],
    ...place,
  } as unknown as AgentConfig;
  const { genesis, fingerprint, userJwt } = await ensureMembership(
    { config, store, signer, bus: identity, ports },
    token,
  );
  const bus = await connectBus({
    servers: order.servers,
    account: identity.accountKey,
    creds: { jwt: userJwt, seed: identity.userSeed },
    name: `agent ${cluster}`,
    ...ports,
  });
  const outbox = openOutbox(join(folder, "outbox.db"));
  const own = new OwnLog({
    account: identity.accountKey,
    signer,
    fingerprint,
    bus,
    outbox,
    election: fileElection(join(folder, "writer.lock")),
    ports: { ...ports, disk: folderDisk(join(folder, "state")) },
    highestSeen: () => Promise.resolve(0),
    onStored: ({ record }) => {
      const { source, lane, epoch, seq } = record.header;
      acked.push({ source, lane, epoch, seq, hash: recordHash(record, nodeCrypto) });
    },
  });
  const hubKey = fromBase64(genesis.hubKey) ?? new Uint8Array();
  await bus.beats((beat) => dropCommitted(own, beat, genesis.hubAccount, hubKey, fingerprint));
  const change = changer(place.cidrs[0] ?? "", order.endpoints);
  own.set(services(order.endpoints));
  own.set(Array.from({ length: order.endpoints }, change));
  own.start();
  own.synced();
  return { own, outbox, bus, change };
}

/** As the agent does: what the hub's verified beat calls committed leaves the outbox. */
function dropCommitted(
  own: OwnLog,
  beat: BusBeat,
  hub: string,
  hubKey: Uint8Array,
  fingerprint: string,
): void {
  const signed = beat.account === hub ? decodeHeartbeat(beat.bytes) : undefined;
  if (signed === undefined || !verifyHeartbeat(signed, hubKey, fingerprint, nodeCrypto)) return;
  for (const head of signed.beat.committed)
    if (own.heads().some(({ source }) => source === head.source)) own.committed(head.lane, head);
}

const serviceOf = (index: number): string => `svc-${Math.floor(index / PER_SERVICE)}`;

const services = (endpoints: number): RegisterEvent[] =>
  Array.from({ length: Math.ceil(endpoints / PER_SERVICE) }, (_, index) => ({
    type: "ServiceSet",
    v: 1,
    key: serviceKey("shop", `svc-${index}`),
    at: ports.clock.nowMs(),
    data: {
      type: "ClusterSetIP",
      ports: [{ name: "http", port: 80, protocol: "http" }],
      serviceAccounts: [`svc-${index}`],
      createdMs: 1,
      export: { sinceMs: 1, to: "all" },
    },
  }));

/** Endpoints in turn; readiness changes with every round, so no change equals what is held. */
function changer(cidr: string, endpoints: number): () => RegisterEvent {
  const network = cidr.split(".", 2).join(".");
  let turn = 0;
  return () => {
    const index = turn % endpoints;
    const round = Math.floor(turn / endpoints);
    turn += 1;
    const service = serviceOf(index);
    return {
      type: "EndpointSet",
      v: 1,
      key: endpointKey("shop", service, `${service}-7d9f8b6c5-${index.toString(36).padStart(5, "0")}`),
      at: ports.clock.nowMs(),
      data: {
        address: `${network}.${(index >> 8) & 255}.${index & 255}`,
        ports: { http: 8080 },
        ready: round % 2 === 0,
        region: "eu-west-1",
        zone: "a",
        weight: 1,
        serviceAccount: service,
        workload: service,
      },
    };
  };
}

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await ports.timers.sleep(LOOK_MS);
};
const isQuiet = ({ own, outbox }: Member): boolean =>
  own.pending("ep") + own.pending("sum") === 0 && outbox.depth() === 0;

async function load(members: readonly Member[], changes: number): Promise<void> {
  let left = changes;
  while (left > 0) {
    for (const { own, outbox, change } of members) {
      if (outbox.depth() > UNCOMMITTED_MAX) continue;
      const room = Math.min(left, WAITING - own.pending("ep"));
      if (room < WAITING / 3) continue;
      own.set(Array.from({ length: room }, change));
      left -= room;
    }
    flush();
    // Publishing goes on between two looks; a longer pause would leave a lane idle.
    await new Promise((resolve) => setImmediate(resolve));
    if (members.every(({ own }) => own.pending("ep") > (2 * WAITING) / 3)) await ports.timers.sleep(LOOK_MS);
  }
}

function flush(all = false): void {
  if (acked.length >= 200 || all) tell({ told: "acked", records: acked.splice(0) });
}

let members: Member[] = [];

async function obey(order: Order): Promise<void> {
  if (order.do === "join") {
    for (const [cluster, token] of Object.entries(order.tokens))
      members.push(await member(order, cluster, token));
    await until(() => members.every(isQuiet));
    flush(true);
    tell({ told: "joined" });
  } else if (order.do === "load") {
    await load(members, order.changes);
    await until(() => members.every(isQuiet));
    flush(true);
    const digests = members.flatMap(({ own }) => own.heads());
    tell({
      told: "loaded",
      digests,
      overflowed: members.reduce((n, { outbox }) => n + outbox.overflowed(), 0),
    });
  } else {
    for (const { own, bus, outbox } of members) {
      own.stop();
      await bus.close();
      outbox.close();
    }
    members = [];
    process.disconnect();
  }
}

process.on("message", (order: Order) => {
  obey(order).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});

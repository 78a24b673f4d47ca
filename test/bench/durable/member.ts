/**
 * One cluster of the benchmark in a process of its own, by the agent's real path for its own log: join, facts, writer,
 * synced outbox, bus, PubAck. Changes are offered as fast as they are taken. It follows nobody's log: what readers cost is
 * another figure. Tells every record that was acknowledged.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { connectBus } from "@hansa/bus";
import { fromBase64, noMetrics, silentLog, systemClock, systemTimers } from "@hansa/core";
import {
  type BusBeat,
  decodeHeartbeat,
  endpointKey,
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
import { openOutbox } from "../../../services/agent/src/log/outbox.ts";
import { OwnLog } from "../../../services/agent/src/log/own-log.ts";
import { fileElection } from "../../../services/agent/src/log/writer-lock.ts";
import { placeOf } from "./place.ts";
import type { Acked, Order, Told } from "./talk.ts";

type Join = Extract<Order, { do: "join" }>;

/** Changes that wait in the lane: every record is full, and none waits long enough to be coalesced away. */
const WAITING = 300;
/**
 * Records that the hub has not committed: beyond it this cluster holds back. Several times what it writes between two
 * beats of the hub, which tell it, and far inside what the stream keeps.
 */
const UNCOMMITTED_MAX = 500;
const PER_SERVICE = 50;
const LOOK_MS = 200;

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

/** Changes that were asked for and not yet offered. */
let left = 0;

async function start(order: Join) {
  const { cluster, folder } = order;
  mkdirSync(folder, { recursive: true });
  const store = openKeyStore(join(folder, "keys"));
  const identity = busIdentity(store);
  const signer = logSigner(store);
  const place = placeOf(cluster);
  const hub = { caPem: order.caPem };
  const config = { cluster, hub, namespaces: ["shop"], claims: [], ...place } as unknown as AgentConfig;
  const parts = { config, store, signer, bus: identity, ports };
  const { genesis, fingerprint, userJwt } = await ensureMembership(parts, order.token);
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
      if (acked.length >= 100) flush();
      topUp();
    },
  });
  const change = changer(place.cidrs[0] ?? "", order.endpoints);
  const topUp = (): void => {
    if (left === 0 || outbox.depth() > UNCOMMITTED_MAX) return;
    const room = Math.min(left, WAITING - own.pending("ep"));
    left -= room;
    own.set(Array.from({ length: room }, change));
  };
  const hubKey = fromBase64(genesis.hubKey) ?? new Uint8Array();
  const drop = (beat: BusBeat): void => {
    const signed = beat.account === genesis.hubAccount ? decodeHeartbeat(beat.bytes) : undefined;
    if (signed === undefined || !verifyHeartbeat(signed, hubKey, fingerprint, nodeCrypto)) return;
    for (const head of signed.beat.committed)
      if (head.source === identity.accountKey) own.committed(head.lane, head);
  };
  own.set([...services(order.endpoints), ...Array.from({ length: order.endpoints }, change)]);
  own.start();
  own.synced();
  /** Until everything is acknowledged and the hub's verified beats call it committed. */
  const settled = async (): Promise<void> => {
    for (;;) {
      // The bus may be away for a moment, as for any agent.
      for (const beat of await bus.lastBeats().catch(() => [])) drop(beat);
      if (left + own.pending("ep") + own.pending("sum") + outbox.depth() === 0) return flush();
      topUp();
      await ports.timers.sleep(LOOK_MS);
    }
  };
  const stop = async (): Promise<void> => {
    own.stop();
    await bus.close();
    outbox.close();
  };
  return { own, outbox, settled, topUp, stop };
}

const flush = (): void => tell({ told: "acked", records: acked.splice(0) });

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

let member: Awaited<ReturnType<typeof start>> | undefined;

async function obey(order: Order): Promise<void> {
  if (order.do === "join") {
    member = await start(order);
    await member.settled();
    return tell({ told: "joined" });
  }
  if (order.do === "load") {
    if (member === undefined) throw new Error("load: not joined yet");
    left = order.changes;
    member.topUp();
    await member.settled();
    return tell({ told: "loaded", digests: member.own.heads(), overflowed: member.outbox.overflowed() });
  }
  await member?.stop();
  process.disconnect();
}

process.on("message", (order: Order) => {
  obey(order).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});

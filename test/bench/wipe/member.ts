/**
 * One cluster of the benchmark in a process of its own: the agent's core (own log with its synced outbox, follower,
 * heartbeats, fold, disk snapshot) on a real membership, without proxies. Every one of them writes and reads.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { connectBus } from "@hansa/bus";
import { canonicalJson, hex, noMetrics, silentLog, systemClock, systemTimers, utf8 } from "@hansa/core";
import { endpointKey, LANES, loadKey, type RegisterEvent, serviceKey } from "@hansa/events";
import { nodeCrypto, nodeRandom, openKeyStore } from "@hansa/identity";
import type { AgentConfig } from "../../../services/agent/src/config.ts";
import { AgentCore } from "../../../services/agent/src/core.ts";
import { folderDisk } from "../../../services/agent/src/disk.ts";
import { openJournal } from "../../../services/agent/src/follow/journal.ts";
import { busIdentity, logSigner } from "../../../services/agent/src/identity/keys.ts";
import { ensureMembership } from "../../../services/agent/src/join.ts";
import { openOutbox } from "../../../services/agent/src/log/outbox.ts";
import { fileElection } from "../../../services/agent/src/log/writer-lock.ts";
import { placeOf } from "../durable/place.ts";
import type { Order, State, Told } from "./talk.ts";

type Join = Extract<Order, { do: "join" }>;

const ports = {
  clock: systemClock,
  timers: systemTimers,
  random: nodeRandom,
  crypto: nodeCrypto,
  log: silentLog,
  metrics: noMetrics,
};
const tell = (told: Told): void => void process.send?.(told);

/** No gateways here; the data plane outlives a wipe of the bus, so every probe answers. */
const answering = { probe: async () => ({ ok: true, rttMs: 1 }) as const, close: () => {} };

async function member(order: Join) {
  const { cluster, folder } = order;
  mkdirSync(folder, { recursive: true });
  const store = openKeyStore(join(folder, "keys"));
  const identity = busIdentity(store);
  const signer = logSigner(store);
  const place = placeOf(cluster);
  const hub = { caPem: order.caPem };
  const config = { cluster, hub, namespaces: ["shop"], claims: [], ...place } as unknown as AgentConfig;
  const membership = await ensureMembership({ config, store, signer, bus: identity, ports }, order.token);
  const { genesis, userJwt } = membership;
  const bus = await connectBus({
    servers: order.servers,
    account: identity.accountKey,
    creds: { jwt: userJwt, seed: identity.userSeed },
    name: `agent ${cluster}`,
    ...ports,
  });
  const outbox = openOutbox(join(folder, "outbox.db"));
  const journal = openJournal(join(folder, "journal.jsonl"));
  const core = new AgentCore({
    genesis,
    cluster: membership.membership.cluster,
    account: identity.accountKey,
    signer,
    bus,
    outbox,
    journal,
    election: fileElection(join(folder, "writer.lock")),
    ports: { ...ports, disk: folderDisk(join(folder, "state")) },
    proberOf: () => answering,
    acked: () => [],
    onChanged: () => {},
    onSynced: () => {},
  });

  const state = async (): Promise<State> => {
    const incarnation = await bus.incarnation().catch(() => undefined);
    const own = core.own.heads();
    return {
      digest: core.fed.digest(),
      heads: core.fed.heads(),
      own,
      ownAgrees: own.every(({ source, lane, digest }) => core.fed.laneDigest(source, lane) === digest),
      pending: LANES.reduce((sum, lane) => sum + core.own.pending(lane), 0),
      synced: core.follower.synced,
      incarnation,
    };
  };
  const stop = async (): Promise<void> => {
    core.stop();
    await bus.close();
    outbox.close();
    journal.close();
  };
  return { cluster, network: place.cidrs[0] ?? "", core, state, stop };
}

/** A service with its load in one zone and the endpoint that this is the sum of. */
function factsOf(cluster: string, cidr: string, number: number): RegisterEvent[] {
  const service = `${cluster}-${number}`;
  const network = cidr.split(".", 2).join(".");
  const fact = (type: string, key: string, data: object): RegisterEvent =>
    ({ type, v: 1, key, at: ports.clock.nowMs(), data }) as unknown as RegisterEvent;
  return [
    fact("ServiceSet", serviceKey("shop", service), {
      type: "ClusterSetIP",
      ports: [{ name: "http", port: 80, protocol: "http" }],
      serviceAccounts: [service],
      createdMs: 1,
      export: { sinceMs: 1, to: "all" },
    }),
    fact("LoadSet", loadKey("shop", service, "http", "eu-west-1", "a"), {
      healthy: 1,
      total: 1,
      desired: 1,
      weight: 1,
    }),
    fact("EndpointSet", endpointKey("shop", service, `${service}-7d9f8b6c5-x2x4z`), {
      address: `${network}.${(number >> 8) & 255}.${number & 255}`,
      ports: { http: 8080 },
      ready: true,
      region: "eu-west-1",
      zone: "a",
      weight: 1,
      serviceAccount: service,
      workload: service,
    }),
  ];
}

function factsHeld({ fed }: AgentCore) {
  const held = fed
    .members()
    .flatMap(({ cluster }) =>
      (["ServiceSet", "LoadSet", "EndpointSet"] as const).flatMap((type) =>
        [...fed.ofType(cluster, type)].map(({ key, value }) => `${cluster} ${key} ${canonicalJson(value)}`),
      ),
    );
  return { digest: hex(nodeCrypto.sha256(utf8(held.sort().join("\n")))), registers: held.length };
}

let joined: Awaited<ReturnType<typeof member>> | undefined;

async function obey(order: Order): Promise<void> {
  if (order.do === "join") {
    joined = await member(order);
    return tell({ told: "joined" });
  }
  if (joined === undefined) throw new Error(`${order.do}: not joined yet`);
  const { core, cluster, network } = joined;
  if (order.do === "start") {
    await core.start();
    const numbers = Array.from({ length: order.services }, (_, number) => number);
    if (order.services > 0) core.facts(numbers.flatMap((number) => factsOf(cluster, network, number)));
    return tell({ told: "started" });
  }
  if (order.do === "facts") return tell({ told: "facts", ...factsHeld(core) });
  if (order.do === "look") return tell({ told: "state", state: await joined.state() });
  await joined.stop();
  process.disconnect();
}

process.on("message", (order: Order) => {
  obey(order).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});
process.on("disconnect", () => process.exit(0));

/** What the hub alone does on the bus: streams, accounts, the projector's feed. Real nats-server. */
import { join } from "node:path";
import { connectHubBus, createIssuer, type HubBus, natsServerConfig, newIssuerKeys } from "@hansa/bus";
import { isHansaError } from "@hansa/core";
import type { BusRecord, LogBus } from "@hansa/events";
import { connect, type JetStreamManager, jwtAuthenticator, type StreamConfig } from "nats";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { someRecord } from "./log-bus.contract.ts";
import { NatsWorld, ports, retry } from "./log-bus.world.ts";

const RECORDS_PER_LOG_MAX = 4096;
let world: NatsWorld;

beforeAll(async () => {
  world = await NatsWorld.create(RECORDS_PER_LOG_MAX);
});
afterAll(async () => {
  await world?.close();
});

async function store(bus: LogBus, count: number): Promise<number[]> {
  let last = (await bus.lastOwn("sum"))?.streamSeq ?? 0;
  const stored: number[] = [];
  for (let n = 0; n < count; n += 1) {
    const outcome = await bus.publish(someRecord(bus), last);
    if (outcome.kind !== "stored") throw new Error(JSON.stringify(outcome));
    last = outcome.streamSeq;
    stored.push(last);
  }
  return stored;
}

/** Streams as a raw client of the hub's account manages them. */
async function withStreams<T>(work: (streams: JetStreamManager["streams"]) => Promise<T>): Promise<T> {
  const creds = await world.issuer.hubCredentials();
  const client = await connect({
    servers: `127.0.0.1:${world.port}`,
    authenticator: jwtAuthenticator(creds.jwt, new TextEncoder().encode(creds.seed)),
  });
  try {
    return await work((await client.jetstreamManager()).streams);
  } finally {
    await client.close();
  }
}

const configOf = (name: string): Promise<Partial<StreamConfig>> =>
  withStreams(async (streams) => (await streams.info(name)).config);

const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe("streams", () => {
  it("have the settings of the design", async () => {
    expect(await configOf("FED")).toMatchObject({
      subjects: ["fed.*.*"],
      storage: "file",
      discard: "old",
      max_msgs_per_subject: RECORDS_PER_LOG_MAX,
      max_msg_size: 262_144,
      deny_delete: true,
      deny_purge: true,
      allow_rollup_hdrs: false,
      allow_direct: true,
      republish: { src: "fed.*.*", dest: "tail.{{wildcard(1)}}.{{wildcard(2)}}" },
    });
    expect(await configOf("BEAT")).toMatchObject({
      subjects: ["beat.*"],
      max_msgs_per_subject: 1,
      deny_purge: true,
      republish: { src: "beat.*", dest: "tail.{{wildcard(1)}}.beat" },
    });
  });

  it("are made once: the incarnation stays, the reserve only grows", async () => {
    const incarnation = await world.hub.ensureStreams();
    const before = (await configOf("FED")).max_bytes ?? 0;
    const size = { recordsPerLogMax: RECORDS_PER_LOG_MAX };
    expect(await world.hub.ensureStreams({ ...size, sourcesMax: 65 })).toBe(incarnation);
    const raised = (await configOf("FED")).max_bytes ?? 0;
    expect(raised).toBeGreaterThan(before);
    await world.hub.ensureStreams({ ...size, sourcesMax: 1 });
    expect((await configOf("FED")).max_bytes).toBe(raised);
  });

  it("that the server cannot reserve are refused with what to do", async () => {
    const error = await failure(
      world.hub.ensureStreams({ sourcesMax: 1_000_000, recordsPerLogMax: RECORDS_PER_LOG_MAX }),
    );
    expect(isHansaError(error) && error.code).toBe("HSA2002");
    expect(String(error)).toContain("max_file_store");
    await world.hub.ensureStreams({ sourcesMax: 65, recordsPerLogMax: RECORDS_PER_LOG_MAX });
  });

  it("made anew under a living connection are told as a new connection", async () => {
    const bus = await world.join();
    const before = await bus.incarnation();
    const states: boolean[] = [];
    const unsubscribe = bus.connection((up) => states.push(up));
    await withStreams((streams) => streams.delete("FED"));
    await retry(() => world.hub.ensureStreams());
    await world.until("it is told", () => states.length === 2);
    expect(states).toEqual([true, true]);
    expect(await bus.incarnation()).not.toBe(before);
    expect((await bus.publish(someRecord(bus), 0)).kind).toBe("stored");
    unsubscribe();
  });

  it("made by two hubs at once get one incarnation", async () => {
    await world.wipe();
    const [one, two] = await Promise.all([world.hub.ensureStreams(), world.hub.ensureStreams()]);
    expect(one).toBe(two);
  });
});

describe("accounts", () => {
  it("join while the server runs on", async () => {
    const pid = world.serverPid;
    const bus = await world.join();
    await store(bus, 1);
    expect(world.serverPid).toBe(pid);
  });

  it("are pushed again after the resolver lost them", async () => {
    const bus = await world.join();
    await world.wipe();
    expect((await bus.publish(someRecord(bus), 0)).kind).toBe("stored");
  });

  it("are refused as down while no server answers", async () => {
    const issuer = await createIssuer(newIssuerKeys(), "test.hansa");
    const hub = await connectHubBus({
      ...ports,
      servers: ["127.0.0.1:1"],
      issuer,
      streams: { sourcesMax: 1 },
      accounts: () => Promise.resolve([]),
    });
    const jwt = await issuer.issueAccount({ accountKey: issuer.hubAccount, name: "x" });
    for (const work of [hub.pushAccount(jwt), hub.ensureStreams(), hub.lastOwn("sum")]) {
      const error = await failure(work);
      expect(isHansaError(error) && error.code).toBe("HSA2010");
    }
    await hub.close();
  });
});

describe("reading", () => {
  it("gathers an answer that the server gives in pieces", async () => {
    const bus = await world.join();
    let last = 0;
    for (let n = 0; n < 80; n += 1) {
      const outcome = await bus.publish(
        { ...someRecord(bus), body: new Uint8Array(128 * 1024).fill(n) },
        last,
      );
      if (outcome.kind !== "stored") throw new Error(JSON.stringify(outcome));
      last = outcome.streamSeq;
    }
    const read = await bus.read({ account: bus.account, lane: "sum" }, 1, 256);
    expect(read.map(({ record }) => record.body[0])).toEqual(Array.from({ length: 80 }, (_, n) => n));
  });

  it("does not count the stream's own marker", async () => {
    await world.wipe();
    const bus = await world.join();
    const [first] = await store(bus, 1);
    const [read, ...more] = await bus.read(null, 1, 1);
    expect(more).toEqual([]);
    expect(read?.streamSeq).toBe(first);
  });
});

describe("the projector's feed", () => {
  interface Feed {
    readonly batches: (readonly BusRecord[])[];
    readonly starts: string[];
    sequences(): number[];
    stop(): Promise<void>;
  }

  /** Keeps its checkpoint as the archive does: with the batch, per incarnation. */
  function feed(hub: HubBus, from: number, fail: () => boolean = () => false): Feed {
    const checkpoints = new Map<string, number>();
    const batches: (readonly BusRecord[])[] = [];
    const starts: string[] = [];
    const { stop } = hub.consume({
      start: (incarnation) => {
        starts.push(incarnation);
        return Promise.resolve(checkpoints.get(incarnation) ?? (starts.length === 1 ? from : 1));
      },
      handle: (batch, incarnation) => {
        if (fail()) return Promise.reject(new Error("the archive is down"));
        batches.push(batch);
        checkpoints.set(incarnation, batch.at(-1)!.streamSeq + 1);
        return Promise.resolve();
      },
    });
    return { batches, starts, stop, sequences: () => batches.flat().map(({ streamSeq }) => streamSeq) };
  }

  it("gives every record once, in order, from the checkpoint on", async () => {
    const bus = await world.join();
    const stored = await store(bus, 30);
    const fed = feed(world.hub, stored[10]!);
    const more = await store(bus, 5);
    await world.until("it has caught up", () => fed.sequences().length >= 25);
    await fed.stop();
    expect(fed.sequences()).toEqual([...stored.slice(10), ...more]);
    expect(fed.batches[0]![0]).toMatchObject({
      account: bus.account,
      lane: "sum",
      previousStreamSeq: stored[9],
    });
  });

  it("gives at most 1000 at a time, and more than may be unacknowledged", async () => {
    const buses = await Promise.all([world.join(), world.join(), world.join(), world.join()]);
    const stored = (await Promise.all(buses.map((bus) => store(bus, 1050)))).flat().sort((a, b) => a - b);
    const fed = feed(world.hub, stored[0]!);
    await world.until("it has caught up", () => fed.sequences().length >= stored.length);
    await fed.stop();
    expect(fed.sequences()).toEqual(stored);
    expect(Math.max(...fed.batches.map((batch) => batch.length))).toBeLessThanOrEqual(1000);
    expect(fed.batches.length).toBeLessThan(200);
  });

  it("offers a batch again until it is taken, and loses and repeats nothing", async () => {
    const bus = await world.join();
    const [first] = await store(bus, 1);
    let failures = 0;
    const fed = feed(world.hub, first!, () => {
      failures += 1;
      return failures <= 2;
    });
    const more = await store(bus, 3);
    await world.until("it has caught up", () => fed.sequences().length >= 4);
    await fed.stop();
    expect(fed.sequences()).toEqual([first, ...more]);
    expect(failures).toBeGreaterThan(2);
  });

  it("goes on at the checkpoint after the server restarted", async () => {
    const bus = await world.join();
    const [first] = await store(bus, 1);
    const fed = feed(world.hub, first!);
    const stored = await store(bus, 3);
    await world.until("it has caught up", () => fed.sequences().length >= 4);
    await world.restart();
    const later = await retry(() => store(bus, 2));
    await world.until("it goes on", () => fed.sequences().length >= 6);
    await fed.stop();
    expect(fed.sequences()).toEqual([first, ...stored, ...later]);
    expect(new Set(fed.starts).size).toBe(1);
  });

  it("begins a new incarnation where the archive says", async () => {
    const bus = await world.join();
    const [first] = await store(bus, 1);
    const fed = feed(world.hub, first!);
    await world.until("it is fed", () => fed.sequences().length >= 1);
    await world.wipe();
    const [again] = await retry(() => store(bus, 1));
    await world.until("it is fed anew", () => fed.sequences().length >= 2);
    await fed.stop();
    expect(fed.sequences()).toEqual([first, again]);
    expect(new Set(fed.starts).size).toBe(2);
  });

  it("stops when told, in the middle of a failing batch too", async () => {
    const bus = await world.join();
    const [first] = await store(bus, 1);
    const fed = feed(world.hub, first!, () => true);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await fed.stop();
    expect(fed.sequences()).toEqual([]);
  });
});

describe("the server's configuration", () => {
  it("syncs every write, keeps members off everything but the bus, and names no secret", async () => {
    const keys = newIssuerKeys();
    const text = natsServerConfig({
      issuer: await createIssuer(keys, "test.hansa"),
      host: "127.0.0.1",
      port: 4222,
      serverName: "test",
      storeDir: join("/var/lib/nats", "store"),
      resolverDir: "/var/lib/nats/accounts",
      fileStoreBytesMax: 1,
    });
    expect(text).toContain("sync_interval: always");
    expect(text).toContain('listen: "127.0.0.1:4222"');
    for (const seed of Object.values(keys)) expect(text).not.toContain(seed);
  });
});

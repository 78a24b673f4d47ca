/** The agent's DNS server on real sockets, asked by c-ares (Node's Resolver) and by hand where c-ares never would. */
import { createSocket, type Socket as Datagram } from "node:dgram";
import { Resolver } from "node:dns/promises";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import {
  type Clock,
  type Metrics,
  noMetrics,
  silentLog,
  systemClock,
  systemTimers,
  type Timers,
} from "@hansa/core";
import { nodeRandom } from "@hansa/identity";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  clusterSetIp,
  endpoint,
  headless,
  queryOf,
  TestIndex,
  told,
} from "../../services/agent/src/dns/dns.fixture.ts";
import { DnsServer } from "../../services/agent/src/dns/server.ts";
import {
  CONNECTIONS_MAX,
  CONNECTIONS_PER_CLIENT_MAX,
  IDLE_MS_MAX,
  QUERY_BYTES_MAX,
  UNSENT_BYTES_MAX,
} from "../../services/agent/src/dns/tcp.ts";
import { until } from "./hub-rig.ts";

const PAY = "pay.shop.svc.clusterset.local";
const DB = "db.shop.svc.clusterset.local";
const DB_SIZE = 300;
const hosts = Array.from({ length: DB_SIZE }, (_, at) =>
  endpoint(`10.1.${at >> 8}.${at & 255}`, { hostname: `db-${at}` }),
);
const index = new TestIndex(clusterSetIp(), headless({ eu: hosts, us: [endpoint("fd02::1")] }));

/** Sweeps come when the test says. */
class TestTime implements Clock, Timers {
  offsetMs = 0;
  readonly #repeated: (() => void)[] = [];
  nowMs = () => systemClock.nowMs() + this.offsetMs;
  monotonicMs = () => systemClock.monotonicMs() + this.offsetMs;
  after = systemTimers.after;
  sleep = systemTimers.sleep;
  every(_periodMs: number, run: () => void) {
    this.#repeated.push(run);
    return { cancel: () => void this.#repeated.splice(this.#repeated.indexOf(run), 1) };
  }
  pass(ms: number): void {
    this.offsetMs += ms;
    for (const run of [...this.#repeated]) run();
  }
}

/** Told at each flush, which is when time passes. */
const answered = { count: 0 };
const metrics: Metrics = {
  ...noMetrics,
  count: (name, _labels, by = 1) => {
    if (name === "hansa_dns_answers_total") answered.count += by;
  },
};
const time = new TestTime();
let server: DnsServer;
let port: number;
const resolver = new Resolver({ timeout: 2000, tries: 1 });

beforeAll(async () => {
  const ports = { clock: time, timers: time, random: nodeRandom, log: silentLog, metrics };
  server = await DnsServer.start({
    listen: [
      { host: "127.0.0.1", port: 0 },
      { host: "::1", port: 0 },
    ],
    index,
    ports,
  });
  port = server.addresses[0]?.port as number;
  resolver.setServers([`127.0.0.1:${port}`]);
});
afterAll(() => server.close());

describe("c-ares", () => {
  it("resolves the addresses of a service", async () => {
    expect(await resolver.resolve4(PAY, { ttl: true })).toEqual([{ address: "10.42.0.7", ttl: 5 }]);
    expect(await resolver.resolve6(PAY)).toEqual(["fd42::7"]);
  });

  it("resolves ports, hosts and the version", async () => {
    expect(await resolver.resolveSrv(`_http._tcp.${PAY}`)).toMatchObject([
      { name: PAY, port: 80, priority: 0, weight: 100 },
    ]);
    expect(await resolver.resolve4(`db-7.eu.${DB}`)).toEqual(["10.1.0.7"]);
    expect(await resolver.resolve6(`fd02--1.us.${DB}`)).toEqual(["fd02::1"]);
    expect(await resolver.resolveTxt("dns-version.clusterset.local")).toEqual([["1.0.0"]]);
    expect(await resolver.resolveSoa("clusterset.local")).toMatchObject({
      nsname: "ns.dns.clusterset.local",
    });
  });

  it("comes back over TCP for what was cut, and has it whole", async () => {
    expect(new Set(await resolver.resolve4(DB)).size).toBe(DB_SIZE);
    expect((await resolver.resolveSrv(`_http._tcp.${DB}`)).length).toBe(DB_SIZE + 1);
  });

  it("tells a name that is missing from one without such records, and from another zone's", async () => {
    const code = (promise: Promise<unknown>) =>
      promise.then(
        () => "answered",
        (error: { code: string }) => error.code,
      );
    expect(await code(resolver.resolve4(`web.${PAY}`))).toBe("ENOTFOUND");
    expect(await code(resolver.resolveMx(PAY))).toBe("ENODATA");
    expect(await code(resolver.resolve4("example.com"))).toBe("EREFUSED");
  });

  it("is told to ask elsewhere while the view is not whole", async () => {
    index.synced = false;
    await expect(resolver.resolve4(`web.${PAY}`)).rejects.toMatchObject({ code: "ESERVFAIL" });
    expect(await resolver.resolve4(PAY)).toEqual(["10.42.0.7"]);
    index.synced = true;
    await expect(resolver.resolve4(`web.${PAY}`)).rejects.toMatchObject({ code: "ENOTFOUND" });
  });

  it("reaches IPv6", async () => {
    const six = new Resolver({ timeout: 2000, tries: 1 });
    six.setServers([`[::1]:${server.addresses[1]?.port}`]);
    expect(await six.resolve4(PAY)).toEqual(["10.42.0.7"]);
  });

  it("finds the order of many addresses changed from query to query", async () => {
    const small = new TestIndex(headless({ eu: hosts.slice(0, 8) }));
    index.set(small.get("shop", "db") as never);
    const firsts = new Set<string>();
    for (let round = 0; round < 40; round += 1) firsts.add((await resolver.resolve4(DB))[0] as string);
    expect(firsts.size).toBeGreaterThan(3);
  });
});

const framed = (query: Buffer): Buffer => {
  const size = Buffer.alloc(2);
  size.writeUInt16BE(query.length);
  return Buffer.concat([size, query]);
};

async function dial(localAddress = "127.0.0.1"): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port, localAddress });
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

/** Ids of the answers, in the order in which they come, until there are `count`. */
async function answers(socket: Socket, count: number): Promise<number[]> {
  const ids: number[] = [];
  let waiting: Buffer = Buffer.alloc(0);
  for await (const chunk of socket) {
    waiting = Buffer.concat([waiting, chunk as Buffer]);
    while (waiting.length >= 2 && waiting.length >= 2 + waiting.readUInt16BE(0)) {
      ids.push(told(waiting.subarray(2, 2 + waiting.readUInt16BE(0))).id as number);
      waiting = waiting.subarray(2 + waiting.readUInt16BE(0));
    }
    if (ids.length >= count) break;
  }
  return ids;
}

const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.resume().once("close", () => resolve());
  });
const numbered = (id: number): Buffer => framed(queryOf(PAY, "A", { more: { id } }));

describe("a TCP connection", () => {
  it("carries many queries, however they are cut, and answers in order", async () => {
    const socket = await dial();
    const all = Buffer.concat(Array.from({ length: 50 }, (_, id) => numbered(id)));
    socket.write(all.subarray(0, 1));
    socket.setNoDelay(true);
    for (let at = 1; at < all.length; at += 701) {
      socket.write(all.subarray(at, at + 701));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await answers(socket, 50)).toEqual(Array.from({ length: 50 }, (_, id) => id));
    socket.destroy();
  });

  it("still gets its answers after it has said its last word", async () => {
    const socket = await dial();
    socket.end(Buffer.concat([numbered(1), numbered(2)]));
    expect(await answers(socket, 2)).toEqual([1, 2]);
  });

  it("ends with a message beyond the bound, and with one that deserves no answer", async () => {
    const large = await dial();
    large.write(framed(Buffer.alloc(QUERY_BYTES_MAX + 1)));
    const short = await dial();
    short.write(framed(Buffer.alloc(3)));
    await Promise.all([closed(large), closed(short)]);
  });

  it("ends when it asks nothing for a while, whatever bytes it sends", async () => {
    const [silent, dripping, asking] = [await dial(), await dial(), await dial()];
    dripping.write(numbered(1).subarray(0, 5));
    time.pass(IDLE_MS_MAX - 1000);
    dripping.write(numbered(1).subarray(5, 8));
    asking.write(numbered(7));
    await answersOnce(asking);
    time.pass(2000);
    await Promise.all([closed(silent), closed(dripping)]);
    asking.write(numbered(8));
    await answersOnce(asking);
    asking.destroy();
  });

  it("that takes no answers is not read on, and holds a bounded number of them", async () => {
    index.set(headless({ eu: hosts }));
    const greedy = await dial();
    greedy.pause();
    time.pass(0);
    const before = answered.count;
    const burst = Buffer.concat(Array.from({ length: 1000 }, () => framed(queryOf(DB, "A"))));
    for (let round = 0; round < 20; round += 1) greedy.write(burst);
    let seen = -1;
    await until("the server has stopped", async () => {
      time.pass(0);
      const stopped = seen === answered.count && seen > before;
      seen = answered.count;
      return stopped;
    });
    // 20 000 answers of 5 KB were asked for; what the system's own buffers take is below 16 MB.
    expect((seen - before) * 4800).toBeLessThan(16 * 1024 * 1024 + UNSENT_BYTES_MAX);
    expect(await resolver.resolve4(PAY)).toEqual(["10.42.0.7"]);
    time.pass(IDLE_MS_MAX + 1000);
    await closed(greedy);
  });

  it("is one of a bounded number, in all and from one address; those that were before go on", async () => {
    const first = await dial();
    const perClient = CONNECTIONS_PER_CLIENT_MAX;
    const sources = CONNECTIONS_MAX / perClient + 1;
    const crowd: Socket[] = [];
    for (let source = 0; source < sources; source += 1)
      crowd.push(
        ...(await Promise.all(Array.from({ length: perClient + 20 }, () => dial(`127.0.0.${11 + source}`)))),
      );
    for (const socket of crowd) socket.resume();
    // Each address has its share, and all of them together have theirs: the first address is the test's own.
    const isOpen = (socket: Socket): boolean => !socket.closed && !socket.readableEnded;
    await until("so many stay", async () => crowd.filter(isOpen).length === CONNECTIONS_MAX - 1);
    for (let source = 0; source < sources - 2; source += 1)
      expect(
        crowd.slice(source * (perClient + 20), (source + 1) * (perClient + 20)).filter(isOpen),
      ).toHaveLength(perClient);
    first.write(numbered(9));
    await answersOnce(first);
    for (const socket of [first, ...crowd]) socket.destroy();
    await until("there is room again", async () => {
      const next = await dial();
      next.write(numbered(1));
      const got = await Promise.race([answersOnce(next).then(() => true), closed(next).then(() => false)]);
      next.destroy();
      return got;
    });
  });
});

const answersOnce = (socket: Socket): Promise<unknown> => once(socket, "data");

describe("a datagram", () => {
  const sent = async (message: Buffer): Promise<Buffer | undefined> => {
    const socket: Datagram = createSocket("udp4");
    try {
      const answer = once(socket, "message").then(([data]) => data as Buffer);
      socket.send(message, port, "127.0.0.1");
      // What comes back next is the answer to the second one, where the first has none.
      socket.send(queryOf(PAY, "A", { more: { id: 2 } }), port, "127.0.0.1");
      return await answer;
    } finally {
      socket.close();
    }
  };

  it("that is an answer itself stays without one", async () => {
    const answer = queryOf(PAY, "A", { more: { id: 1, flags: 0x8000 } });
    answer.writeUInt16BE(0x8000, 2);
    expect(told((await sent(answer)) as Buffer).id).toBe(2);
  });

  it("that is malformed is told so", async () => {
    expect(
      told((await sent(queryOf(PAY, "A", { more: { id: 1 } }).subarray(0, 20))) as Buffer),
    ).toMatchObject({ id: 1, rcode: "FORMERR" });
  });
});

describe("an address that is taken", () => {
  it("is a clear error, and nothing stays open", async () => {
    const ports = { clock: time, timers: time, random: nodeRandom, log: silentLog, metrics: noMetrics };
    const listen = [
      { host: "127.0.0.2", port },
      { host: "127.0.0.1", port },
    ];
    await expect(DnsServer.start({ listen, index, ports })).rejects.toMatchObject({
      code: "HSA1012",
      message: expect.stringContaining(`dns: cannot listen on 127.0.0.1 port ${port}`),
    });
    const free = await DnsServer.start({ listen: [{ host: "127.0.0.2", port }], index, ports });
    await free.close();
  });
});

/** init → token → join → records → archive → reads, `at=`, restarts at any time: each event has exactly one effect. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type HubMember, HubRig, service, until } from "./hub-rig.ts";

let rig: HubRig;
let eu: HubMember;
beforeAll(async () => {
  rig = await HubRig.start();
});
afterAll(async () => {
  await eu?.close();
  await rig?.stop();
});

interface List {
  readonly items: readonly Record<string, unknown>[];
}

const committed = async (source: string): Promise<{ epoch: number; seq: number } | undefined> => {
  const { data } = await rig.get<{
    committed: { cluster: string; lane: string; epoch: number; seq: number }[];
  }>("/v1/positions");
  return data.committed.find(({ cluster, lane }) => cluster === source && lane === "sum");
};

const archived = (source: string, position: { epoch: number; seq: number }) =>
  until(`${source} archived up to ${position.epoch}/${position.seq}`, async () => {
    const head = await committed(source);
    return head !== undefined && head.epoch === position.epoch && head.seq >= position.seq;
  });

test("a cluster joins with a token and is a member with what it was granted", async () => {
  eu = await rig.join("eu");
  expect(eu.answer).toMatchObject({ fingerprint: rig.fingerprint, membership: { incarnation: 1 } });
  await until("member in the projection", async () => {
    const { data } = await rig.get<List>("/v1/clusters");
    return data.items.length === 1;
  });
  const { data, position } = await rig.get<List>("/v1/clusters");
  expect(data.items).toMatchObject([{ name: "eu", state: "active", region: "eu-west-1", incarnation: 1 }]);
  expect(position).toBeGreaterThan(0);
});

test("a record published as the cluster is archived and can be read", async () => {
  await archived("eu", await eu.write(service("pay")));
  const { data } = await rig.get<List>("/v1/services?namespace=shop");
  expect(data.items).toMatchObject([
    { cluster: "eu", namespace: "shop", name: "pay", exported: true, effective: true },
  ]);
  const one = await rig.get<{ exporters: unknown[] }>("/v1/services/shop/pay");
  expect(one.data.exporters).toHaveLength(1);
  const events = await rig.get<List>("/v1/events?source=eu&since=0");
  expect(events.data.items.map(({ type }) => type)).toContain("ServiceSet");
});

test("at= shows what held then, by position, time and age", async () => {
  const before = await rig.get<List>("/v1/services");
  await new Promise((resolve) => setTimeout(resolve, 50));
  await archived("eu", await eu.write(service("pay", 2, false), service("cart", 2)));
  const now = await rig.get<List>("/v1/services");
  expect(now.data.items.map(({ name, exported }) => [name, exported])).toEqual([
    ["cart", true],
    ["pay", false],
  ]);
  for (const at of [String(before.position), before.committedAt]) {
    const past = await rig.get<List>(`/v1/services?at=${encodeURIComponent(at)}`);
    expect(past.position).toBe(before.position);
    expect(past.data.items).toEqual(before.data.items);
  }
  const digests = await Promise.all(
    ["", `?at=${now.position}`].map(
      async (query) => (await rig.get<{ digest: string }>(`/v1/federation${query}`)).data.digest,
    ),
  );
  expect(digests[0]).toBe(digests[1]);
});

test("explain answers from the archive, now and then, and the bundle map names live members' domains", async () => {
  const { position } = await rig.get<List>("/v1/services");
  const load = { healthy: 2, total: 2, desired: 2, weight: 2 };
  const at = await eu.write(service("pay", 3), {
    type: "LoadSet",
    v: 1,
    key: "load/shop/pay/http/eu-west-1/a",
    at: 3,
    data: load,
  });
  await archived("eu", at);
  const route = "/v1/explain/route?cluster=eu&zone=a&ns=shop&service=pay";
  const now = await rig.get<{ from: object; summary: string }>(route);
  expect(now.data.from).toEqual({ cluster: "eu", region: "eu-west-1", zone: "a" });
  const then = await rig.get<{ summary: string }>(`${route}&at=${position}`);
  expect(then.position).toBe(position);
  const caller = encodeURIComponent("spiffe://eu.lab.hansa/ns/shop/sa/web");
  const access = await rig.get<{ verdict: string }>(
    `/v1/explain/access?caller=${caller}&ns=shop&service=pay`,
  );
  expect(["allow", "deny"]).toContain(access.data.verdict);
  const map = (await rig.get("/v1/bundle-map")) as unknown as { trust_domains: object };
  expect(Object.keys(map.trust_domains)).toEqual([]);
});

test("killed at any time while records stream in, it archives each event once", async () => {
  let position = { epoch: 0, seq: 0 };
  let killed = false;
  const writing = (async () => {
    for (let n = 0; !killed; n += 1) {
      position = await eu.write(service(`s${n % 7}`, 100 + n, n % 3 === 0));
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
  })();
  for (let round = 0; round < 3; round += 1) {
    const before = (await rig.get("/v1/clusters")).position;
    // In the middle of its work: it has archived some of what comes in.
    await until("hub at work", async () => (await rig.get("/v1/clusters")).position > before + 10);
    await rig.hub.kill();
    await rig.startHub();
  }
  killed = true;
  await writing;
  await until("hub ready again", async () => (await rig.get("/readyz", "")).kind === "Ready");
  await archived("eu", position);
  const { store } = rig;
  const rows = await store.db.query<{ records: number; places: number; events: number; last: number }>(
    `select (select count(*) from record) as records,
            (select count(distinct (source, lane, epoch, seq)) from record) as places,
            (select count(*) from event) as events, (select position from archive) as last`,
  );
  expect(rows[0]!.records).toBe(rows[0]!.places);
  expect(rows[0]!.events).toBe(rows[0]!.last);
  const seen = await store.db.query<{ n: number; distinct: number; max: number }>(
    `select count(*) as n, count(distinct event.position) as distinct, max(event.position) as max from event`,
  );
  expect(seen[0]).toEqual({ n: rows[0]!.last, distinct: rows[0]!.last, max: rows[0]!.last });
  const written = eu.published.length;
  const source = eu.keys.account.publicKey;
  const kept = await store.db.query<{ n: number }>("select count(*) as n from record where source = $1", [
    source,
  ]);
  expect(kept[0]!.n).toBe(written);
}, 150_000);

test("stops by itself on SIGTERM and keeps what it knew", async () => {
  const before = (await rig.get<{ digest: string }>("/v1/federation")).data;
  expect(await rig.hub.stop()).toBe(0);
  await rig.startHub();
  const members = await rig.get<List>("/v1/clusters");
  expect(members.data.items).toMatchObject([{ name: "eu", state: "active" }]);
  expect((await rig.get<{ digest: string }>("/v1/federation")).data.digest).toBe(before.digest);
});

test("a caller without a credential is slowed down, one with a credential is not", async () => {
  const attempts = Array.from({ length: 80 }, () =>
    rig.get("/v1/clusters", "").catch((error: unknown) => error),
  );
  const codes = (await Promise.all(attempts)).map((error) => (error as { code?: string }).code);
  expect(new Set(codes)).toEqual(new Set(["HSA3001", "HSA1006"]));
  expect((await rig.get("/v1/clusters")).kind).toBe("ClusterList");
});

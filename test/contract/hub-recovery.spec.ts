/** What the hub does when the ground moves: lost storage, a restored older archive, late records, another hub. */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { base64, isHansaError, systemClock } from "@hansa/core";
import { evidenceOf, type RecordHeader, recordHashes, signHeartbeat, toHeaders } from "@hansa/events";
import { nodeCrypto } from "@hansa/identity";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parse } from "yaml";
import { freePort } from "../../deploy/tools/child.ts";
import { type HubMember, HubProcess, HubRig, runInit, service, until } from "./hub-rig.ts";

let rig: HubRig;
let members: HubMember[] = [];
beforeEach(async () => {
  rig = await HubRig.start({ config: { api: { strangersPerSecondMax: 1000 }, gapHoldMs: 3_600_000 } });
});
afterEach(async () => {
  for (const member of members) await member.close();
  members = [];
  await rig?.stop();
});

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "no error",
    (error: unknown) => (isHansaError(error) ? error.code : String(error)),
  );

/** Joined and archived. */
const joined = async (name: string): Promise<HubMember> => {
  const member = await rig.join(name);
  members.push(member);
  await until(`${name} is archived`, async () => {
    const { data } = await rig.get<{ items: unknown[] }>(`/v1/clusters?name=${name}`);
    return data.items.length === 1;
  });
  return member;
};

interface Positions {
  readonly committed: readonly { cluster: string; lane: string; epoch: number; seq: number }[];
  readonly gaps: readonly unknown[];
}

const headOf = async (name: string) =>
  (await rig.get<Positions>("/v1/positions")).data.committed.find(
    ({ cluster, lane }) => cluster === name && lane === "sum",
  );

const archived = (name: string, at: { epoch: number; seq: number }) =>
  until(`${name} at ${at.epoch}/${at.seq}`, async () => {
    const head = await headOf(name);
    return head?.epoch === at.epoch && head.seq === at.seq;
  });

const lateOf = (member: HubMember, from: number, to: number) => ({
  records: member.published
    .filter(({ seq }) => seq >= from && seq <= to)
    .map(({ record }) => ({ headers: toHeaders(record.header as RecordHeader), body: base64(record.body) })),
});

test("records that left the stream come late over HTTPS; until then nothing moves past the hole", async () => {
  const eu = await joined("eu");
  await archived("eu", await eu.write(service("a")));
  await rig.hub.kill();
  let position = { epoch: 0, seq: 0 };
  for (let n = 0; n < 270; n += 1) position = await eu.write(service("a", 100 + n, n % 2 === 1));
  await rig.startHub();
  await until(
    "the hole is seen",
    async () => (await rig.get<Positions>("/v1/positions")).data.gaps.length > 0,
  );
  expect(await headOf("eu")).toMatchObject({ epoch: 1, seq: 1 });

  const us = await joined("us");
  expect(await codeOf(rig.post("/v1/records", lateOf(eu, 2, 3), us.answer.apiToken))).toBe("HSA3002");
  const forged = lateOf(eu, 2, 3);
  forged.records[0]!.body = base64(new TextEncoder().encode("[]"));
  expect(await codeOf(rig.post("/v1/records", forged, eu.answer.apiToken))).toBe("HSA2004");
  for (let from = 2; from <= 20; from += 10)
    await rig.post("/v1/records", lateOf(eu, from, from + 9), eu.answer.apiToken);
  await archived("eu", position);
  const { data } = await rig.get<{ items: { exported: boolean }[] }>("/v1/services?cluster=eu");
  expect(data.items).toMatchObject([{ exported: true }]);
  const again = await rig.post<{ recordsNew: number }>("/v1/records", lateOf(eu, 2, 11), eu.answer.apiToken);
  expect(again.data.recordsNew).toBe(0);
});

test("a wiped NATS store: streams, accounts and the hub's log are there again, members go on", async () => {
  const eu = await joined("eu");
  await archived("eu", await eu.write(service("a")));
  const digest = async () => (await rig.get<{ digest: string }>("/v1/federation")).data.digest;
  const before = await digest();
  await rig.nats.stop();
  rmSync(join(rig.dir, "nats"), { recursive: true, force: true });
  await rig.startNats();
  const bus = await eu.bus();
  await until("the member is let in again", async () => (await bus.lastOwn("sum")) === null);
  // Unasked: who has no disk learns of the members from here only.
  await until("the hub has said everything again", async () => {
    const records = await bus.read(null, 1, 256);
    return records.some(({ account }) => account === eu.answer.genesis.hubAccount);
  });
  expect(await digest()).toBe(before);
  const position = await eu.write(service("b"));
  await archived("eu", position);
  expect(position.epoch).toBeGreaterThan(1);
  await joined("us");
  await until(
    "us is there",
    async () => (await rig.get<{ items: unknown[] }>("/v1/clusters")).data.items.length === 2,
  );
});

/** The archive as it was: everything after `position` forgotten, as a restored backup forgets it. */
async function restoreTo(position: number): Promise<void> {
  const { db } = rig.store;
  await db.query("alter table record disable trigger user");
  await db.query("alter table event disable trigger user");
  await db.query("delete from record where position > $1", [position]);
  await db.query("delete from event where position > $1", [position]);
  await db.query("alter table record enable trigger user");
  await db.query("alter table event enable trigger user");
  await db.query("update archive set position = $1 where id = 1", [position]);
  for (const table of ["head", "checkpoint", "own_lane", "member", "outbox", "snapshot", "source"])
    await db.query(`delete from ${table}`);
  await db.query("update join_token set used_at = null");
}

test("a restored older archive: own records are imported before any command, members' after them", async () => {
  await joined("eu");
  const { position } = await rig.get<unknown>("/v1/clusters");
  const us = await joined("us");
  await archived("us", await us.write(service("a")));
  const secret = await rig.joinSecret("us");
  await rig.hub.kill();
  await restoreTo(position);
  await rig.startHub();
  await until("all members again", async () => {
    const { data } = await rig.get<{ items: { name: string; state: string }[] }>("/v1/clusters");
    return data.items.map(({ name, state }) => `${name} ${state}`).join() === "eu active,us active";
  });
  await until("records again", async () => {
    const { data } = await rig.get<{ items: unknown[] }>("/v1/services?cluster=us");
    return data.items.length === 1;
  });
  await until("the hub's own rows again", async () => {
    const rows = await rig.store.db.query<{ cluster: string }>("select cluster from member order by cluster");
    return rows.map(({ cluster }) => cluster).join() === "eu,us";
  });
  expect(await codeOf(rig.join("us"))).toBe("HSA3004");
  expect(secret).not.toBe("");
  await joined("ap");
});

test("an archive that lacks own records which members hold: read-only with HSA2012 until they are brought back", async () => {
  const eu = await joined("eu");
  const { position } = await rig.get<unknown>("/v1/clusters");
  await rig.post("/v1/wants", { cluster: "eu" });
  await until("archived", async () => (await rig.get<unknown>("/v1/clusters")).position > position);
  const own = await rig.store.db.query<{ header: RecordHeader; body: Buffer; hash: string }>(
    "select header, body, hash from record where position > $1 order by epoch, seq",
    [position],
  );
  const last = own.at(-1)!;
  await rig.hub.kill();
  await restoreTo(position);
  await rig.nats.stop();
  rmSync(join(rig.dir, "nats", "jetstream"), { recursive: true, force: true });
  await rig.startNats();
  // The member still holds the hub's last record: its heartbeats say so.
  const { source, lane, epoch, seq } = last.header;
  const record = { header: last.header, body: new Uint8Array(last.body) };
  const beat = {
    source: eu.keys.account.publicKey,
    bootMs: systemClock.nowMs(),
    own: [],
    known: [{ source, lane, epoch, seq, head: last.hash }],
    acked: [],
    committed: [],
    evidence: [evidenceOf(last.header, recordHashes(record, nodeCrypto))],
  };
  const bus = await eu.bus();
  let counter = 0;
  const beats = setInterval(() => {
    counter += 1;
    const bytes = signHeartbeat({ ...beat, counter }, eu.keys.signing.signer, rig.fingerprint, nodeCrypto);
    bus.publishBeat(bytes).catch(() => {});
  }, 200);
  try {
    await rig.startHub(false);
    await until("read-only", async () => (await codeOf(rig.joinSecret("ap"))) === "HSA2012");
    expect((await rig.get<{ items: unknown[] }>("/v1/clusters")).data.items).toHaveLength(1);
    const brought = own
      .filter(({ header }) => header.source === source)
      .map(({ header, body }) => ({ headers: toHeaders(header), body: base64(new Uint8Array(body)) }));
    await rig.post("/v1/records", { records: brought }, eu.answer.apiToken);
    await until("current again", async () => (await codeOf(rig.joinSecret("ap"))) === "no error");
  } finally {
    clearInterval(beats);
  }
});

test("Postgres away: reads say so, nothing is acknowledged, and it catches up by itself", async () => {
  const eu = await joined("eu");
  await archived("eu", await eu.write(service("a")));
  const admin = new URL(rig.postgresUrl);
  const name = admin.pathname.slice(1);
  await rig.blockDatabase(name);
  const position = await eu.write(service("b"));
  expect(await codeOf(rig.get("/v1/clusters"))).toBe("HSA2011");
  expect((await rig.get("/livez", "")).kind).toBe("Live");
  await rig.unblockDatabase(name);
  await archived("eu", position);
});

test("a hub of another federation refuses this archive, and ends saying so", async () => {
  const dir = join(rig.folder, "stranger");
  const init = runInit(dir, {
    federation: "other.hansa",
    operators: base64(rig.operator.signer.publicKey),
    "api-hosts": "127.0.0.1",
    "api-port": String(await freePort()),
    nats: String(parse(readFileSync(rig.config, "utf8")).nats.servers[0]),
    postgres: rig.postgresUrl,
  });
  expect(init.status).toBe(0);
  const log = join(rig.folder, "stranger.log");
  const stranger = new HubProcess(join(dir, "hub.yaml"), log);
  expect(await stranger.exited).toBe(65);
  expect(readFileSync(log, "utf8")).toMatch(/HSA1004 postgres: the archive belongs to the federation/);
  expect((await rig.get("/readyz", "")).kind).toBe("Ready");
});

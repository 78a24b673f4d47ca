/**
 * The past is exact: the fold read back from the archive at any position equals the fold that stood there, through
 * poison, holes that were filled late or given up, and snapshots.
 */
import { base64, type ClusterName, type FederationName, utf8 } from "@hansa/core";
import {
  countersign,
  decodeBody,
  type Event,
  fingerprintOf,
  type Genesis,
  LaneWriter,
  type MembershipRequest,
  membershipKey,
  type RegisterEvent,
  recordHash,
  signRequest,
  type WireRecord,
} from "@hansa/events";
import { newSigningKey, nodeCrypto } from "@hansa/identity";
import {
  ArchiveFold,
  allRows,
  closeLostGaps,
  foldAt,
  itemsOf,
  PROJECTION_TABLES,
  Projection,
  type Quarantined,
  readLostGaps,
  saveSnapshot,
} from "@hansa/store";
import { afterAll, beforeAll, expect, test } from "vitest";
import { grantOf, newMemberKeys, service } from "./hub-rig.ts";
import { batch, type StoreRig, startStoreRig } from "./store-rig.ts";

let rig: StoreRig;
let leaderEpoch = 0;
beforeAll(async () => {
  rig = await startStoreRig();
  leaderEpoch = (await rig.store.lead())!.epoch;
});
afterAll(() => rig?.stop());

const hub = { signing: newSigningKey(), account: newMemberKeys().account };
const operator = newSigningKey();
const genesis: Genesis = {
  format: 1,
  federation: "lab.hansa" as FederationName,
  hubKey: base64(hub.signing.signer.publicKey),
  hubAccount: hub.account.publicKey,
  operators: { keys: [base64(operator.signer.publicKey)], threshold: 1 },
  lab: true,
  createdMs: 1,
};
const fingerprint = fingerprintOf(genesis, nodeCrypto);
const options = { genesis, crypto: nodeCrypto };

type Keys = Pick<ReturnType<typeof newMemberKeys>, "account" | "signing">;

function writerOf({ account, signing }: Keys): LaneWriter {
  const source = account.publicKey;
  const writer = new LaneWriter({
    source,
    lane: "sum",
    signer: signing.signer,
    fingerprint,
    crypto: nodeCrypto,
  });
  writer.synced();
  writer.open(null, 0);
  return writer;
}

let streamSeq = 0;
function write(writer: LaneWriter, ...events: RegisterEvent[]): WireRecord[] {
  for (const event of events) expect(writer.set(event)).toBeUndefined();
  const records: WireRecord[] = [];
  for (let next = writer.next(); next !== null; next = writer.next()) {
    streamSeq += 1;
    writer.stored(streamSeq);
    records.push(next.record);
  }
  return records;
}

function membership(cluster: string, keys: ReturnType<typeof newMemberKeys>): RegisterEvent {
  const request: MembershipRequest = {
    fingerprint,
    cluster: cluster as ClusterName,
    signingKey: base64(keys.signing.signer.publicKey),
    accountKey: keys.account.publicKey,
    userKey: keys.user.publicKey,
    root: base64(utf8("root")),
    wanted: grantOf(),
    nonce: base64(utf8("nonce")),
  };
  const signed = signRequest(request, keys.signing.signer);
  const fields = {
    cluster: request.cluster,
    incarnation: 1,
    state: "active",
    admittedMs: 1,
    grant: grantOf(),
    request: signed.request,
    requestSignature: signed.requestSignature,
  } as const;
  const data = countersign(fields, hub.signing.signer, fingerprint);
  return { type: "MembershipSet", v: 1, key: membershipKey(cluster), at: 1, data };
}

const poison = (code: string, message: string): Event => ({
  type: "Quarantined",
  v: 1,
  key: "",
  at: 0,
  data: { code, message },
  unknown: true,
});

test("foldAt equals what stood there, at every position", async () => {
  const fold = ArchiveFold.empty(options);
  const projection = new Projection(fold.fed);
  const stood = new Map<number, string>();
  let position = 0;

  const archive = async (...records: WireRecord[]): Promise<void> => {
    const quarantine: Quarantined[] = [];
    const changed = [];
    const archived = [];
    for (const record of records) {
      const { source: account, lane, epoch, seq } = record.header;
      const hash = recordHash(record, nodeCrypto);
      const result = fold.feed({ record, account, lane }, false);
      changed.push(...result.changed);
      if (result.quarantined !== null)
        quarantine.push({ source: account, lane, epoch, seq, hash, ...result.quarantined });
      const body = decodeBody(record.body);
      const isGood = result.quarantined === null && body.kind === "events";
      const events = isGood ? body.events : [poison("HSA2001", "")];
      archived.push({ record, hash, via: "bus" as const, streamSeq: null, events });
    }
    const rows = projection.changes(changed, ["eu", "us"]);
    const outcome = await rig.store.commit(batch(leaderEpoch, archived, { quarantine, projections: rows }));
    position = outcome.position;
    stood.set(position, fold.fed.digest());
  };

  const eu = newMemberKeys();
  const us = newMemberKeys();
  const hubWriter = writerOf(hub);
  const euWriter = writerOf(eu);
  const usWriter = writerOf(us);
  // A record of a source that is not known yet is parked, and counts once its membership arrives.
  await archive(...write(euWriter, service("early")));
  await archive(...write(hubWriter, membership("eu", eu), membership("us", us)));
  for (let n = 0; n < 10; n += 1) {
    await archive(...write(euWriter, service(`s${n % 3}`, n, n % 2 === 0)));
    await archive(...write(usWriter, service(`s${n % 4}`, n, n % 3 === 0)));
  }
  // Poison under a known key: the chain goes on.
  const [bad] = write(euWriter, service("bad"));
  await archive({ ...bad!, body: utf8("no json") });
  await archive(...write(euWriter, service("after")));
  // A hole that is filled late.
  const [late] = write(usWriter, service("late"));
  await archive(...write(usWriter, service("ahead")));
  await archive(late!);
  // A hole that is given up.
  write(usWriter, service("lost"));
  await archive(...write(usWriter, service("beyond")));
  await archive(...write(euWriter, service("other")));
  const far = "2100-01-01T00:00:00Z";
  await rig.store.db.transaction((tx) => closeLostGaps(tx, far, position, far));
  const lost = await readLostGaps(rig.store.db, 0, position);
  const changed = lost.flatMap(({ source, lane }) => [...fold.giveUp(source, lane)]);
  const projections = projection.changes(changed, ["eu", "us"]);
  await rig.store.commit(batch(leaderEpoch, [], { projections }));
  stood.set(position, fold.fed.digest());
  await archive(...write(usWriter, service("end")));
  expect(fold.holdsAside).toBe(false);

  const exact = async (): Promise<void> => {
    for (const [at, digest] of stood) {
      const past = await foldAt(rig.store, at, options);
      expect([at, past.fed.digest()]).toEqual([at, digest]);
    }
  };
  await exact();
  const middles = [...stood.keys()].filter((_, index) => index % 5 === 3);
  for (const at of middles) {
    const past = await foldAt(rig.store, at, options);
    if (past.holdsAside) continue;
    await saveSnapshot(rig.store.db, { position: at, committedMs: 1 }, past.fed.dump());
  }
  await exact();

  // The projections, written change by change, are what the fold says as a whole.
  for (const table of PROJECTION_TABLES) {
    const { items } = await rig.store.list(table, { filter: {}, limit: 1000, cursor: null });
    const whole = itemsOf(allRows(fold.fed), table);
    expect([table, items.length]).toEqual([table, whole.length]);
    expect(items).toEqual(expect.arrayContaining(whole));
  }
});

/**
 * Values that the log's rules let through and a database may not: whatever one member writes, the archive goes on for
 * the others. Each was a way to stop every commit.
 */
import { utf8 } from "@hansa/core";
import { type RegisterEvent, recordHash, signRecord, type WireRecord } from "@hansa/events";
import { nodeCrypto } from "@hansa/identity";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type HubMember, HubRig, service, until } from "./hub-rig.ts";

let rig: HubRig;
let hostile: HubMember;
let honest: HubMember;
let round = 0;

beforeAll(async () => {
  rig = await HubRig.start();
  hostile = await rig.join("mallory");
  honest = await rig.join("eu");
}, 60_000);

afterAll(async () => {
  await hostile?.close();
  await honest?.close();
  await rig?.stop();
});

/** Everyone's logs are archived as far as they were written. */
async function isArchived(member: HubMember, at: { epoch: number; seq: number }): Promise<void> {
  const { publicKey } = member.keys.account;
  await until(`${member.cluster} ${at.epoch}.${at.seq} is archived`, async () =>
    (await rig.store.heads()).some(
      ({ source, epoch, seq }) => source === publicKey && epoch === at.epoch && seq >= at.seq,
    ),
  );
}

const others = async (): Promise<void> => isArchived(honest, await honest.write(service(`s${round++}`)));

const register = (type: string, key: string, data: unknown): RegisterEvent =>
  ({ type, v: 1, key, at: 1, data }) as RegisterEvent;
const gateway = (address: string) =>
  register("GatewaySet", "gateway/gw", { address, port: 1, region: "eu-west-1", ready: true });
const load = (weight: number) =>
  register("LoadSet", "load/shop/pay/http/eu-west-1/a", { healthy: 1, total: 1, desired: 1, weight });

test.each([
  ["U+0000 in a text", gateway("a\u0000b")],
  ["a lone surrogate in a text", gateway("a\ud800b")],
  ["a lone surrogate after a backslash", gateway("\\\udc00")],
  ["U+0000 in a name", register("WantSet", "want/eu", { nonce: "\u0000" })],
  ["a weight that is no integer", load(0.5)],
  ["a weight beyond 32 bits", load(1e12)],
])("%s", async (_name, event) => {
  await isArchived(hostile, await hostile.write(event));
  await others();
});

test("the highest version of an unknown type", async () => {
  const record = await next([
    { type: "SomethingNew", v: 1_000_000, key: "x", at: 1, data: { a: "\u0000\ud800" } },
  ]);
  await isArchived(hostile, record.header);
  await others();
});

test("a message that is no record", async () => {
  const bus = await hostile.bus();
  const record = await next([]);
  for (const header of [
    { ...record.header, seq: 0 },
    { ...record.header, key: "" },
    { ...record.header, epoch: 2 ** 49 },
  ])
    expect((await bus.publish({ ...record, header }, await lastSeq())).kind).toBe("stored");
  await others();
});

const lastSeq = async (): Promise<number> => (await (await hostile.bus()).lastOwn("sum"))?.streamSeq ?? 0;

/** Signed and chained as it should be; published where it has events. */
async function next(events: readonly unknown[]): Promise<WireRecord> {
  const bus = await hostile.bus();
  const last = await bus.lastOwn("sum");
  if (last === null) throw new Error("mallory has written nothing yet");
  const { header } = last.record;
  const record = signRecord(
    { ...header, seq: header.seq + 1, prev: recordHash(last.record, nodeCrypto) },
    utf8(JSON.stringify(events)),
    hostile.keys.signing.signer,
    rig.fingerprint,
    nodeCrypto,
  );
  if (events.length > 0) expect((await bus.publish(record, last.streamSeq)).kind).toBe("stored");
  return record;
}

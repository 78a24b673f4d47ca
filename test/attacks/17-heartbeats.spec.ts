/**
 * A hostile member's heartbeats at a real hub and a real agent (T10, T13): claims about others' logs, and a flood. Once,
 * a single such claim stopped every change of membership in every agent.
 */
import { decodeHeartbeat, type Head, type Heartbeat, signHeartbeat, ZERO_HASH } from "@hansa/events";
import { nodeCrypto } from "@hansa/identity";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AgentRig, replica, service, until, workload } from "../contract/agent-rig.ts";
import type { HubMember } from "../contract/hub-member.ts";
import { Believer } from "./support/believer.ts";

interface State {
  readonly heads: readonly Head[];
  readonly findings: readonly { readonly code: string; readonly cluster: string; readonly key: string }[];
}

let rig: AgentRig;
let evil: HubMember;
let counter = 0;

beforeAll(async () => {
  rig = await AgentRig.start({ suspendMs: 6000 });
  rig.source("eu", {
    services: [service("pay", "http")],
    workloads: [workload("pay", [replica("pay-1", rig.address("eu", 10))])],
  });
  rig.configure("eu", await rig.joinToken("eu"));
  await rig.agent("eu");
  evil = await rig.hub.join("evil");
  await until("eu knows evil", async () => (await clusters()).includes("evil"));
}, 60_000);

afterAll(async () => {
  await evil?.close();
  await rig?.stop();
});

const state = () => rig.get<State>("eu", "/v1/federation-state");
const clusters = async (): Promise<string[]> => {
  const { items } = await rig.get<{ items: { name: string }[] }>("eu", "/v1/clusters");
  return items.map(({ name }) => name);
};

async function beat(known: readonly Head[]): Promise<void> {
  const source = evil.keys.account.publicKey;
  counter += 1;
  const said: Heartbeat = { source, bootMs: 1, counter, own: [], known, acked: [], committed: [] };
  const { signer } = evil.keys.signing;
  await (await evil.bus()).publishBeat(signHeartbeat(said, signer, rig.hub.fingerprint, nodeCrypto));
}

/** evil's last heartbeat, as everybody reads it. */
async function claims(): Promise<Heartbeat> {
  const bus = await evil.bus();
  const stored = (await bus.lastBeats()).find(({ account }) => account === bus.account);
  const signed = stored && decodeHeartbeat(stored.bytes);
  if (signed === undefined) throw new Error("evil has said nothing");
  return signed.beat;
}

describe("claims that others' logs hold other records", () => {
  it("stop every join where one accuser is enough; here they are told, and a cluster joins (T10)", async () => {
    let held: readonly Head[] = [];
    await until("evil is heard", async () => {
      held = (await state()).heads;
      await beat(held.map((head) => ({ ...head, head: ZERO_HASH })));
      return (await state()).findings.filter(({ code }) => code === "HSA2014").length === 2;
    });
    const credulous = new Believer();
    for (const known of [held, (await claims()).known]) credulous.hear({ own: [], known });
    expect(credulous.frozen).toEqual(new Set(held.map(({ source }) => source)));

    const { findings } = await state();
    expect(findings.map(({ code, cluster }) => `${code} ${cluster}`).sort()).toEqual([
      "HSA2014 eu",
      "HSA2014 hub",
    ]);
    const late = await rig.hub.join("late");
    await until("eu knows the newcomer", async () => (await clusters()).includes("late"));
    await late.close();
    expect((await state()).findings.map(({ code }) => code)).not.toContain("HSA2008");
    expect(await rig.metrics("eu")).toContain('hansa_disputes_total{source="hub",speaker="evil"}');
    expect(rig.hub.log()).toContain("HSA2014");
    expect(rig.hub.log()).not.toContain("HSA2008");
  });
});

describe("a flood of heartbeats", () => {
  it("ends with its account off the bus for a while (T13)", async () => {
    const isSuspended = async () =>
      (await rig.hub.store.db.query("select 1 from member where cluster = 'evil' and suspended")).length ===
      1;
    await until("suspended", async () => {
      for (let n = 0; n < 50; n += 1) await beat([]).catch(() => {});
      return await isSuspended();
    });
    expect((await state()).findings.map(({ code }) => code)).not.toContain("HSA2008");
    await until("back", async () => !(await isSuspended()));
  });
});

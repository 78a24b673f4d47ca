/** The hub alone in virtual time: terms of office, joins, and an archive that comes and goes. */
import { base64, type FederationName } from "@hansa/core";
import { fingerprintOf, type Genesis, signHeartbeat } from "@hansa/events";
import { expect, test } from "vitest";
import { Kernel, Machine } from "../kernel.ts";
import { SimBroker } from "../sim-broker.ts";
import { SimLogBus } from "../sim-bus.ts";
import { simCrypto, simSigner } from "../sim-crypto.ts";
import { accountOf } from "./application.ts";
import { Headquarters } from "./headquarters.ts";

const hubSigner = simSigner("hub");
const genesis: Genesis = {
  format: 1,
  federation: "sim.hansa" as FederationName,
  hubKey: base64(hubSigner.publicKey),
  hubAccount: accountOf("hub"),
  operators: { keys: [base64(simSigner("operator").publicKey)], threshold: 1 },
  lab: false,
  createdMs: 1,
};

function begin() {
  const kernel = new Kernel(1);
  const broker = new SimBroker(kernel, 64);
  const problems: unknown[] = [];
  const headquarters = new Headquarters({
    ...{ kernel, broker, genesis, signer: hubSigner },
    onBroken: (error) => problems.push(error),
  });
  const members = (): string[] => headquarters.fed?.members().map(({ cluster }) => cluster) ?? [];
  return { kernel, broker, headquarters, members, problems };
}

const applicant = (name: string) => ({ name, signer: simSigner(name) });

test("a hub leads, lets clusters in, and the next one knows them", async () => {
  const { kernel, headquarters, members, problems } = begin();
  const first = headquarters.start();
  headquarters.wish(applicant("eu"), "member");
  await kernel.runUntil("eu is a member", () => members().includes("eu"));
  headquarters.kill(first);
  headquarters.start();
  headquarters.wish(applicant("us"), "member");
  await kernel.runUntil("us is a member", () => members().includes("us"));
  expect(members()).toEqual(["eu", "us"]);
  expect(headquarters.leading?.leader?.epoch).toBe(2);
  expect(problems).toEqual([]);
});

test("without its archive nobody leads; with it again somebody does, and what was decided holds", async () => {
  const { kernel, headquarters, members } = begin();
  headquarters.start();
  headquarters.wish(applicant("eu"), "member");
  await kernel.runUntil("eu is a member", () => members().includes("eu"));
  headquarters.archiveFaults.up = false;
  headquarters.server.endSessions();
  headquarters.wish(applicant("us"), "member");
  await kernel.runFor(20_000);
  expect(headquarters.leading).toBeUndefined();
  headquarters.archiveFaults.up = true;
  await kernel.runUntil("us is a member", () => members().includes("us"));
  expect(members()).toEqual(["eu", "us"]);
});

test("of two hubs one leads; the one that lost the lock in its sleep writes nothing any more", async () => {
  const { kernel, headquarters, members } = begin();
  const first = headquarters.start();
  await kernel.runUntil("it leads", () => first.leader !== null);
  const second = headquarters.start("standby");
  await kernel.runFor(5000);
  expect(second.leader).toBeNull();
  first.machine.pause();
  headquarters.server.forgetLeader();
  await kernel.runUntil("the other leads", () => second.leader !== null);
  headquarters.wish(applicant("eu"), "member");
  await kernel.runUntil("eu is a member", () => members().includes("eu"));
  first.machine.resume();
  await kernel.runUntil("it knows", () => first.leader === null);
  expect(headquarters.leading).toBe(second);
});

test("a publish of which nobody knows whether it arrived is settled when the bus is back", async () => {
  const { kernel, broker, headquarters, members } = begin();
  const hub = headquarters.start();
  await kernel.runUntil("it writes", () => hub.leader?.recovered === true);
  broker.onStored = () => broker.stop();
  headquarters.wish(applicant("eu"), "member");
  await kernel.runFor(12_000);
  broker.onStored = () => {};
  broker.start();
  await kernel.runUntil("eu is a member", () => members().includes("eu"));
  headquarters.wish(applicant("us"), "member");
  await kernel.runUntil("us is a member", () => members().includes("us"), 20_000);
});

test("a member that claims to hold what the hub never wrote does not stop the hub", async () => {
  const { kernel, broker, headquarters, members } = begin();
  const first = headquarters.start();
  headquarters.wish(applicant("eu"), "member");
  await kernel.runUntil("eu is a member", () => members().includes("eu"));
  const own = { source: accountOf("eu"), lane: "sum" as const };
  const known = [{ ...own, source: accountOf("hub"), epoch: 900_000, seq: 1, head: "0".repeat(64) }];
  const beat = { source: own.source, bootMs: 1, counter: 1, own: [], known, acked: [], committed: [] };
  const bus = new SimLogBus({ machine: new Machine(kernel, "eu"), broker, account: own.source });
  await kernel.runFor(1000);
  await bus.publishBeat(signHeartbeat(beat, simSigner("eu"), fingerprintOf(genesis, simCrypto), simCrypto));
  headquarters.kill(first);
  const second = headquarters.start();
  await kernel.runUntil("it leads", () => second.leader?.recovered === true, 20_000);
  headquarters.wish(applicant("us"), "member");
  await kernel.runUntil("us is a member", () => members().includes("us"));
});

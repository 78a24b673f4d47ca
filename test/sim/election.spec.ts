/** Two agents of one cluster whose election moves, as by a Lease after a pause: the one that lost it leaves the lanes alone. */
import { type AccountKey, noMetrics, silentLog } from "@hansa/core";
import { expect, it } from "vitest";
import { memoryOutbox } from "../../services/agent/src/log/outbox.ts";
import { OwnLog } from "../../services/agent/src/log/own-log.ts";
import { Kernel, Machine } from "./kernel.ts";
import { SimBroker } from "./sim-broker.ts";
import { SimLogBus } from "./sim-bus.ts";
import { simCrypto, simSigner } from "./sim-crypto.ts";

const account = `A${"A".repeat(55)}` as AccountKey;

/** `holder` names who is elected. */
function agent(kernel: Kernel, broker: SimBroker, name: string, holder: () => string) {
  const machine = new Machine(kernel, name);
  const { clock, timers, random } = machine;
  const bus = new SimLogBus({ machine, broker, account });
  const disk = { read: () => undefined, write: () => {} };
  const ports = { clock, timers, random, crypto: simCrypto, log: silentLog, metrics: noMetrics, disk };
  let stored = 0;
  const log = new OwnLog({
    account,
    signer: simSigner("eu"),
    fingerprint: "a".repeat(64),
    bus,
    outbox: memoryOutbox(),
    election: { tryLock: () => holder() === name, release: () => {} },
    ports,
    onStored: () => {
      stored += 1;
    },
    highestSeen: () => Promise.resolve(0),
  });
  log.start();
  log.synced();
  timers.every(500, () => log.put("WantSet", "want/us", { nonce: `${name} ${kernel.nowMs}` }));
  return { log, stored: () => stored };
}

it("who loses the election stops writing, and gets the lane back when it is elected again", async () => {
  const kernel = new Kernel(1);
  const broker = new SimBroker(kernel, 256);
  let holder = "one";
  const one = agent(kernel, broker, "one", () => holder);
  const two = agent(kernel, broker, "two", () => holder);
  await kernel.runFor(10_000);
  expect([one.log.elected, two.log.elected, two.stored()]).toEqual([true, false, 0]);
  holder = "two";
  await kernel.runFor(2000);
  const written = one.stored();
  await kernel.runFor(60_000);
  expect(one.stored()).toBe(written);
  expect([one.log.elected, two.log.elected]).toEqual([false, true]);
  expect(two.stored()).toBeGreaterThan(50);
  holder = "one";
  await kernel.runFor(60_000);
  expect(one.stored()).toBeGreaterThan(written + 50);
  expect(one.log.position("sum")?.epoch).toBeGreaterThan(two.log.position("sum")?.epoch ?? 0);
});

/** Two writers of one lane, both alive: a duplicate agent of one cluster (federation §13.3). */
import { type AccountKey, noMetrics, silentLog } from "@hansa/core";
import { LaneWriter, type RegisterEvent } from "@hansa/events";
import { expect, it } from "vitest";
import { LanePublisher } from "../../services/agent/src/log/lane-publisher.ts";
import { memoryOutbox } from "../../services/agent/src/log/outbox.ts";
import { Kernel, Machine } from "./kernel.ts";
import { SimBroker } from "./sim-broker.ts";
import { SimLogBus } from "./sim-bus.ts";
import { simCrypto, simSigner } from "./sim-crypto.ts";

const account = `A${"A".repeat(55)}` as AccountKey;
/** As long as an agent waits for peers to name the epochs that they know. */
const PEERS_WAIT_MS = 3000;

function contender(kernel: Kernel, broker: SimBroker, name: string) {
  const machine = new Machine(kernel, name);
  const bus = new SimLogBus({ machine, broker, account });
  const writer = new LaneWriter({
    source: account,
    lane: "sum",
    signer: simSigner("eu"),
    fingerprint: "a".repeat(64),
    crypto: simCrypto,
  });
  const { clock, timers, random } = machine;
  const publisher = new LanePublisher({
    lane: "sum",
    writer,
    bus,
    outbox: memoryOutbox(),
    ports: { clock, timers, random, log: silentLog, metrics: noMetrics },
    onStored: () => {},
    highestEpoch: async () => {
      await timers.sleep(PEERS_WAIT_MS);
      return 0;
    },
  });
  const change = (): void => {
    const nonce = String(kernel.nowMs);
    const event: RegisterEvent = { type: "WantSet", v: 1, key: "want/us", at: kernel.nowMs, data: { nonce } };
    writer.set(event);
    publisher.kick();
  };
  return {
    writer,
    start: () => {
      change();
      writer.synced();
      timers.every(500, change);
      publisher.elected(true);
    },
  };
}

it("the later one takes the lane from one that writes all the time, and that one stops", async () => {
  const kernel = new Kernel(1);
  const broker = new SimBroker(kernel, 256);
  const first = contender(kernel, broker, "first");
  const second = contender(kernel, broker, "second");
  first.start();
  await kernel.runFor(10_000);
  expect(first.writer.head()?.seq).toBeGreaterThan(5);
  second.start();
  await kernel.runUntil("the first is fenced", () => first.writer.mode === "fenced", 10_000);
  expect(second.writer.head()?.epoch).toBeGreaterThan(first.writer.position().epoch);
});

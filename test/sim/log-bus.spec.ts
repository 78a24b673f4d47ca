/** The contract on the simulator's bus. */
import { type AccountKey, parseAccountKey } from "@hansa/core";
import type { LogBus } from "@hansa/events";
import { type BusWorld, logBusContract, RECORDS_PER_LOG_MAX } from "../contract/log-bus.contract.ts";
import { Kernel, Machine } from "./kernel.ts";
import { SimBroker } from "./sim-broker.ts";
import { SimLogBus } from "./sim-bus.ts";

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

export function accountKey(index: number): AccountKey {
  const [high, low] = [LETTERS[Math.floor(index / 26) % 26], LETTERS[index % 26]];
  const key = parseAccountKey(`A${"A".repeat(53)}${high}${low}`);
  if (key === undefined) throw new Error("not an account key");
  return key;
}

class SimWorld implements BusWorld {
  readonly kernel = new Kernel(1);
  readonly broker = new SimBroker(this.kernel, RECORDS_PER_LOG_MAX);
  readonly hub = this.#client(accountKey(0));
  readonly #clients = new Map<LogBus, SimLogBus>();
  #joined = 0;

  async join(): Promise<LogBus> {
    this.#joined += 1;
    return this.#connected(this.#client(accountKey(this.#joined)));
  }

  rival(bus: LogBus): Promise<LogBus> {
    return this.#connected(this.#client(bus.account));
  }

  async cut(bus: LogBus): Promise<void> {
    this.#of(bus).cut();
    await this.#state(bus, false);
  }

  deafen(bus: LogBus): Promise<void> {
    this.#of(bus).deafen();
    return Promise.resolve();
  }

  async heal(bus: LogBus): Promise<void> {
    this.#of(bus).heal();
    await this.#state(bus, true);
  }

  async restart(): Promise<void> {
    this.broker.stop();
    await this.kernel.runFor(100);
    this.broker.start();
    await this.kernel.runFor(2000);
  }

  async wipe(): Promise<void> {
    this.broker.stop();
    await this.kernel.runFor(100);
    this.broker.wipe();
    this.broker.start();
    this.broker.ensureStream();
    await this.kernel.runFor(2000);
  }

  early(): Promise<{ readonly bus: LogBus; serve(): Promise<void> }> {
    this.#joined += 1;
    const bus = this.#client(accountKey(this.#joined));
    bus.cut();
    return Promise.resolve({
      bus,
      serve: () => {
        bus.heal();
        return Promise.resolve();
      },
    });
  }

  run<T>(work: Promise<T>): Promise<T> {
    return this.kernel.settle(work);
  }

  until(what: string, holds: () => boolean): Promise<void> {
    return this.kernel.runUntil(what, holds);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #client(account: AccountKey): SimLogBus {
    return new SimLogBus({ machine: new Machine(this.kernel, account), broker: this.broker, account });
  }

  async #connected(bus: SimLogBus): Promise<LogBus> {
    this.#clients.set(bus, bus);
    await this.#state(bus, true);
    return bus;
  }

  async #state(bus: LogBus, wanted: boolean): Promise<void> {
    let up: boolean | undefined;
    const stop = bus.connection((state) => {
      up = state;
    });
    await this.kernel.runUntil(`connection ${wanted}`, () => up === wanted);
    stop();
  }

  #of(bus: LogBus): SimLogBus {
    const client = this.#clients.get(bus);
    if (client === undefined) throw new Error("no client of this world");
    return client;
  }
}

logBusContract("simulator", async () => {
  const world = new SimWorld();
  await world.kernel.runFor(1000);
  return world;
});

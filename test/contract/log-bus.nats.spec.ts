/** The contract on a real nats-server. */
import { logBusContract } from "./log-bus.contract.ts";
import { NatsWorld } from "./log-bus.world.ts";

logBusContract("nats-server", () => NatsWorld.create());

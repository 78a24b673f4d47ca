/** @hansa/agent: what the simulator and tests take of the agent. The program is src/main.ts. */
export { AgentCore, type CoreOptions } from "./src/core.ts";
export type { Journal } from "./src/follow/journal.ts";
export type { Prober } from "./src/liveness/watch.ts";
export { memoryOutbox, type Outbox } from "./src/log/outbox.ts";
export { alwaysElected, type Election } from "./src/log/writer-lock.ts";
export type { Disk, Ports } from "./src/ports.ts";
